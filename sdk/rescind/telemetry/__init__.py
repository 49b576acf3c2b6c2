"""What workers and clients tell of their work to those who watch over it: traces, and the ids in a log."""
