"""`rescind server --no-page` serves HTTP, and no page."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.page.deployment import deployed


def test_without_the_page_nothing_of_it_is_served_and_the_rest_is(tmp_path: Path) -> None:
    with deployed(tmp_path, "--no-page") as deployment:
        for path in ("/", "/page", "/page/executions", "/page/parts/1/main.js"):
            assert deployment.http.get(path).status_code == 404, path
        deployment.start("patient", execution_id="still-served")
        assert deployment.status("still-served") in {"PENDING", "RUNNING", "SUSPENDED", "WAITING"}


def test_without_the_page_its_cookie_lets_nobody_in(tmp_path: Path) -> None:
    with deployed(tmp_path, "--no-page") as deployment:
        deployment.http.headers.pop("authorization")
        deployment.http.cookies.set("rescind_session", deployment.tokens.operator)
        assert deployment.http.get("/api/v1/executions").status_code == 401


@pytest.mark.parametrize("path", ["/", "/page/executions", "/page/workers"])
def test_with_the_page_its_document_is_served_to_whoever_asks(tmp_path: Path, path: str) -> None:
    with deployed(tmp_path) as deployment:
        deployment.http.headers.pop("authorization")
        answer = deployment.http.get(path, follow_redirects=True)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
