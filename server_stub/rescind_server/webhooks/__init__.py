"""Tells others over HTTP how executions end and what is cancelled: signed, at least once, and in nobody's way."""
