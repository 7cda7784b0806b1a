"""Pages in a real browser: what goes wrong in a page, and what axe finds."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def watched(page: Page, *allowed: str, console: bool = True) -> list[str]:
    """Return a list that collects errors, dialogs, and requests to addresses that begin with none of `allowed`.

    `console`: whether errors in the console count.
    """
    wrong: list[str] = []
    page.on("console", lambda event: wrong.append(event.text) if console and event.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda event: wrong.append(event.message))
    page.on("request", lambda event: None if event.url.startswith(allowed) else wrong.append(event.url))
    return wrong


def barriers(page: Page, *impacts: str) -> list[str]:
    """Return the findings of axe with these impacts, by default all, with their elements."""
    return [
        f"{violation['id']} ({violation['impact']}): {[node['html'][:120] for node in violation['nodes']]}"
        for violation in Axe().run(page).response["violations"]
        if not impacts or violation["impact"] in impacts
    ]
