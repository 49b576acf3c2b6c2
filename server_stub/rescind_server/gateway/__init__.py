"""Turns bytes into commands and decisions into bytes, and says who asks. Holds no state that matters."""
