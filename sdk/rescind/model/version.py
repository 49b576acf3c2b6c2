"""The version of this package, as a plain value: asking the installed distribution for it takes longer than a start."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
"""The version of the SDK and the server; they come as one distribution."""
