"""Starts executions, follows and cancels them from outside."""
