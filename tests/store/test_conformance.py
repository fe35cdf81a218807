import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from evolgraph.store.checkpoints import Saver
from evolgraph.store.store import Store
from langgraph.checkpoint.conformance import checkpointer_test, validate


@checkpointer_test(name="evolgraph")
async def saver() -> AsyncIterator[Saver]:
    with tempfile.TemporaryDirectory() as folder:
        async with Store.open(Path(folder) / "run.db") as store:
            yield Saver(store, keep="all")


async def test_the_saver_has_all_base_capabilities() -> None:
    report = await validate(saver)
    failures = [failure for result in report.results.values() for failure in result.failures or ()]
    assert failures == []
    assert report.passed_all_base()
