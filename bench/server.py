"""What is felt of a server most: ``python -m bench.server [--quick]`` takes these measurements of all."""

from __future__ import annotations

import sys
from typing import Final

from bench.__main__ import main

_SUBJECTS: Final = ("latency", "throughput", "pending.enqueue-executions", "pending.cancel-executions", "memory")

if __name__ == "__main__":
    sys.exit(main([*sys.argv[1:], "--only", *_SUBJECTS]))
