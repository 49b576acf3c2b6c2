"""A window of Debian's Chromium, without a screen, and what its own clock says about what it shows.

Importing this takes the package playwright.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from playwright.async_api import Page, async_playwright

_CHROMIUM: Final = "/usr/bin/chromium"
_SIZE: Final = {"width": 1280, "height": 800}

# The end of the frame in which something is there: what was drawn in it has left for the screen.
_AFTER_THE_FRAME: Final = """
window.afterTheFrame = () => new Promise(done => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => done(performance.timeOrigin + performance.now());
    channel.port2.postMessage(0);
}));
"""
_WATCH: Final = """selector => {
    window.shownAt = new Promise(done => {
        const look = () => {
            if (!document.querySelector(selector)) return false;
            observer.disconnect();
            window.afterTheFrame().then(done);
            return true;
        };
        const observer = new MutationObserver(look);
        observer.observe(document, {subtree: true, childList: true, attributes: true});
        look();
    });
}"""
_CLICK: Final = """async ([clicked, shown]) => {
    const begun = performance.timeOrigin + performance.now();
    document.querySelector(clicked).click();
    while (!document.querySelector(shown)) await window.afterTheFrame();
    return await window.afterTheFrame() - begun;
}"""
_SCROLL: Final = """async ([selector, frames, step]) => {
    const place = document.querySelector(selector), took = [];
    let before = await new Promise(requestAnimationFrame);
    for (let frame = 0; frame < frames; frame++) {
        place.scrollTop += step;
        if (place.scrollTop + place.clientHeight >= place.scrollHeight - 1 || place.scrollTop <= 0) step = -step;
        const now = await new Promise(requestAnimationFrame);
        took.push(now - before);
        before = now;
    }
    return took;
}"""


class Window:
    """One tab."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def open(self, url: str) -> None:
        """Open an address, and wait until the view has loaded and hears what happens."""
        await self.page.goto(url)
        await self.page.wait_for_selector('[data-testid="view"]:not([aria-busy="true"])')
        await self.page.wait_for_selector('[data-testid="connection"][data-state="live"], [data-state="ended"]')

    async def when_shown(self, selector: str) -> Callable[[], Awaitable[float]]:
        """Watch for a part from now on; returns what waits for it and tells when its first frame was done.

        That is in ms since 1970, by the same clock as the server's.
        """
        await self.page.evaluate(_WATCH, selector)

        async def shown() -> float:
            return float(await self.page.evaluate("window.shownAt"))

        return shown

    async def click(self, clicked: str, shown: str) -> float:
        """Click a part; returns how long it takes until another one is there and drawn, in ms."""
        return float(await self.page.evaluate(_CLICK, [clicked, shown]))

    async def scroll(self, selector: str, frames: int, step: int) -> Sequence[float]:
        """Scroll up and down by so many pixels in each frame; returns how long each frame took, in ms."""
        took: Sequence[Any] = await self.page.evaluate(_SCROLL, [selector, frames, step])
        return [float(each) for each in took]


@asynccontextmanager
async def windows(count: int) -> AsyncIterator[Sequence[Window]]:
    """So many windows of one browser, for as long as the block lasts. Each has connections of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM)
        try:
            pages = [await browser.new_page(viewport=_SIZE) for _ in range(count)]  # type: ignore[arg-type]
            for page in pages:
                await page.add_init_script(_AFTER_THE_FRAME)
            yield [Window(page) for page in pages]
        finally:
            await browser.close()
