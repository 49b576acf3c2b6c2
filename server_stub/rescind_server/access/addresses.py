"""Who can reach an address."""

from __future__ import annotations

import ipaddress
from typing import Final

_HIGHEST_PORT: Final = 65_535


def is_loopback(address: str) -> bool:
    """Whether only programs on this machine can reach an address, which is ``host:port``."""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_host_and_port(address: str) -> bool:
    """Whether this is ``host:port`` at all."""
    host, _, port = address.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and int(port[:6]) <= _HIGHEST_PORT


def next_port(address: str) -> str:
    """The address behind this one; where a free port is taken, there another one is, too."""
    host, _, port = address.rpartition(":")
    number = int(port)
    return f"{host}:{number + 1 if 0 < number < _HIGHEST_PORT else 0}"
