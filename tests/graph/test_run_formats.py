"""Seeds with several images, and with images inside their file, go through the whole loop; bad rows are on record."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
from evolgraph.graph import Outcome, Settings, evolve
from pyarrow import parquet

EXAMPLES = Path(__file__).parents[2] / "examples" / "seeds" / "images"


def talk(question: str, answer: str, images: int = 1) -> list[dict[str, str]]:
    return [{"from": "human", "value": "<image>" * images + question}, {"from": "gpt", "value": answer}]


async def test_several_images_inside_a_table(tmp_path: Path) -> None:
    coins, coffee = ((EXAMPLES / name).read_bytes() for name in ("coins.jpg", "coffee.jpg"))
    rows: list[dict[str, Any]] = [
        {"id": "two", "images": [coins, coffee], "conversations": talk("Which image is brighter?", "The second.", 2)},
        {"id": "again", "images": [coffee], "conversations": talk("What stands there?", "A cup.")},
        {"id": "bad", "images": [coffee[:900]], "conversations": talk("What stands there?", "A cup.")},
        {"id": "more", "images": [coffee], "conversations": talk("Which image?", "None.", 2)},
    ]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "seeds.parquet")
    store = tmp_path / "run.db"

    async def start(rounds: int) -> tuple[dict[str, Outcome], Any]:
        settings = Settings(rounds=rounds, seed=1, policy="cycle", extend=True)
        async with evolve(tmp_path / "seeds.parquet", store=store, settings=settings) as run:
            return {outcome.id: outcome async for outcome in run}, await run.summary()

    outcomes, summary = await start(rounds=1)
    assert (summary.samples, summary.quarantined, summary.failed, summary.pending) == (2, 2, 0, 0)
    assert {name: outcome.rounds for name, outcome in outcomes.items()} == {"two": 1, "again": 1}
    kept = sorted((tmp_path / "run.db.images").iterdir())
    assert sorted(file.read_bytes() for file in kept) == sorted([coins, coffee])
    shutil.rmtree(tmp_path / "run.db.images")
    outcomes, summary = await start(rounds=3)
    assert (summary.samples, summary.failed, outcomes["two"].rounds) == (2, 0, 3)
    assert summary.accepted > 0
    assert len(list((tmp_path / "run.db.images").iterdir())) == 2
    assert coffee[:64] not in store.read_bytes()


async def test_bad_rows_are_listed_beside_the_results(tmp_path: Path) -> None:
    from evolgraph.graph.results import write_quarantine

    shutil.copy(EXAMPLES / "coins.jpg", tmp_path)
    good = {"id": "good", "image": "coins.jpg", "conversations": talk("What is it?", "Coins.")}
    (tmp_path / "seeds.jsonl").write_text(
        "\n".join([json.dumps(good), "{", json.dumps(good | {"id": "x", "image": "x.jpg"})])
    )
    async with evolve(tmp_path / "seeds.jsonl", store=tmp_path / "run.db", settings=Settings(rounds=1)) as run:
        _ = [outcome async for outcome in run]
        summary = await run.summary()
    assert (summary.samples, summary.quarantined) == (1, 2)
    assert write_quarantine(tmp_path / "run.db", run.run.id, tmp_path / "quarantine.jsonl") == 2
    told = [json.loads(line) for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
    assert "seeds.jsonl:2" in str(told[0])
    assert "not valid JSON" in str(told[0])
    assert "missing image" in str(told[1])
