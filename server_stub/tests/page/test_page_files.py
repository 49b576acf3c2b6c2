"""The page as it is served: strict headers, caching by what is in it, and nothing of any other host."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from rescind_server.app import Server
from rescind_server.gateway.http.page_files import page_parts
from server_stub.tests.http.work import LONGEST

pytestmark = pytest.mark.asyncio
FOLDER = Path(__file__).parents[2] / "rescind_server" / "page"


async def served_parts(http: httpx.AsyncClient) -> list[str]:
    """The paths that the document names."""
    document = (await http.get("/page/executions")).text
    return re.findall(r'(?:src|href)="([^"]+)"', document)


async def test_the_root_leads_to_the_executions(http: httpx.AsyncClient) -> None:
    for path in ("/", "/page"):
        answer = await http.get(path)
        assert (answer.status_code, answer.headers["location"]) == (307, "/page/executions")


@pytest.mark.parametrize("path", ["/page/executions", "/page/executions/a%2Fb", "/page/audit", "/page/executions/x"])
async def test_every_view_is_the_same_document(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.content == page_parts().document


async def test_every_answer_of_the_page_has_strict_headers(http: httpx.AsyncClient) -> None:
    for path in ("/", "/page/executions", *await served_parts(http)):
        headers = (await http.get(path)).headers
        policy = dict(each.split(" ", 1) for each in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


async def test_parts_are_kept_for_ever_and_the_document_is_asked_for_anew(http: httpx.AsyncClient) -> None:
    document = await http.get("/page/executions")
    assert document.headers["cache-control"] == "no-cache"
    again = await http.get("/page/executions", headers={"if-none-match": document.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for path in await served_parts(http):
        part = await http.get(path)
        assert part.status_code == 200, path
        assert "immutable" in part.headers["cache-control"]


async def test_parts_of_another_version_are_not_served(http: httpx.AsyncClient) -> None:
    name = f"/page/parts/{page_parts().version}/main.js"
    assert (await http.get(name)).status_code == 200
    assert (await http.get(name.replace(page_parts().version, "0" * 16))).status_code == 404
    for path in ("../app.py", "..%2F..%2Fapp.py", "jsconfig.json", "nothing.js"):
        assert (await http.get(f"/page/parts/{page_parts().version}/{path}")).status_code == 404


async def test_without_the_page_none_of_it_is_served() -> None:
    async with (
        Server(None, "127.0.0.1:0", http_address="127.0.0.1:0", page=False) as server,
        httpx.AsyncClient(base_url=f"http://{server.http_address}", timeout=LONGEST) as http,
    ):
        for path in ("/", "/page", "/page/executions", f"/page/parts/{page_parts().version}/main.js"):
            assert (await http.get(path)).status_code == 404
        assert (await http.post("/api/v1/session", json={"token": "x"})).status_code == 404
        assert "/api/v1/session" not in (await http.get("/openapi.json")).json()["paths"]
        assert (await http.get("/api/v1/executions")).status_code == 200


async def test_every_part_that_a_script_imports_is_there() -> None:
    parts = page_parts().parts
    for name, part in parts.items():
        for imported in re.findall(r'(?:from|import\()\s*"\./([^"]+)"', part.data.decode()):
            assert imported in parts, f"{name} imports {imported}"


async def test_no_part_names_another_host_or_takes_markup() -> None:
    for file in FOLDER.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|//[a-z]+\.", text), file.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text), (
            file.name
        )


async def test_modules_of_the_page_stay_readable() -> None:
    for file in FOLDER.glob("*.js"):
        lines = file.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 400, file.name
        assert lines[0] == "// @ts-check", file.name
