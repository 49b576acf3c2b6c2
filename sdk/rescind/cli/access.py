"""Who may reach a server, and how: the options of `rescind server` for that, and what it says of it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import click

from rescind.cli.options import CommandT
from rescind.cli.refusals import EXIT_BAD_INPUT, Refused
from rescind_server.access.addresses import is_host_and_port, is_loopback, next_port

_FILE: Final = click.Path(dir_okay=False, path_type=Path)


class Access(NamedTuple):
    """How a server is reached.

    Attributes:
        http_address: where it serves HTTP; None if it does not.
        tokens: the file of its tokens; None takes the one beside its store, if there is one.
        certificate: its certificate; None serves in the clear.
        key: the key of that.
        client_authority: clients must have a certificate of one of these.
        webhooks_to_private_addresses: whether its webhooks may lead to its own machine and network.
        page: whether it serves the page where it serves HTTP.
        http_names: of hosts at which it is asked over HTTP, besides the loopback's, where it has no tokens.
    """

    http_address: str | None = None
    tokens: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    client_authority: Path | None = None
    webhooks_to_private_addresses: bool = True
    page: bool = True
    http_names: tuple[str, ...] = ()


class Serving(NamedTuple):
    """A server that serves.

    Attributes:
        address: where it serves gRPC.
        http_address: where it serves HTTP; None if it does not.
        asks_for_tokens: whether it lets in none but holders of tokens.
        is_encrypted: whether it serves TLS.
    """

    address: str
    http_address: str | None
    asks_for_tokens: bool
    is_encrypted: bool

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine can reach it."""
        return all(is_loopback(each) for each in (self.address, self.http_address) if each is not None)

    def access_in_words(self) -> str:
        """Who is let in."""
        if not self.asks_for_tokens:
            return "Access is open to every program on this machine, and to no other: it listens on the loopback alone."
        if self.is_encrypted or self.is_loopback:
            return "Access is for holders of tokens."
        return (
            "Access is for holders of tokens. WARNING: it serves in the clear, and tokens can be read on the way: give "
            "--tls-cert and --tls-key."
        )


def access_options(command: CommandT) -> CommandT:
    """The options of `Access`; the command gets them as `access`. It must take `address`, too."""

    @functools.wraps(command)
    def with_access(
        *arguments: Any,
        http: str | None,
        no_http: bool,
        tokens: Path | None,
        tls_cert: Path | None,
        tls_key: Path | None,
        tls_client_ca: Path | None,
        webhooks_to_private_addresses: bool,
        no_page: bool,
        http_name: tuple[str, ...],
        **options: Any,
    ) -> Any:
        if http is not None and no_http:
            raise Refused("--http and --no-http exclude each other.", EXIT_BAD_INPUT)
        if http is not None and not is_host_and_port(http):
            raise Refused(f"{http!r} is no address. Give host:port, as 127.0.0.1:7234.", EXIT_BAD_INPUT)
        for name in http_name:
            if not name or set(name) & set(":/ "):
                raise Refused(f"{name!r} is no name of a host. Give it alone, as agents.example.", EXIT_BAD_INPUT)
        http_address = None if no_http else http or next_port(options["address"])
        access = Access(
            http_address,
            tokens,
            tls_cert,
            tls_key,
            tls_client_ca,
            webhooks_to_private_addresses,
            page=not no_page,
            http_names=http_name,
        )
        return command(*arguments, access=access, **options)

    decorated: Any = with_access
    for option in reversed(
        (
            click.option(
                "--http",
                metavar="HOST:PORT",
                help="Where to serve HTTP; port 0 takes a free one.  [default: the port after that of --address]",
            ),
            click.option("--no-http", is_flag=True, help="Serve no HTTP."),
            click.option(
                "--http-name",
                multiple=True,
                metavar="NAME",
                help="A further host name at which HTTP may be asked without tokens: of a proxy on this machine.",
            ),
            click.option("--no-page", is_flag=True, help="Serve no page at the address of HTTP."),
            click.option(
                "--tokens",
                type=_FILE,
                metavar="FILE",
                help="The tokens that are let in, see `rescind token`.  [default: beside the store, if there are any]",
            ),
            click.option("--tls-cert", type=_FILE, metavar="FILE", help="Serve TLS with this certificate chain, PEM."),
            click.option("--tls-key", type=_FILE, metavar="FILE", help="The key of that, PEM, without a password."),
            click.option(
                "--tls-client-ca",
                type=_FILE,
                metavar="FILE",
                help="Take none but clients that have a certificate of these authorities, PEM.",
            ),
            click.option(
                "--webhooks-to-private-addresses/--no-webhooks-to-private-addresses",
                default=True,
                help="Whether webhooks may lead to this machine and its network.  [default: they may]",
            ),
        )
    ):
        decorated = option(decorated)
    return cast(CommandT, decorated)
