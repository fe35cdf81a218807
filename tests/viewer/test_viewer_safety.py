"""What a store holds is foreign text, and who asks may be a foreign page."""

import asyncio
from pathlib import Path

import pytest
from evolgraph.store.store import Store

from .conftest import HOSTILE, RUN, TEXT, Site, ended, serving

FIRST = f"first{TEXT}"
PAGES = [
    ("overview", {}),
    ("samples", {}),
    ("samples", {"text": TEXT, "code": TEXT}),
    ("sample", {"id": FIRST}),
    ("lineage", {"id": FIRST}),
    ("errors", {}),
    ("policy", {}),
]
LINKS = ("href", "src", "action", "formaction", "data", "poster", "xlink:href", "srcset")


@pytest.mark.parametrize(("name", "query"), PAGES)
async def test_hostile_text_is_text(hostile: Site, name: str, query: dict[str, str]) -> None:
    page = await hostile.page(name, **query)
    assert page.all("script") == [{"src": "/static/app.js", "defer": None}]
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "base", "b:x", "textarea")
        for attribute, value in attributes.items():
            assert not attribute.startswith("on"), (tag, attribute)
            assert attribute != "style"
            if attribute in LINKS:
                assert (value or "").startswith(("/", "#")), (tag, attribute, value)
                assert not (value or "").startswith("//")


@pytest.mark.parametrize(("name", "query"), [PAGES[3], PAGES[5]])
async def test_hostile_text_is_shown_as_it_is(hostile: Site, name: str, query: dict[str, str]) -> None:
    shown = (await hostile.page(name, **query)).text
    for text in HOSTILE:
        assert text in shown


async def test_every_answer_is_kept_from_running_anything(site: Site) -> None:
    for path in ("", f"runs/{RUN}/overview", f"runs/{RUN}/overview.json", "static/app.js", "nowhere", "images/x/y"):
        answer, _ = await site.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "[::1]:{port}"]
)
async def test_a_foreign_host_is_refused(site: Site, host: str) -> None:
    port = site.url.rsplit(":", 1)[1].strip("/")
    answer, body = await site.get(f"runs/{RUN}/overview", headers={"Host": host.format(port=port)})
    assert answer.status in (400, 403)
    assert b"samples settled" not in body


async def raw(site: Site, text: str) -> bytes:
    port = int(site.url.rsplit(":", 1)[1].strip("/"))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text.replace("PORT", str(port)).encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


async def test_two_hosts_are_one_too_many(site: Site) -> None:
    head = f"GET /runs/{RUN}/overview HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n"
    answer = await raw(site, f"{head}Host: evil.example\r\nConnection: close\r\n\r\n")
    assert answer.split()[1] == b"400"
    assert b"samples settled" in await raw(site, f"{head}Connection: close\r\n\r\n")


async def test_a_foreign_origin_is_refused(site: Site) -> None:
    answer, _ = await site.get(f"runs/{RUN}/overview.json", headers={"Origin": "http://evil.example"})
    assert answer.status == 403
    answer, _ = await site.get(f"runs/{RUN}/overview.json", headers={"Origin": site.url.rstrip("/")})
    assert answer.status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_can_be_changed(site: Site, method: str) -> None:
    answer, _ = await site.get(f"runs/{RUN}/overview", method)
    assert answer.status == 405


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("sort=id;drop", "no such order"),
        ("sort=position%20DESC--", "no such order"),
        ("round=1%20or%201", "not a number"),
        ("round=nan", "not a number"),
        ("score_from=nan", "not a number"),
        ("page=0", "no such page"),
        ("page=1e3", "not a number"),
        ("page=99999999999999999999", "not a number"),
        ("verdict=1", "accepted or rejected"),
        ("nothing=1", "no such filter"),
        ("status=a&status=b", "asked for twice"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(site: Site, query: str, told: str) -> None:
    for name in ("samples", "samples.json"):
        answer, body = await site.get(f"runs/{RUN}/{name}?{query}")
        assert answer.status == 400
        assert told in body.decode()


async def test_filters_are_values_never_sql(site: Site) -> None:
    for name in ("status", "code", "direction", "agent", "endpoint", "error", "text"):
        assert (await site.json("samples", **{name: "' OR 1=1 --"}))["count"] == 0


async def test_what_is_not_there_looks_the_same_whatever_lies_on_the_disk(site: Site) -> None:
    bodies = set()
    for path in (
        "static/..%2f..%2fpages.py",
        "static/..%2f..%2fnothing.py",
        "static/base.html",
        f"images/{'0' * 64}/full",
        f"images/{'0' * 64}/..%2fthumb",
        "images/..%2f..%2frun.db/full",
        "run.db",
        "runs/other/overview",
        f"runs/{RUN}/sample?id=nobody",
        f"runs/{RUN}/sample?id=..%2f..%2frun.db",
        f"runs/{RUN}/lineage?id=nobody",
    ):
        answer, body = await site.get(path)
        assert answer.status == 404, path
        bodies.add(body.replace(b"there is no such page", b"Not Found"))
    assert len(bodies) == 1


async def test_a_text_of_a_megabyte_is_shown(tmp_path: Path, hostile: Site) -> None:
    long = "<script>" + "word " * 200_000
    async with Store.open(tmp_path / "run.db") as store:
        rows = ended("third", "exhausted", 1)
        rows["generations"][0]["content"]["question"] = long
        await store.writer.insert(rows)
    page = await hostile.page("sample", id="third")
    assert long in page.text
    assert len(page.all("script")) == 1


async def test_an_image_that_changed_or_is_gone_is_not_served(site: Site, tmp_path: Path) -> None:
    digest = (await site.json("sample", id="first"))["images"][0]["sha256"]
    (tmp_path / "table.png").write_bytes(b"<svg onload=alert(1)>")
    answer, _ = await site.get(f"images/{digest}/full")
    assert answer.status == 404
    (tmp_path / "table.png").unlink()
    answer, _ = await site.get(f"images/{digest}/thumb")
    assert answer.status == 404


async def test_the_store_is_only_read(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "new.db"):
        pass
    before = (tmp_path / "new.db").read_bytes()
    async for site in serving(tmp_path / "new.db"):
        await site.get("")
        await site.get("index.json")
    assert (tmp_path / "new.db").read_bytes() == before
