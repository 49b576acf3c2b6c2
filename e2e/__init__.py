"""The scenarios from end to end, each written once and played on every backend."""
