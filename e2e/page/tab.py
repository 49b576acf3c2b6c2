"""A tab of a browser in which somebody looks at the page, and what it noticed meanwhile that nobody should see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Locator, Playwright, Request, expect

CHROMIUM: Final = "/usr/bin/chromium"
LONGEST_MS: Final = 30_000
Scheme = Literal["light", "dark"]

# The browser itself must not ask anybody either: no name leads anywhere but the loopback.
_NOWHERE: Final = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
# What the browser says of an answer that is an error, or of a server that is not there. The page shows these itself.
_SAID_BY_THE_BROWSER: Final = ("Failed to load resource", "WebSocket connection")


@contextmanager
def running_browser(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium, for as long as the block lasts."""
    expect.set_options(timeout=LONGEST_MS)
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[_NOWHERE])
    try:
        yield browser
    finally:
        browser.close()


class Tab:
    """A tab, in a browser context of its own: nobody else has its cookies.

    Attributes:
        page: the tab, as Playwright drives it.
        context: its browser context.
        url: where the server serves.
        problems: what happened in it that must never happen, in words: requests to others, dialogues of the browser,
            errors of scripts, violations of the page's policy, windows that were opened.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.problems: list[str] = []
        context.set_default_timeout(LONGEST_MS)
        self.page = context.new_page()
        context.on("request", self._note_request)
        context.on("dialog", self._note_dialogue)
        context.on("weberror", lambda error: self.problems.append(f"error of a script: {error.error}"))
        context.on("console", self._note_console)
        context.on("page", lambda page: self.problems.append(f"a window was opened: {page.url}"))

    # ── getting about ─────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, path: str = "/") -> None:
        """Open a path of the server, and wait until its view has loaded."""
        self.page.goto(self.url + path)
        self.wait_loaded()

    def open_execution(self, execution_id: str, tab: str = "") -> None:
        """Open an execution, and one of its tabs if one is named."""
        self.open(f"/page/executions/{quote(execution_id, safe='')}{'#' + tab if tab else ''}")

    def wait_loaded(self) -> None:
        """Wait until the view is there."""
        expect(self.part("view")).not_to_have_attribute("aria-busy", "true")

    def sign_in(self, token: str) -> None:
        """Open the page, and sign in with a token's text."""
        self.open()
        self.part("sign-in-token").fill(token)
        self.part("sign-in-submit").click()
        expect(self.view("executions")).to_be_visible()
        self.wait_loaded()

    # ── finding ───────────────────────────────────────────────────────────────────────────────────────────────────

    def part(self, name: str, **data: str) -> Locator:
        """A part of the page by its stable name, and the data that it must have: `part("status", status="RUNNING")`."""
        return self.page.locator(selector(name, **data))

    def view(self, name: str) -> Locator:
        """The view, while it is this one."""
        return self.part("view", view=name)

    def connection(self, state: str) -> Locator:
        """What says how the connection is, while it is like this."""
        return self.part("connection", state=state)

    def row(self, execution_id: str) -> Locator:
        """An execution in the list."""
        return self.part("execution-row", id=execution_id)

    def bar(self, task_id: str) -> Locator:
        """A task in the timeline."""
        return self.part("timeline-row", task=task_id)

    def stop(self, task_id: str, state: str) -> Locator:
        """The same, while the stopping of its work has come so far."""
        return self.part("timeline-row", task=task_id, stop=state)

    def rows(self) -> Sequence[str]:
        """The ids of the executions in the list, as they stand there."""
        found: Sequence[str] = self.part("execution-row").evaluate_all("rows => rows.map(row => row.dataset.id)")
        return found

    # ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────

    def watch(self, selector: str, *names: str) -> Callable[[], Sequence[tuple[str | None, ...]]]:
        """Note each state of a part from now on, also one that stands for a moment; returns what asks for them.

        Args:
            selector: of the part, which may be drawn anew meanwhile.
            names: of the data attributes that make its state.
        """
        self.page.evaluate(_WATCH, [selector, list(names)])
        return lambda: [tuple(each) for each in self.page.evaluate("selector => window.noted[selector]", selector)]

    def screenshot(self, file: Path) -> None:
        """Write what is seen to a PNG file."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=file, animations="disabled", caret="hide")

    def fetch(self, path: str, method: str, body: Any, headers: Mapping[str, str]) -> tuple[int, Any]:
        """Let a script in the tab make a request, with the tab's cookies; returns status and answer."""
        status, answer = self.page.evaluate(_FETCH, [path, method, body, dict(headers)])
        return int(status), answer

    # ── noting ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _note_request(self, request: Request) -> None:
        asked = urlsplit(request.url)
        own = urlsplit(self.url)
        if asked.scheme not in {"data", "blob"} and (asked.scheme, asked.netloc) != (own.scheme, own.netloc):
            self.problems.append(f"request to another host: {request.url[:200]}")

    def _note_dialogue(self, dialog: Dialog) -> None:
        self.problems.append(f"dialogue of the browser: {dialog.message}")
        dialog.dismiss()

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_SAID_BY_THE_BROWSER):
            self.problems.append(f"{message.type} on the console: {message.text[:500]}")


def selector(name: str, **data: str) -> str:
    """The CSS selector of a part by its stable name, and the data that it must have."""
    return f'[data-testid="{name}"]' + "".join(f'[data-{key}="{_quoted(value)}"]' for key, value in data.items())


def _quoted(text: str) -> str:
    return "".join(f"\\{ord(each):x} " if each in '"\\' or ord(each) < 32 else each for each in text)


_WATCH: Final = """([selector, names]) => {
    const noted = (window.noted ??= {})[selector] = [];
    const look = () => {
        const element = document.querySelector(selector);
        if (!element) return;
        const state = names.map(name => element.dataset[name] ?? null);
        if (JSON.stringify(noted.at(-1)) !== JSON.stringify(state)) noted.push(state);
    };
    look();
    new MutationObserver(look).observe(document, {subtree: true, childList: true, attributes: true});
}"""

_FETCH: Final = """async ([path, method, body, headers]) => {
    const answer = await fetch(path, {
        method, body: body === null ? undefined : JSON.stringify(body),
        headers: {"content-type": "application/json", ...headers},
    });
    const text = await answer.text();
    return [answer.status, text ? JSON.parse(text) : null];
}"""
