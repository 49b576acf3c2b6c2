"""Values of the model to messages of the wire, and back. Both ways are total: each value fits, each byte is checked."""
