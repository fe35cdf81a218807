"""The report of a run: its figures are those of the run, and its page is safe, whole and offline."""

import base64
import contextlib
import io
import json
import re
import shutil
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from evolgraph.store.lineage import Generation, Lineage, Verdict
from evolgraph.viewer.charts import Plot, Ranks, ticks
from evolgraph.viewer.tally import lines
from PIL import Image as Pillow

from ..browser.conftest import chromium
from ..cli.conftest import Run
from ..conftest import SEEDS
from ..page import Page
from .conftest import Evolved

DATA = Path(__file__).parents[1] / "data"
IMAGES = SEEDS.parent


@pytest.fixture
def told(full: Evolved, evolgraph: Run) -> Any:
    said = evolgraph("report", full.store, "--json")
    assert said.code == 0, said.err
    return said.json


def test_seeds_without_labels_are_not_told_to_have_none_of_what_labels_tell(evolgraph: Run, tmp_path: Path) -> None:
    shutil.copy(DATA / "desk.png", tmp_path)
    row = json.loads((DATA / "llava.json").read_text())[0] | {"image": "desk.png"}
    (tmp_path / "seeds.json").write_text(json.dumps([row]))
    assert evolgraph("evolve", "seeds.json", "--rounds", "1").code == 0
    assert evolgraph("report", "seeds.db", "-o", "report.html").code == 0
    page = (tmp_path / "report.html").read_text()
    assert "the seeds do not say theirs" in page
    assert "they count as open questions" in page
    assert "the seeds do not say what theirs are about" in page
    assert "ten commonest" not in page
    told = evolgraph("report", "seeds.db", "--json").json["rounds"][0]
    assert (told["questions"] > 0, told["skills"], told["steps"], told["objects"]) == (True, None, None, None)
    assert evolgraph("export", "seeds.db", "--format", "llava", "-o", "out.json").code == 0
    assert "| skills a question | - |" in (tmp_path / "out.json.README.md").read_text()
    words = ("export", "seeds.db", "--rounds", "0", "--duplicates", "keep", "--format", "llava", "-o", "seeds.out.json")
    assert evolgraph(*words).code == 0
    card = (tmp_path / "seeds.out.json.README.md").read_text()
    assert "| open | - | - |" in card and "| seed | 100.0% |" in card


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_the_means_are_those_of_the_questions(full: Evolved, told: Any) -> None:
    heads = [qa for outcome in full.outcomes.values() for qa in outcome.qas]
    seeds, *_, last = told["rounds"]
    assert [row["round"] for row in told["rounds"]] == [0, 1, 2]
    assert seeds["questions"] == last["questions"] == len(heads)
    assert last["skills"] == pytest.approx(mean([len(qa.skills) for qa in heads]))
    assert last["steps"] == pytest.approx(mean([len(qa.steps) for qa in heads]))
    sizes = {name: len(outcome.qas) for name, outcome in full.outcomes.items()}
    after = sum((outcome.complexity_after or 0) * sizes[name] for name, outcome in full.outcomes.items())
    assert last["complexity"] == pytest.approx(after / len(heads))
    before = sum((outcome.complexity_before or 0) * sizes[name] for name, outcome in full.outcomes.items())
    assert seeds["complexity"] == pytest.approx(before / len(heads))


def test_the_pairs_are_those_of_the_run(full: Evolved, told: Any) -> None:
    cells = {(one["round"], one["direction"]): one for one in told["acceptance"]}
    everything = cells[0, ""]
    assert (everything["accepted"], everything["rejected"]) == (full.summary.accepted, full.summary.rejected)
    assert everything["rate"] == full.summary.accepted / (full.summary.accepted + full.summary.rejected)
    for number in (0, 1, 2):
        parts = [one for (of, direction), one in cells.items() if of == number and direction]
        assert sum(one["accepted"] for one in parts) == cells[number, ""]["accepted"]
    assert sum(one["pairs"] for one in told["reasons"] if one["end"] == "rejected") == full.summary.rejected
    assert all(one["example"] for one in told["reasons"])
    assert sum(row["accepted"]["questions"] for row in told["rounds"][1:]) == full.summary.accepted


