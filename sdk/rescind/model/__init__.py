"""Values only: no I/O, no event loop, no clock.

They are immutable and hold no reference cycles, so Python's cycle collector is told to pass them over (``gc=False``):
what a task costs must not grow with the number of tasks in memory.
"""
