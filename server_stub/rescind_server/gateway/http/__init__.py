"""Callers' calls over HTTP: JSON under /api/v1, server-sent events, and the document that describes them."""