def test_forms_and_objects_are_counted_by_question(full: Evolved, told: Any) -> None:
    heads = [qa for outcome in full.outcomes.values() for qa in outcome.qas]
    forms = {one["form"]: one["after"] for one in told["forms"] if one["after"]}
    assert forms == Counter(qa.form for qa in heads)
    assert len(told["forms"]) == 18, "those that are not in use are listed as well"
    objects = {one["object"]: one["after"] for one in told["objects"]["ranked"] if one["after"]}
    assert objects == Counter(name for qa in heads for name in {word.lower() for word in qa.objects})
    assert told["objects"]["distinct_after"] == len(objects)


def test_an_accepted_pair_has_its_price(full: Evolved, evolgraph: Run) -> None:
    said = evolgraph("report", full.store, "--json", "--price-in", 2, "--price-out", 10).json["cost"]
    prompt, completion = full.summary.prompt_tokens, full.summary.completion_tokens
    assert (said["calls"], said["prompt_tokens"], said["completion_tokens"]) == (full.summary.calls, prompt, completion)
    assert prompt and completion
    assert said["tokens_per_accepted"] == (prompt + completion) / full.summary.accepted
    assert said["money"] == pytest.approx((2 * prompt + 10 * completion) / 1e6)


def test_the_page_is_whole_and_offline(full: Evolved, evolgraph: Run, tmp_path: Path, told: Any) -> None:
    said = evolgraph("report", full.store, "--images", IMAGES, "-o", "report.html", "--examples", 3)
    assert (said.code, said.out) == (0, "")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert "default-src 'none'" in html
    assert not page.all("script")
    assert not page.all("link")
    links = [value for _, attributes in page.elements for name, value in attributes.items() if name in ("href", "src")]
    assert len(links) == 3
    for link in links:
        kind, _, data = (link or "").partition(",")
        assert kind == "data:image/jpeg;base64"
        with Pillow.open(io.BytesIO(base64.b64decode(data))) as picture:
            assert max(picture.size) <= 560
            assert not picture.getexif()
    assert "url(" not in html
    assert f"{told['rounds'][-1]['complexity']:.2f}" in page.text
    assert "4.98 / 5.64 / 6.22 / 6.56" in page.text
    assert "1.03 → 1.71" in page.text


def changed(store: Path, copy: Path, statements: str) -> Path:
    """A copy of a store with some rows changed."""
    shutil.copy(store, copy)
    with contextlib.closing(sqlite3.connect(copy)) as db:
        db.executescript(statements)
    return copy


def test_what_stands_in_a_store_cannot_become_markup(full: Evolved, tmp_path: Path, evolgraph: Run) -> None:
    hostile = '<script>alert(1)</script>"><img src=x onerror=alert(1)>{{7*7}}</style>'
    texts = ", ".join(f"'$.{name}', '{hostile}'" for name in ("question", "answer", "form"))
    lists = ", ".join(f"'$.{name}', json_array('{hostile}')" for name in ("objects", "skills"))
    steps = f"'$.steps', json_array(json_object('description', '{hostile}', 'manipulation', null))"
    changes = f"""
        UPDATE generations SET content = json_set(content, {texts}, {lists}, {steps});
        UPDATE verdicts SET reason = '{hostile}', direction = '{hostile}';
        UPDATE verdicts SET code = '{hostile}' WHERE NOT accepted;
        UPDATE runs SET fingerprint = json_set(fingerprint, '$.policy', '{hostile}');
    """
    store = changed(full.store, tmp_path / "x.db", changes)
    assert evolgraph("report", store, "--images", IMAGES, "-o", "report.html").code == 0
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.text.count(hostile) > 10
    assert not page.all("script")
    assert not page.all("img")
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_an_image_that_is_gone_is_told(full: Evolved, evolgraph: Run, tmp_path: Path) -> None:
    assert evolgraph("report", full.store, "--images", tmp_path, "-o", "report.html").code == 0
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "give its folder with --images" in page.text
    assert not page.all("image")


