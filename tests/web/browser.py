"""A real Chromium, and what must never happen in it."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

CHROMIUM: Final = os.environ.get("CHROMIUM") or shutil.which("chromium")

# Whatever is waited for comes sooner than this, also on a machine that is busy with other tests.
expect.set_options(timeout=20_000)

_WATCH: Final = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(
  `${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


@contextmanager
def opened(
    browser: Browser, url: str, path: str = "/", *, refused: str | None = None, **options: Any
) -> Iterator[Page]:
    """A page, which must end without an error, a violation of its policy, or a serious finding of axe.

    Where a page is `refused` with a status (a pattern), the browser says so: that is no error.
    """
    context = browser.new_context(**{"timezone_id": "Europe/Amsterdam", **options})
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.add_init_script(_WATCH)
    said: list[str] = []
    page.on("console", lambda each: said.append(each.text) if _is_wrong(each, refused) else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    elsewhere: list[str] = []
    page.on("request", lambda each: elsewhere.append(each.url) if not each.url.startswith(url) else None)
    page.goto(url + path)
    yield page
    assert not said, said
    assert not elsewhere, elsewhere
    if options.get("java_script_enabled", True):
        violations = page.evaluate("window.violations")
        assert not violations, violations
        findings = serious(page)
        assert not findings, findings
    context.close()


def _is_wrong(said: ConsoleMessage, refused: str | None) -> bool:
    expected = refused is not None and re.search(f"status of {refused}", said.text) is not None
    return said.type in ("error", "warning") and not expected


def serious(page: Page) -> list[str]:
    """What axe finds that keeps somebody out."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {[node['html'] for node in each['nodes']]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
