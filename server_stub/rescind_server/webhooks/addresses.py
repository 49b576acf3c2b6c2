"""Where webhooks may lead to.

Who adds one is an operator, and may well mean a machine of the operator's own network. What no webhook is for is
refused: link-local addresses, behind which clouds keep the credentials of the machine, and those of many at once. A
server whose organisations do not trust each other refuses all addresses that are not public.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from rescind.errors import InvalidInput

LONGEST_URL: Final = 2_000

Address = IPv4Address | IPv6Address

_NAT64: Final = IPv6Network("64:ff9b::/96")


def checked_url(url: str, *, allow_http: bool, allow_private: bool = True) -> str:
    """A URL that a webhook may have, as it was given.

    Args:
        url: where to.
        allow_http: whether ``http`` may lead to other machines, too.
        allow_private: whether it may lead to the server's own machine and network.

    Raises:
        InvalidInput: no such URL; the text says why, and does not repeat what may be secret in it.
    """
    shown = shown_url(url)
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > LONGEST_URL:
        raise InvalidInput(
            f"the webhook's URL {shown!r} has letters that no URL has, or more than {LONGEST_URL} of them."
        )
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidInput(f"the webhook's URL {shown!r} cannot be meant: {error}.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidInput(f"the webhook's URL {shown!r} is no address of HTTP. Give https://HOST/PATH.")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("the webhook's URL has credentials in it. Leave them away: what is sent is signed instead.")
    if parts.fragment:
        raise InvalidInput(f"the webhook's URL {shown!r} has a fragment, which is never sent. Leave it away.")
    address = literal(host)
    if address is not None and (why := refused(address, allow_private=allow_private)):
        raise InvalidInput(f"the webhook's URL {shown!r} leads to {why}. Give another host.")
    if not allow_private and address is None and _is_local_name(host):
        raise InvalidInput(
            f"the webhook's URL {shown!r} leads to the server's own machine, where no webhook of this server may lead. "
            "Give another host."
        )
    if parts.scheme == "http" and not allow_http and not _is_loopback(host, address):
        raise InvalidInput(
            f"the webhook's URL {shown!r} is http to another machine: everybody on the way can read it. Give https, or "
            "allow http."
        )
    return url


def shown_url(url: str) -> str:
    """A URL for logs and messages: without its query and without credentials, which may be secret."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "…"
    query = "…" if parts.query else ""
    return SplitResult(parts.scheme, host, parts.path, query, "").geturl()[:200]


def literal(host: str) -> Address | None:
    """The address that a host is; None if it is a name."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def refused(address: Address, *, allow_private: bool = True) -> str:
    """Why no webhook may lead to this address; empty if it may."""
    if isinstance(address, IPv6Address) and (inner := _carried(address)) is not None:
        return refused(inner, allow_private=allow_private)
    if address.is_link_local:
        return f"the link-local address {address}"
    if address.is_multicast:
        return f"{address}, the address of many"
    if address.is_unspecified or str(address) == "255.255.255.255":
        return f"{address}, which is no machine's"
    if not allow_private and not address.is_global:
        return f"{address}, which is not public, as this server asks for"
    return ""


def _carried(address: IPv6Address) -> IPv4Address | None:
    """The address of IPv4 that one of IPv6 leads to: mapped, of 6to4, or of NAT64."""
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour


def _is_local_name(host: str) -> bool:
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


def _is_loopback(host: str, address: Address | None) -> bool:
    return address.is_loopback if address is not None else host == "localhost"
