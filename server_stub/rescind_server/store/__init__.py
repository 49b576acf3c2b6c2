"""What lasts. A store is told what changed; it never decides."""
