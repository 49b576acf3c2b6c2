"""Runs code: sessions, slots, attempts, and their stopping. Knows nothing about what agents mean."""
