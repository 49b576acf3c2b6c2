"""The pages of the manual that need a Temporal server run on a real one."""

from __future__ import annotations

import pytest

from fixtures.temporal_servers.running import DevelopmentServer
from sdk.tests.docs.test_examples import ON_TEMPORAL, run_page

pytest_plugins = ["pytester"]


@pytest.mark.parametrize("page", sorted(ON_TEMPORAL))
def test_the_examples_of_a_page_run_on_temporal(
    page: str, pytester: pytest.Pytester, development_server: DevelopmentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", development_server.address)
    run_page(page, pytester)
