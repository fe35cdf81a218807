"""Evolves the ten example seeds from a script, prints each sample as it settles, and then one sample's trace.

    uv run python examples/evolve_from_a_script.py

Without endpoints the embedded model answers. For a server of your own, see the commented line.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from evolgraph.graph import Settings, evolve
from evolgraph.store.connections import reading
from evolgraph.store.traces import trace

SEEDS = Path(__file__).parent / "seeds" / "seeds.json"


async def main(store: Path) -> None:
    """Runs one evolution that is kept in `store`."""
    settings = Settings(rounds=2, policy="uniform", seed=1)
    # endpoints = [Endpoint(url="http://127.0.0.1:8000/v1", model="Qwen/Qwen2.5-VL-72B-Instruct")]
    async with evolve(SEEDS, store=store, settings=settings) as run:
        async for sample in run:
            before, after = sample.complexity_before or 0, sample.complexity_after or 0
            print(f"{sample.id:12} {sample.status:9} {before:.1f} -> {after:.1f}  {sample.qas[0].question}")
        summary = await run.summary()
    print(f"\n{summary.accepted} pairs accepted, {summary.rejected} rejected, {summary.calls} calls\n")

    with reading(store) as db:
        found = trace(db, summary.run, "rainfall")
    assert found
    for span in found.spans:
        spent = (span.ended_ns - span.started_ns) / 1e6
        print(f"{span.round}  {span.kind:7} {span.name:12} {spent:7.1f} ms  {span.status}")
    for verdict in found.lineage.verdicts:
        print(f"{verdict.round}  {verdict.qa}  {'accepted' if verdict.accepted else verdict.code}: {verdict.reason}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(main(Path(sys.argv[1])))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(main(Path(folder) / "run.db"))
