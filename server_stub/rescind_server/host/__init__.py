"""What drives the engine: decide, commit, reply, act, in this order. Read `driver.py`."""
