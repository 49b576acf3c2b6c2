"""The command line: `main.py` is the door, and each command has its modules beside it."""
