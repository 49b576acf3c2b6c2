"""The server: the engine that decides, the host that drives it, the store that keeps."""