def test_a_run_without_a_settled_sample_has_a_report(full: Evolved, tmp_path: Path, evolgraph: Run) -> None:
    store = changed(full.store, tmp_path / "x.db", "DELETE FROM settled; DELETE FROM decisions")
    said = evolgraph("report", store, "-o", "report.html", "--json")
    assert said.code == 0, said.err
    assert said.json["cost"]["tokens_per_accepted"] is None
    assert "No pair has been judged yet" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text


def test_refusals_are_one_line(full: Evolved, evolgraph: Run, tmp_path: Path) -> None:
    assert "no such store" in evolgraph("report", "none.db", "--json").line
    assert "-o FILE" in evolgraph("report", full.store).line
    assert "folder that exists" in evolgraph("report", full.store, "-o", "nowhere/report.html").line


def verdict(number: int, take: int, **changes: Any) -> Verdict:
    values = {"sample": "s", "round": number, "qa": "q", "take": take, "direction": "reasoning", "stage": "judge",
              "code": "", "reason": "", "score_before": 3, "score_after": 5, "accepted": True, "grounded": True,
              "correct": True, "answerable": True, "needs_image": True, "improved": True}  # fmt: skip
    return Verdict(**(values | changes))


def generation(number: int, take: int, outcome: str, question: str) -> Generation:
    return Generation("s", number, "q", take, outcome, "reasoning", 0, 5.0, {"question": question})


def test_of_several_takes_of_a_round_the_last_one_counts() -> None:
    failed = verdict(1, 0, stage="agent", accepted=False, score_after=None, score_before=None)
    lineage = Lineage(
        verdicts=[failed, verdict(1, 1)],
        generations=[
            generation(0, 0, "seed", "seed"),
            generation(1, 0, "rejected", "old"),
            generation(1, 1, "accepted", "new"),
        ],
    )
    (line,) = lines(lineage)
    assert [one.end for one in line.verdicts] == ["accepted"]
    assert failed.end == "lost"
    assert (line.head(0)[0]["question"], line.head(1)[0]["question"]) == ("seed", "new")
    assert line.seed_complexity == 3.0


def test_charts_are_to_scale() -> None:
    plot = Plot(300, 100, 4, 0.0, 10.0)
    assert [plot.x(0), plot.x(3), plot.y(0), plot.y(10), plot.y(5)] == [0, 300, 100, 0, 50]
    assert plot.path([0.0, None, 10.0, 5.0]) == "M0.0 100.0 M200.0 0.0 L300.0 50.0"
    assert ticks(4.7, 6.9) == [5.0, 5.5, 6.0, 6.5]
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    ranks = Ranks(200, 100, 100, 10)
    assert [ranks.x(1), ranks.x(10), ranks.x(100), ranks.y(10), ranks.y(1)] == [0, 100, 200, 0, 100]
    assert ranks.powers(1500) == [1, 10, 100, 1000]


@pytest.mark.browser
def test_a_browser_opens_it_without_a_complaint(full: Evolved, evolgraph: Run, tmp_path: Path) -> None:
    browser = chromium()
    if browser is None:
        pytest.skip("NO BROWSER TEST RAN: there is no Chromium; install the package chromium")
    evolgraph("report", full.store, "--images", IMAGES, "-o", "report.html")
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=1200,900"]
    shot = tmp_path / "shot.png"
    done = subprocess.run(
        [browser, *words, f"--screenshot={shot}", (tmp_path / "report.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert not re.findall(r".*CONSOLE.*", done.stderr)
    with Pillow.open(shot) as picture:
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 100, "the page is not blank"
