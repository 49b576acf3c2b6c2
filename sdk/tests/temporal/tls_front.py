"""Puts TLS before a server, as a program of its own: ``tls_front.py ADDRESS CERTIFICATE KEY [AUTHORITY]``.

It prints its port. With an authority, clients must have a certificate of it.
"""

from __future__ import annotations

import asyncio
import ssl
import sys


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction to its end."""
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve(address: str, certificate: str, key: str, authority: str | None) -> None:
    """Serve until killed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    if authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority)
    host, _, port = address.rpartition(":")

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        both = (pass_on(reader, far_writer), pass_on(far_reader, writer))
        await asyncio.gather(*both, return_exceptions=True)

    server = await asyncio.start_server(meet, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    _, served, own_certificate, own_key, *authorities = sys.argv
    asyncio.run(serve(served, own_certificate, own_key, authorities[0] if authorities else None))
