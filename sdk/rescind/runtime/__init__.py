"""What keeps the promise to an agent's author while the code runs. It knows its backend only by `ports.py`."""
