"""A headless browser that records every request, every error of a page and what its policy blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request, sync_playwright

from tests.required_services import chromium

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@dataclass
class Visit:
    """A page, with its requests and errors."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def note_failure(self, request: Request) -> None:
        """Remove a request that the page's own policy blocked: it never left the browser."""
        if request.failure == "csp":
            self.requests.remove(request.url)

    def record_message(self, message: ConsoleMessage) -> None:
        """Record what the page's policy blocked, except for the external logo in Redoc's footer."""
        if "Content Security Policy" in message.text and "https://cdn.redoc.ly/" not in message.text:
            self.errors.append(message.text)

    def outside(self, base: str) -> list[str]:
        """Return the requests that left the server under test."""
        home = urlsplit(base).netloc
        parts = [urlsplit(url) for url in self.requests]
        return [part.geturl() for part in parts if part.scheme in {"http", "https"} and part.netloc != home]


@contextmanager
def browser_page() -> Iterator[Visit]:
    """Open a page in a new browser."""
    executable = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            visit = Visit(page)
            page.on("request", lambda request: visit.requests.append(request.url))
            page.on("requestfailed", visit.note_failure)
            page.on("console", visit.record_message)
            page.on("pageerror", lambda error: visit.errors.append(str(error)))
            yield visit
        finally:
            browser.close()
