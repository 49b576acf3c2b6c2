"""The ports over our own engine, in this process or behind a server: they differ by transport alone."""
