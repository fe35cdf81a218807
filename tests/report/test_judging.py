"""People's labels: a sheet that hides the verdicts, and how far the judge agrees with what was saved."""

import base64
import contextlib
import hashlib
import json
import re
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from evolgraph.viewer.calibration import calibration

from ..browser.conftest import chromium
from ..cli.conftest import Run
from ..conftest import SEEDS
from .conftest import Evolved

FLAGS = ("grounded", "correct", "answerable", "needs_image", "improved")


def data_of(page: str) -> Any:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


def verdicts(store: Path) -> dict[tuple[str, int, str], dict[str, Any]]:
    """The rulings of a store by pair, read without the code under test."""
    with contextlib.closing(sqlite3.connect(store)) as db:
        db.row_factory = sqlite3.Row
        return {(row["sample"], row["round"], row["qa"]): dict(row) for row in db.execute("SELECT * FROM verdicts")}


@pytest.fixture
def page(full: Evolved, evolgraph: Run, tmp_path: Path) -> str:
    said = evolgraph("judge", "sample", full.store, "-n", 500, "-o", "sheet.html", "--images", SEEDS.parent)
    assert said.code == 0, said.err
    return (tmp_path / "sheet.html").read_text(encoding="utf-8")


def test_the_sheet_holds_the_pairs_and_hides_the_verdicts(full: Evolved, page: str) -> None:
    data, known = data_of(page), verdicts(full.store)
    assert {(pair["sample"], pair["round"], pair["qa"]) for pair in data["pairs"]} == set(known)
    for pair in data["pairs"]:
        told = {"sample", "round", "qa", "direction", "caption", "images", "boxes", "parent", "child"}
        assert set(pair) == told
        assert set(pair["child"]) == set(pair["parent"]) == {"question", "answer", "form", "steps"}
        assert pair["child"]["question"] != pair["parent"]["question"] or pair["child"] != pair["parent"]
    reasons = {verdict["reason"] for verdict in known.values() if verdict["reason"]}
    assert reasons
    assert not [reason for reason in reasons if reason in page]
    images = {image["sha256"] for pair in data["pairs"] for image in pair["images"]}
    assert set(data["images"]) == images
    assert all(source.startswith("data:image/jpeg;base64,") for source in data["images"].values())


def test_pairs_are_drawn_evenly_and_alike_each_time(full: Evolved, evolgraph: Run, tmp_path: Path) -> None:
    known = verdicts(full.store)
    sizes = Counter((one["direction"], one["accepted"]) for one in known.values())
    pages = []
    for name in ("one.html", "two.html"):
        assert evolgraph("judge", "sample", full.store, "-n", len(sizes), "-o", name).code == 0
        pages.append((tmp_path / name).read_text(encoding="utf-8"))
    assert pages[0] == pages[1]
    pairs = [known[pair["sample"], pair["round"], pair["qa"]] for pair in data_of(pages[0])["pairs"]]
    assert {(one["direction"], one["accepted"]) for one in pairs} == set(sizes), "one of every stratum"


