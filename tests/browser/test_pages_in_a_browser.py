"""The pages as a person uses them: open, filter, open a sample, hover a box, read the diff, follow a live run."""

import asyncio
import json
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..cli.conftest import SCRIPT, clean_environment, script_in
from ..conftest import SEEDS
from ..toy import is_readable
from ..viewer.conftest import RUN, TEXT, fill
from .conftest import viewing

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def evolved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a real run on drawn samples; some of their questions are rejected."""
    folder = tmp_path_factory.mktemp("evolved")
    assert script_in(folder)("seeds", "draw", "8", "--seed", "5", "-o", "drawn").code == 0
    assert script_in(folder)("evolve", "drawn/seeds.json", "--store", "run.db", "--rounds", "3").code == 0
    return folder / "run.db"


@pytest.fixture(scope="module")
def url(evolved: Path):
    with viewing(evolved) as found:
        yield found


def test_a_person_finds_out_why_a_pair_was_rejected(page, url: str) -> None:
    page.goto(url)
    assert "8 of 8 samples settled" in page.inner_text("h1")
    page.click("nav >> text=Samples")
    page.wait_for_url("**/samples*")
    page.select_option("select[name=verdict]", "rejected")
    page.wait_for_url("**verdict=rejected**")
    assert "status=" not in page.url  # what is left open stays out of the address
    names = page.locator("tbody tr .name a")
    assert 0 < names.count() <= 8
    names.first.click()
    rejected = page.locator("article.pair.rejected").first
    assert "rejected by" in rejected.inner_text()
    assert rejected.locator(".reason").inner_text()
    assert page.locator("ins").count() > 0
    assert page.locator("del").count() > 0
    assert not page.said
    assert all(one.startswith(url) for one in page.asked)


def lit(page) -> list[str]:
    return page.eval_on_selector_all(".lit", "found => found.map(one => one.dataset.box)")


def test_a_box_and_what_cites_it_light_up_together(page, url: str) -> None:
    page.goto(f"{url}")
    page.click("nav >> text=Samples")
    page.wait_for_url("**/samples*")
    cites = page.locator(".cite[data-box^=b]")
    for number in range(page.locator("tbody tr").count()):
        page.locator("tbody tr .name a").nth(number).click()
        page.wait_for_url("**/sample?**")
        if cites.count():
            break
        page.go_back()
    key = cites.first.get_attribute("data-box")
    cites.first.hover()
    assert set(lit(page)) == {key}
    assert len(lit(page)) >= 2
    assert page.locator("g.box.lit text").evaluate("one => getComputedStyle(one).opacity") == "1"
    page.mouse.move(5, 5)
    assert lit(page) == []
    page.locator(f"g.box[data-box={key}] rect").first.hover(force=True)
    assert set(lit(page)) == {key}


def test_the_image_and_its_thumbnails_are_there(page, url: str) -> None:
    page.goto(url)
    page.click("nav >> text=Samples")
    page.wait_for_url("**/samples*")
    page.wait_for_load_state("networkidle")
    widths = page.eval_on_selector_all(".thumb img", "found => found.map(one => one.naturalWidth)")
    assert len(widths) == 8
    assert min(widths) > 0


def test_keys_move_between_samples_and_search(page, url: str) -> None:
    page.goto(url)
    page.click("nav >> text=Samples")
    page.wait_for_url("**/samples*")
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator("tr.at .name a").inner_text()
    assert second == page.locator("tbody tr .name a").nth(1).inner_text()
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sample?id=**")
    assert second in page.inner_text("h1")
    page.keyboard.press("j")
    page.locator("h1", has_not_text=second).wait_for()
    page.keyboard.press("k")
    page.locator("h1", has_text=second).wait_for()
    page.click("nav >> text=Samples")
    page.wait_for_url("**/samples*")
    page.keyboard.press("/")
    page.keyboard.type(second)
    page.keyboard.press("Enter")
    page.wait_for_url("**text=**")
    assert page.locator("tbody tr").count() == 1


def test_hostile_text_runs_nothing_and_asks_for_nothing(page, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as aside:  # Playwright has a loop of its own in this thread
        aside.submit(lambda: asyncio.run(fill(tmp_path / "run.db", TEXT))).result()
    with viewing(tmp_path / "run.db") as url:
        for name in ("overview", "samples", "policy", "errors"):
            page.goto(f"{url}runs/{RUN}/{name}")
        page.goto(f"{url}runs/{RUN}/samples")
        page.locator("tbody tr .name a").first.click()
        page.wait_for_load_state("networkidle")
        page.eval_on_selector_all("details", "found => found.forEach(one => { one.open = true })")
        page.locator(".cite").first.hover()
        assert "<script>alert(1)</script>" in page.inner_text("main")
        page.click("text=Lineage")
        page.wait_for_load_state("networkidle")
        assert "<img src=x onerror=alert(1)>" in page.inner_text("main")
        assert [one for one in page.asked if not one.startswith(url)] == []
        assert page.said == []


@contextmanager
def working(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command under way, ended when the block is left."""
    command = [str(SCRIPT), *words]
    with subprocess.Popen(command, cwd=folder, env=clean_environment(), stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.terminate()
            child.wait(30)


def test_a_live_run_is_followed_to_its_end(page, tmp_path: Path) -> None:
    with working(tmp_path, "serve", "--port", "0", "--latency-ms", "1500") as server:
        assert server.stdout
        endpoint = json.loads(server.stdout.readline())["url"]
        evolve = ("evolve", str(SEEDS), "--store", "run.db", "--rounds", "2", "--concurrency", "2", "--limit", "6",
                  "--endpoint", endpoint, "--model", "builtin", "--json")  # fmt: skip
        with working(tmp_path, *evolve) as run:
            while not (tmp_path / "run.db").is_file() or not is_readable(tmp_path / "run.db"):
                assert run.poll() is None
                time.sleep(0.1)
            with viewing(tmp_path / "run.db") as url:
                page.goto(url)
                page.locator("#state", has_text="running").wait_for()
                page.locator("h1", has_text=re.compile("^[1-5] of")).wait_for(timeout=60_000)
                page.locator("#state", has_text="finished").wait_for(timeout=120_000)
                assert page.inner_text("h1") == "6 of 6 samples settled"
                assert not page.said


def test_a_bundle_opens_without_a_server(page, evolved: Path, tmp_path: Path) -> None:
    said = script_in(tmp_path)("view", evolved, "--export", "bundle")
    assert said.code == 0, said.err
    page.goto((tmp_path / "bundle" / "index.html").as_uri())
    assert "8 of 8 samples settled" in page.inner_text("h1")
    page.click("nav >> text=Samples")
    page.wait_for_url("**/samples*")
    page.wait_for_load_state("networkidle")
    assert min(page.eval_on_selector_all(".thumb img", "found => found.map(one => one.naturalWidth)")) > 0
    page.locator("tbody tr .name a").first.click()
    assert page.locator(".pair").count() > 0
    assert all(one.startswith("file:") for one in page.asked)
    assert not page.said
    assert "is not empty" in script_in(tmp_path)("view", evolved, "--export", "bundle").line
