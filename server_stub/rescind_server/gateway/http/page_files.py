"""Serves the page: one document at every path below /page/, and its parts under the hash of what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rescind.errors import NotFound
from rescind_server.gateway.http.problems import problem

ROOT: Final = "/page"
DOCUMENT: Final = "index.html"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_PARTS_AT: Final = "{parts}"
_MEDIA_TYPES: Final[Mapping[str, str]] = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class PagePart(NamedTuple):
    """One file of the page: its bytes, and what they are."""

    data: bytes
    media_type: str


class PageParts(NamedTuple):
    """All of the page.

    Attributes:
        version: the hash of all that is in it; another page has another one.
        document: what every view begins with; it names the others by the version.
        parts: scripts, styles and pictures, by name.
    """

    version: str
    document: bytes
    parts: Mapping[str, PagePart]


@cache
def page_parts() -> PageParts:
    """The page as it came with this package. It is read once."""
    found = {
        each.name: PagePart(each.read_bytes(), _MEDIA_TYPES[each.name.rpartition(".")[2]])
        for each in sorted(files("rescind_server").joinpath("page").iterdir(), key=lambda each: each.name)
        if each.name.rpartition(".")[2] in _MEDIA_TYPES
    }
    digest = hashlib.sha256()
    for name, part in found.items():
        digest.update(f"{name} {len(part.data)}\n".encode() + part.data)
    version = digest.hexdigest()[:16]
    document = found.pop(DOCUMENT).data.replace(_PARTS_AT.encode(), f"{ROOT}/parts/{version}".encode())
    return PageParts(version, document, found)


def page_routes() -> Sequence[Route]:
    """Where the page is served."""
    return (
        Route("/", _lead, methods=["GET"]),
        Route(ROOT, _lead, methods=["GET"]),
        Route(f"{ROOT}/parts/{{version}}/{{name}}", _part, methods=["GET"]),
        Route(f"{ROOT}/parts/{{rest:path}}", _missing, methods=["GET"]),
        Route(f"{ROOT}/{{view:path}}", _document, methods=["GET"]),
    )


async def _lead(request: Request) -> Response:
    headers = {**_HEADERS, "location": f"{ROOT}/executions", "cache-control": "no-cache"}
    return Response(status_code=HTTPStatus.TEMPORARY_REDIRECT, headers=headers)


async def _document(request: Request) -> Response:
    page = page_parts()
    tag = f'"{page.version}"'
    headers = {**_HEADERS, "etag": tag, "cache-control": "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(page.document, headers=headers, media_type=_MEDIA_TYPES["html"])


async def _part(request: Request) -> Response:
    page = page_parts()
    part = page.parts.get(request.path_params["name"])
    # A document of an older server names parts that are not here any more: not newer ones in their place.
    if part is None or request.path_params["version"] != page.version:
        return await _missing(request)
    return Response(part.data, headers={**_HEADERS, "cache-control": _FOR_EVER}, media_type=part.media_type)


async def _missing(request: Request) -> Response:
    return problem(HTTPStatus.NOT_FOUND, NotFound(f"{request.url.path} is not served."), "Load the page anew.")
