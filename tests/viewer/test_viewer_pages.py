"""What the pages show, and that each has a twin in JSON."""

import io
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from evolgraph.cli.showing import show
from evolgraph.store.ledger import Ledger
from evolgraph.store.store import Store
from PIL import Image as Picture

from .conftest import RUN, Site, begun, call, ended, fill, picture, serving


async def test_the_address_leads_to_the_one_run(site: Site) -> None:
    answer, _ = await site.get("")
    assert (answer.status, answer.headers["Location"]) == (302, f"/runs/{RUN}/overview")


async def test_an_empty_store_says_how_to_fill_it(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "new.db"):
        pass
    async for site in serving(tmp_path / "new.db"):
        answer, body = await site.get("")
        assert answer.status == 200
        assert b"evolgraph evolve SEEDS --store new.db" in body


async def test_a_pause_between_two_starts_does_not_slow_the_mean(tmp_path: Path) -> None:
    await fill(tmp_path / "run.db")
    async with Store.open(tmp_path / "run.db") as store:
        await Ledger(store, RUN).record(call("third", 1000, "judge"))
    async for site in serving(tmp_path / "run.db"):
        told = (await site.json("overview"))["throughput"]
        assert sum(told["calls"]) == 6
        assert told["mean_calls_s"] == 6 / (2 * told["step_s"]), "calls ended in two stretches of many"


async def test_the_overview_counts_what_happened(site: Site) -> None:
    page, twin = await site.page("overview"), await site.json("overview")
    assert "2 of 3 samples settled" in " ".join(page.text.split())
    counts = {one["status"]: one["count"] for one in twin["statuses"]}
    assert counts == {"reached": 0, "exhausted": 1, "stalled": 0, "failed": 1, "pending": 1}
    assert twin["acceptance"]["rounds"] == [1, 2]
    by_direction = {row["direction"]: [cell["rate"] for cell in row["cells"]] for row in twin["acceptance"]["rows"]}
    assert by_direction == {"perception": [0.0, None, 0.0], "reasoning": [None, 1.0, 1.0]}
    assert twin["codes"] == [{"code": "not-correct", "count": 1, "share": 1.0}]
    assert twin["calls"]["errors"] == [{"kind": "timeout", "count": 1, "share": 1.0}]
    assert (twin["calls"]["count"], sum(twin["throughput"]["calls"])) == (5, 5)
    assert twin["cost"] == pytest.approx((5 * 100 + 2 * 5 * 20) / 1e6)


async def test_the_grid_shows_filters_and_sorts(site: Site) -> None:
    assert [row["sample"] for row in (await site.json("samples"))["samples"]] == ["first", "second", "third"]
    rejected = await site.json("samples", verdict="rejected")
    assert [row["sample"] for row in rejected["samples"]] == ["first"]
    assert rejected["samples"][0]["directions"] == ["perception", "reasoning"]
    for query, names in [
        ({"status": "pending"}, ["third"]),
        ({"code": "not-correct"}, ["first"]),
        ({"error": "timeout"}, ["second"]),
        ({"agent": "judge"}, ["first", "second"]),
        ({"direction": "reasoning", "round": "2"}, ["first"]),
        ({"direction": "reasoning", "round": "1"}, []),
        ({"score_from": "4.5"}, ["first", "second"]),
        ({"score_to": "4.5"}, []),
        ({"tokens_from": "230"}, ["first", "second"]),
        ({"text": "SECO"}, ["second"]),
        ({"sort": "-calls"}, ["first", "second", "third"]),
        ({"sort": "-position"}, ["third", "second", "first"]),
    ]:
        assert [row["sample"] for row in (await site.json("samples", **query))["samples"]] == names, query
    page = await site.page("samples", verdict="rejected")
    assert {"href": f"/runs/{RUN}/sample?id=first&verdict=rejected", "class": "t"} in page.all("a")


async def test_a_pending_samples_line_is_up_to_date(site: Site) -> None:
    (third,) = (await site.json("samples", status="pending"))["samples"]
    assert (third["calls"], third["agents"]) == (1, ["perception"])


async def test_a_sample_shows_its_rounds_boxes_changes_and_messages(site: Site) -> None:
    page, twin = await site.page("sample", id="first"), await site.json("sample", id="first")
    assert [(one["direction"], one["accepted"], one["rejected"]) for one in twin["rounds"]] == [
        ("perception", 0, 1),
        ("reasoning", 1, 0),
    ]
    odds = twin["rounds"][0]["odds"]
    assert [(one["probability"], one["chosen"]) for one in odds] == [(0.25, True), (0.75, False)]
    (pair,) = twin["rounds"][1]["pairs"]
    assert "".join(piece for change in pair["child"]["question"] for piece, _ in change["pieces"]) == (
        "What colour is the cup left of the plate? "
    )
    assert [change["sign"] for change in pair["child"]["question"]] == ["=", "+", "="]
    assert len(page.all("ins")) >= 2
    assert len([one for one in page.all("g") if "box" in (one.get("class") or "")]) == 3  # two boxes, a cited place
    assert [one["data-box"] for one in page.all("span") if one.get("class") == "cite"][:2] == ["b0", "c2"]
    assert len(page.all("pre")) == 2 * 3  # two calls, each with system, user and reply
    assert twin["next"] is not None
    assert twin["previous"] is None


