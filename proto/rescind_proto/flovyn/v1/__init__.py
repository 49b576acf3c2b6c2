"""Generated: the messages of the wire. See `proto/` for what they mean."""