def test_only_its_own_script_may_run(full: Evolved, evolgraph: Run, tmp_path: Path) -> None:
    shutil.copy(full.store, tmp_path / "x.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as db:
        hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
        db.execute("UPDATE generations SET content = json_set(content, '$.question', ?)", (hostile,))
        db.commit()
    assert evolgraph("judge", "sample", "x.db", "-o", "sheet.html").code == 0
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert data_of(page)["pairs"][0]["child"]["question"] == hostile
    assert "<img" not in page
    _, script = re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def labelled(path: Path, run: str, labels: dict[tuple[str, int, str], tuple[bool, list[str]]]) -> Path:
    rows = [
        {"run": run, "sample": sample, "round": number, "qa": qa, "accept": accept, "reasons": reasons}
        for (sample, number, qa), (accept, reasons) in labels.items()
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def agreeing(store: Path) -> dict[tuple[str, int, str], tuple[bool, list[str]]]:
    """Labels of somebody who thinks as the judge does."""
    return {
        key: (bool(one["accepted"]), [flag for flag in FLAGS if one[flag] == 0]) for key, one in verdicts(store).items()
    }


def test_one_who_thinks_as_the_judge_agrees_wholly(full: Evolved, evolgraph: Run, tmp_path: Path) -> None:
    path = labelled(tmp_path / "labels.jsonl", full.summary.run, agreeing(full.store))
    said = evolgraph("judge", "calibrate", full.store, "--labels", path, "--json")
    assert said.code == 0, said.err
    assert said.json["labelled"] == said.json["of_pairs"] == full.summary.accepted + full.summary.rejected
    assert said.json["loop"]["kappa"]["value"] == pytest.approx(1)
    assert said.json["judge"]["agreement"] == {"value": 1, "low": 1, "high": 1}
    assert said.json["reasons"]["improved"]["recall"]["value"] == 1
    shown = evolgraph("judge", "calibrate", full.store, "--labels", path)
    assert "screen and judge" in shown.out
    assert re.search(r"pairs .* agreement .* kappa .* precision .* recall", shown.out), "every column is named"


def test_kappa_and_the_reasons_are_as_by_hand(full: Evolved, tmp_path: Path) -> None:
    labels = agreeing(full.store)
    accepted = [key for key, (accept, _) in labels.items() if accept]
    labels |= {key: (False, ["correct"]) for key in accepted[:4]}
    found = calibration(full.store, labelled(tmp_path / "labels.jsonl", full.summary.run, labels))
    total, both = len(labels), len(accepted) - 4
    observed = (total - 4) / total
    chance = (len(accepted) * both + (total - len(accepted)) * (total - both)) / total**2
    assert found["loop"]["agreement"]["value"] == pytest.approx(observed)
    assert found["loop"]["kappa"]["value"] == pytest.approx((observed - chance) / (1 - chance))
    assert found["loop"]["precision"]["value"] == pytest.approx(both / len(accepted))
    assert (found["reasons"]["correct"]["people"], found["reasons"]["correct"]["both"]) == (4, 0)
    assert found["reasons"]["correct"]["recall"]["value"] == 0


def test_a_stratum_of_which_few_are_labelled_counts_for_all_of_it(full: Evolved, tmp_path: Path) -> None:
    """Without weights the accepted pairs, of which one alone is labelled, would hardly count."""
    known, labels = verdicts(full.store), agreeing(full.store)
    rejected = {key: (True, []) for key, (accept, _) in labels.items() if not accept}
    one_each = {known[key]["direction"]: key for key, (accept, _) in labels.items() if accept}
    few = rejected | {key: labels[key] for key in one_each.values()}
    found = calibration(full.store, labelled(tmp_path / "labels.jsonl", full.summary.run, few))
    assert found["loop"]["agreement"]["value"] == pytest.approx(full.summary.accepted / len(known))


def test_labels_that_cannot_be_used_are_refused(full: Evolved, evolgraph: Run, tmp_path: Path) -> None:
    def refused(text: str) -> str:
        (tmp_path / "labels.jsonl").write_text(text)
        return evolgraph("judge", "calibrate", full.store, "--labels", "labels.jsonl").line

    good = {"run": full.summary.run, "sample": "coins", "round": 1, "qa": "q1", "accept": False, "reasons": []}
    assert "labels.jsonl: no label" in refused("\n")
    assert "labels.jsonl:2: not a label" in refused("\n{")
    assert "labels.jsonl:1: not a label" in refused('{"run": 1}')
    assert "run other" in refused(json.dumps(good | {"run": "other"}))
    assert "'ugly'" in refused(json.dumps(good | {"reasons": ["ugly"]}))
    assert "no pair q99" in refused(json.dumps(good | {"qa": "q99"}))
    (tmp_path / "labels.jsonl").unlink()
    assert "cannot be read" in evolgraph("judge", "calibrate", full.store, "--labels", "labels.jsonl").line


@pytest.mark.browser
def test_pairs_are_labelled_with_keys_and_saved(full: Evolved, page: str, evolgraph: Run, tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="NO BROWSER TEST RAN: there is no Playwright")
    where = chromium()
    if where is None:
        pytest.skip("NO BROWSER TEST RAN: there is no Chromium; install the package chromium")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=where, args=["--no-sandbox", "--disable-gpu"])
        sheet = browser.new_page()
        said: list[str] = []
        sheet.on("console", lambda message: said.append(message.text))
        sheet.on("pageerror", lambda error: said.append(str(error)))
        sheet.goto((tmp_path / "sheet.html").as_uri())
        for key in ("a", "r", "2", "ArrowRight", "1", "5"):
            sheet.keyboard.press(key)
        sheet.reload()
        assert sheet.text_content("#done") == "3 labelled"
        with sheet.expect_download() as saved:
            sheet.click("#save")
        saved.value.save_as(tmp_path / "labels.jsonl")
        browser.close()
    assert said == []
    rows = [json.loads(row) for row in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert [row["reasons"] for row in rows] == [[], ["correct"], ["grounded", "improved"]]
    found = evolgraph("judge", "calibrate", full.store, "--labels", "labels.jsonl", "--json")
    assert found.json["labelled"] == 3
