"""How code runs and is stopped, one module per executor, all with the same life (`port.py`)."""
