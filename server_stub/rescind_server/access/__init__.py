"""Who may come in, and as what: tokens, kept as hashes, and how often each may ask."""
