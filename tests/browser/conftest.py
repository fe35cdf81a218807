"""A headless Chromium, the system's own, and every request that a page makes."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..cli.conftest import SCRIPT, clean_environment

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """Where the system's Chromium is."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser():
    """Skips loudly without a Chromium or Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="NO BROWSER TEST RAN: use `uv run --group browser`")
    where = chromium()
    if where is None:
        print("BROWSER TESTS SKIPPED: there is no Chromium", file=sys.stderr)
        pytest.skip("NO BROWSER TEST RAN: there is no Chromium; install the package chromium")
    with playwright.sync_playwright() as play:
        found = play.chromium.launch(executable_path=where, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture
def page(browser):
    """A fresh page; `page.asked` are the addresses it asked for, `page.said` what its console complained of."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.asked, opened.said = [], []
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.on("console", lambda message: opened.said.append(message.text))
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.on("dialog", lambda dialog: (opened.said.append(f"dialog {dialog.message}"), dialog.dismiss()))
    yield opened
    context.close()


@contextmanager
def viewing(store: Path, *words: str) -> Iterator[str]:
    """`evolgraph view` on a store, as a process; its address."""
    command = [str(SCRIPT), "view", str(store), "--port", "0", "--no-browser", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environment()) as child:
        assert child.stdout
        try:
            yield child.stdout.readline().strip()
        finally:
            child.terminate()
            child.wait(20)
