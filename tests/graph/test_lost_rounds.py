"""Rounds that nobody ruled on: how a run counts them, and what it knows of their cost."""

from pathlib import Path

from aiohttp import web
from evolgraph.graph import Settings, evolve
from evolgraph.graph.looking import look_at
from evolgraph.graph.metrics import registry_of
from evolgraph.graph.outcome import Summary
from evolgraph.store.connections import reading
from evolgraph.store.listing import listed
from evolgraph.store.traces import loss_reasons, rejection_reasons

from ..toy import Model, completion, seeds


async def evolved_by(model: Model, folder: Path) -> tuple[Summary, float]:
    """The summary, and the rejected pairs as a metric tells them."""
    await model.serve()
    try:
        settings = Settings(rounds=1)
        async with evolve(
            seeds(folder), store=folder / "run.db", images=folder, endpoints=[model.endpoint], settings=settings
        ) as run:
            async for _ in run:
                pass
            summary = await run.summary()
            shown = [
                sample.value
                for metric in registry_of(lambda: look_at(run)).collect()
                for sample in metric.samples
                if sample.name == "evolgraph_pairs_total" and sample.labels["outcome"] == "rejected"
            ]
            return summary, sum(shown)
    finally:
        await model.runner.cleanup()


class Refusing(Model):
    async def chat(self, request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "no"}}, status=400)


async def test_pairs_whose_call_failed_are_lost_not_rejected_and_cost_nobody_knows_what(tmp_path: Path) -> None:
    summary, shown = await evolved_by(Refusing(), tmp_path)
    assert (summary.failed, summary.accepted, summary.rejected, summary.lost) == (6, 0, 0, 12)
    assert shown == 0
    assert (summary.prompt_tokens, summary.completion_tokens) == (None, None)
    with reading(tmp_path / "run.db") as db:
        assert rejection_reasons(db, summary.run) == []
        assert [row[:2] for row in loss_reasons(db, summary.run)] == [("bad-request", 12)]
        assert sum(line.lost for line in listed(db, summary.run, limit=-1).samples) == 12


class SilentJudge(Model):
    async def chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["response_format"]["json_schema"]["name"] == "judge":
            return web.json_response(completion("I would rather not.", 7))
        return await super().chat(request)


async def test_pairs_without_a_verdict_are_lost_too(tmp_path: Path) -> None:
    summary, shown = await evolved_by(SilentJudge(), tmp_path)
    assert summary.accepted == 0 and summary.lost > 0
    assert summary.rejected == shown, "what the screen refused is ruled on"
    assert summary.lost + summary.rejected == 12
    assert summary.prompt_tokens
