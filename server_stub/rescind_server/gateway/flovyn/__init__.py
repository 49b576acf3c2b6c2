"""The façade of flovyn.v1: another protocol in front of the same engine."""
