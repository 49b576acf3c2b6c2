"""What decides. Pure and synchronous: (state, command, now) → reply, events, effects.

Nothing in here awaits, opens, reads a clock or draws a random number. Read `machine.py` for how a command finds its
rule, and `endings.py` for how a task ends.
"""
