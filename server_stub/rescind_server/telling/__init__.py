"""What happened, told to those who watch over many executions: figures for Prometheus."""
