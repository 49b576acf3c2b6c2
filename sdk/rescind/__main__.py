"""``python -m rescind``: the command line, where the program ``rescind`` is not on the path."""

from __future__ import annotations

from rescind.cli.main import main

if __name__ == "__main__":
    main()
