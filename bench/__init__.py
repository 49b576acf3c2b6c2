"""Timing: measured here, never asserted in a test."""
