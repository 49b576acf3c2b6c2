"""Who answers the ports: our own engine, and later Temporal."""