async def test_a_pair_shows_where_a_model_looked_and_how_the_judges_voted(site: Site, tmp_path: Path) -> None:
    found = [
        {"step": 1, "found": "that box is cup", "agrees": True},
        {
            "step": 2,
            "found": "a model reads '7'",
            "agrees": False,
            "by": "model",
            "seen": [0.1, 0.2, 0.3, 0.6],
            "image": 0,
        },
    ]
    votes = {"correct": [True, False, True], "score_after": [5, 4, 6], "disagree": ["correct"]}
    spans = [
        {"run": RUN, "sample": "first", "round": 2, "id": f"2/{name}", "name": name, "kind": "judge", "started_ns": 1,
         "ended_ns": 2, "status": "ok", "attributes": attributes}
        for name, attributes in (("evidence", {"evidence": {"q1": found}}), ("judge", {"panel": {"q1": votes}}))
    ]  # fmt: skip
    async with Store.open(tmp_path / "run.db") as store:
        await store.writer.insert({"spans": spans})
    page = await site.page("sample", id="first")
    (cut,) = [one for one in page.all("svg") if one.get("aria-label") == "what was looked at"]
    assert cut["viewbox"] == "6.4 9.6 12.8 19.2", "the box on the image, in its pixels"
    (twin,) = (await site.json("sample", id="first"))["rounds"][1]["pairs"]
    assert twin["evidence"] == found and twin["votes"] == votes
    told = CliRunner().invoke(show, [str(tmp_path / "run.db"), "first"])
    assert "evidence, step 2, does not agree: a model reads '7'" in told.output
    assert "the judges disagree, correct: yes, no, yes" in told.output and "their scores: 5, 4, 6" in told.output


async def test_neighbours_are_those_of_the_filter(site: Site) -> None:
    twin = await site.json("sample", id="first", agent="judge")
    assert twin["next"] == "second"
    assert (await site.json("sample", id="second", agent="judge"))["next"] is None


async def test_the_lineage_draws_every_version(site: Site) -> None:
    twin = await site.json("lineage", id="first")
    assert [(node["round"], node["outcome"]) for node in twin["nodes"]] == [
        (0, "seed"),
        (1, "rejected"),
        (2, "accepted"),
    ]
    assert len(twin["edges"]) == 2
    assert len((await site.page("lineage", id="first")).all("circle")) == 3 + 3  # and the mark's


async def test_errors_and_policy_have_their_pages(site: Site) -> None:
    errors = await site.json("errors")
    assert [(one["kind"], one["count"]) for one in errors["kinds"]] == [("timeout", 1)]
    assert errors["kinds"][0]["examples"][0]["error"] == "no answer "
    assert errors["failed"][0]["sample"] == "second"
    assert errors["quarantined"] == 1
    assert "no answer" in (await site.page("errors")).text
    policy = await site.json("policy")
    assert [(one["direction"], one["count"], one["share"]) for one in policy["directions"]] == [
        ("perception", 1, 0.5),
        ("reasoning", 1, 0.5),
    ]
    assert "+0.2000" in (await site.page("policy")).text


async def test_images_are_written_anew(site: Site) -> None:
    twin = await site.json("sample", id="first")
    digest = twin["images"][0]["sha256"]
    for size in ("thumb", "full"):
        answer, body = await site.get(f"images/{digest}/{size}")
        assert (answer.status, answer.content_type) == (200, "image/webp")
        assert b"secret" not in body
        assert Picture.open(io.BytesIO(body)).size == (64, 48)


async def test_many_samples_come_in_pages(tmp_path: Path) -> None:
    store = tmp_path / "run.db"
    await fill(store)
    image = picture(tmp_path)
    async with Store.open(store) as opened:
        many = [begun(f"s{number:04}", number, image) for number in range(3, 203)]
        for table in ("samples", "generations"):
            await opened.writer.insert({table: [row for rows in many for row in rows[table]]})
        await opened.writer.insert(ended("s0100", "reached", 0))
    async for site in serving(store):
        seen = []
        for page in range(1, 6):
            seen += [row["position"] for row in (await site.json("samples", page=page))["samples"]]
        assert seen == list(range(203))
        assert (await site.json("samples", page=6))["samples"] == []
        assert "No sample is like that" in (await site.page("samples", page=6)).text
        assert [row["sample"] for row in (await site.json("samples", status="reached"))["samples"]] == ["s0100"]
        assert (await site.json("sample", id="s0100"))["next"] == "s0101"


async def test_news_change_the_pulse(tmp_path: Path) -> None:
    store = tmp_path / "run.db"
    await fill(store, finished=False)
    async for site in serving(store):
        before = await site.json("pulse")
        assert before["live"] is True
        assert await site.json("pulse") == before
        async with Store.open(store) as opened:
            reward = {"run": RUN, "sample": "third", "round": 1, "reward": 0.1, "rewarded_ns": time.time_ns()}
            await opened.writer.insert({"rewards": [reward]})
            await opened.writer.write([("UPDATE sessions SET ended_ns = 1, outcome = 'finished'", ())])
        after = await site.json("pulse")
        assert after["live"] is False
        assert after["version"] != before["version"]
