"""What an agent's author decorates with, and how values become payloads and come back."""
