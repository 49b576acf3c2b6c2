"""Values only: no I/O, no event loop, no clock."""
