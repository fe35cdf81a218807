"""Whether the rows of one sample agree with each other, with its settings and with its saved state."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from ..samples.sample import Sample
from .gathering import Known
from .lineage import Decision, Generation, Lineage, Reward, Settled, Verdict

Found = tuple[str, str]
"""The kind of a problem, and what is wrong."""
_CURATION: Final = "curation"
"""The agent of a sample's first questions, the only one that is asked before round 1."""
ROUTE: Final = "route"
"""The agent that calls for a decision go by: they come before it."""
_CLOSE: Final = 1e-9
_TARGET: Final = re.compile(r">= ([\d.]+)$")
_ROUNDS: Final = re.compile(r"(\d+) rounds? used$")


@dataclass(slots=True)
class _Fold:
    """The heads that follow from the first rounds, by question; `first` are their first scores."""

    heads: dict[str, dict[str, Any]]
    first: dict[str, int] = field(default_factory=dict)
    accepted: list[int] = field(default_factory=list)

    def complexities(self) -> tuple[float | None, float | None]:
        """The mean before and after, each over the questions that were judged."""
        judged = [(qa, head["complexity"]) for qa, head in self.heads.items() if head["complexity"] is not None]
        before = [self.first[qa] for qa, _ in judged if qa in self.first]
        after = [score for _, score in judged]
        return (sum(before) / len(before) if before else None), (sum(after) / len(after) if after else None)

    def survive(self, known: Known, number: int, latest: Mapping[tuple[int, str], Verdict]) -> None:
        """Where only survivors go on: leaves out what round `number` turned down, unless it turned down all."""
        passed = [qa for qa in self.heads if (one := latest.get((number, qa))) and one.accepted]
        if known.rules.get("survivors") and passed:
            self.heads = {qa: self.heads[qa] for qa in passed}

    def reaches(self, target: float) -> bool:
        """Whether every question was judged and their mean is `target` or more."""
        scores = [head["complexity"] for head in self.heads.values()]
        return bool(scores) and None not in scores and sum(scores) / len(scores) >= target - _CLOSE


def disagreements(known: Known) -> Iterator[Found]:
    """What is wrong with a sample's rows."""
    lines = known.lineage
    seeds = [one for one in lines.generations if one.outcome == "seed"]
    seed = Sample.model_validate({**known.content, "qas": [one.content for one in seeds]})
    yield from _seed(seed, known)
    for decision in lines.decisions:
        yield from _decision(decision)
    rewards = {(reward.round, reward.take): reward for reward in lines.rewards}
    for reward in rewards.values():
        fold, _ = _folded(known, reward.round - 1, reward.take)
        yield from _round(known, reward, [*fold.heads])
    yield from _unrewarded(lines, rewards)
    yield from _ends(known)
    yield from _progress(known)
    if known.state is not None:
        yield from _state(known, known.state)
    elif not known.ends:
        yield "checkpoint", "it is not settled, and there is no state to go on from"


def _seed(seed: Sample, known: Known) -> Iterator[Found]:
    """Its questions are those that were admitted with it, or, where it came with none, those of its curation."""
    curations = [span for span in known.spans if span.round == 0]
    admitted = seed.model_copy(update={"qas": ()}) if curations else seed
    if admitted.digest() != known.digest:
        yield "seeds", "the seed is not the one that was admitted (its digest differs)"
    written = next((span.digest for span in curations if span.digest), known.digest)
    if curations and seed.digest() != written:
        yield "seeds", "its first questions are not those that its curation wrote (their digest differs)"


def _decision(one: Decision) -> Iterator[Found]:
    odds = one.probabilities
    if any(not 0 <= p <= 1 for p in odds.values()) or not math.isclose(sum(odds.values()), 1, abs_tol=1e-6):
        yield "decisions", f"round {one.round}: the probabilities are not a distribution: {dict(odds)}"
    if set(odds) != set(one.eligible):
        yield "decisions", f"round {one.round}: the probabilities are not those of the eligible directions"
    if not math.isclose(odds.get(one.direction, -1), one.propensity, abs_tol=_CLOSE):
        found = odds.get(one.direction)
        yield "decisions", f"round {one.round}: the propensity is {one.propensity}, but p({one.direction}) is {found}"


def _round(known: Known, reward: Reward, questions: Sequence[str]) -> Iterator[Found]:
    """A closed round: everything that belongs to it is there, and its numbers follow from the verdicts."""
    lines, number, take = known.lineage, reward.round, reward.take
    where = f"round {number}" + (f", take {take}" if take else "")
    decision = next((one for one in lines.decisions if one.round == number), None)
    if decision is None:
        yield "decisions", f"{where}: it was closed, but never decided"
    ruled = {one.qa: one for one in lines.verdicts if (one.round, one.take) == (number, take)}
    if set(ruled) != set(questions):
        yield "verdicts", f"{where}: ruled on {', '.join(ruled) or 'nothing'}, asked were {', '.join(questions)}"
    written = {one.qa: one for one in lines.generations if (one.round, one.take) == (number, take)}
    for verdict in ruled.values():
        if decision and verdict.direction != decision.direction:
            yield "verdicts", f"{where}: {verdict.qa} went {verdict.direction}, decided was {decision.direction}"
        yield from _attempt(verdict, written.get(verdict.qa), where)
    for qa in sorted(set(written) - set(ruled)):
        yield "generations", f"{where}: {qa} was written, but never ruled on"
    yield from _reward(reward, ruled, len(questions), where)
    yield from _work(known, reward, [*ruled.values()], where)


def _attempt(verdict: Verdict, one: Generation | None, where: str) -> Iterator[Found]:
    """The version that a verdict is about: there unless nothing was written, and what the verdict says."""
    name = f"{where}: {verdict.qa}"
    tried = verdict.stage == "judge" or (verdict.stage == "screen" and verdict.code != "missing")
    if one is None:
        if tried:
            yield "generations", f"{name} was ruled on, but what was written is missing"
        return
    if not tried:
        yield "generations", f"{name} has a version, though the verdict says that none was written"
    outcome = "accepted" if verdict.accepted else "rejected"
    if one.outcome != outcome:
        yield "generations", f"{name} is {one.outcome}, but its verdict says {outcome}"
    if one.complexity != verdict.score_after:
        yield "complexity", f"{name} has complexity {one.complexity}, but its verdict says {verdict.score_after}"
    if one.direction != verdict.direction:
        yield "generations", f"{name} was written by {one.direction}, ruled on as {verdict.direction}"
    if one.content["id"] != verdict.qa:
        yield "generations", f"{name} holds the question {one.content['id']}"


def _reward(reward: Reward, ruled: Mapping[str, Verdict], questions: int, where: str) -> Iterator[Found]:
    passed = [one for one in ruled.values() if one.accepted]
    scores = [(one.score_before, one.score_after) for one in passed]
    gains = [after - before for before, after in scores if before is not None and after is not None]
    due = sum(gains) / 9 / questions if questions else 0.0
    if reward.reward is None:
        if passed:
            yield "rewards", f"{where}: the reward is unknown, though {len(passed)} were accepted"
    elif not math.isclose(reward.reward, due, abs_tol=_CLOSE):
        yield "rewards", f"{where}: the reward is {reward.reward:g}, its verdicts say {due:g}"


def _work(known: Known, reward: Reward, ruled: Sequence[Verdict], where: str) -> Iterator[Found]:
    """The spans of a closed round, and its calls by their tokens."""
    number, take = reward.round, reward.take
    due = {"agent"} | {"screen" for one in ruled if one.stage != "agent"}
    due |= {"judge" for one in ruled if one.stage == "judge" and one.code != "unjudged"}
    seen = {span.kind for span in known.spans if (span.round, span.take) == (number, take)}
    if lacking := sorted(due - seen):
        yield "spans", f"{where}: no span of {', '.join(lacking)}"
    # What a model was asked about the routing is no work of the round.
    calls = [call.tokens for call in known.calls if (call.round, call.take) == (number, take) and call.agent != ROUTE]
    counted = [tokens for tokens in calls if tokens is not None]
    if reward.tokens is not None and (len(counted) < len(calls) or sum(counted) != reward.tokens):
        yield "calls", f"{where}: it used {reward.tokens} tokens, its {len(calls)} calls {sum(counted)}"


def _unrewarded(lines: Lineage, rewards: Mapping[tuple[int, int], Reward]) -> Iterator[Found]:
    ruled = {(one.round, one.take) for one in lines.verdicts}
    written = {(one.round, one.take) for one in lines.generations if one.outcome != "seed"}
    for number, _ in sorted((ruled | written) - set(rewards)):
        yield "rewards", f"round {number}: it has verdicts or new questions, but no reward"


def _folded(known: Known, rounds: int, take: int) -> tuple[_Fold, list[Found]]:
    """The heads after `rounds` as `take` saw them; what does not follow on the way."""
    lines, wrong = known.lineage, list[Found]()
    seeds = [one.content for one in lines.generations if one.outcome == "seed"]
    fold = _Fold({qa["id"]: {"qa": qa, "complexity": None, "round": 0} for qa in seeds})
    written = {(one.round, one.qa, one.take): one for one in lines.generations}
    latest = {(one.round, one.qa): one for one in lines.verdicts if one.take <= take and one.round <= rounds}
    fold.accepted = [0] * rounds
    last = 0
    for (number, qa), verdict in sorted(latest.items()):
        if number != last:
            fold.survive(known, last, latest)
            last = number
        head, new = fold.heads.get(qa), written.get((number, qa, verdict.take))
        if head is None:
            continue
        if new and new.parent_round != head["round"]:
            was = f"from round {new.parent_round}, the question was then of round {head['round']}"
            wrong.append(("heads", f"round {number}: {qa} comes {was}"))
        if verdict.score_before is not None:
            fold.first.setdefault(qa, verdict.score_before)
        if verdict.accepted and new:
            head |= {"qa": new.content, "complexity": new.complexity, "round": number}
            fold.accepted[number - 1] += 1
        elif head["complexity"] is None:
            head["complexity"] = verdict.score_before
    fold.survive(known, last, latest)
    return fold, wrong


def _ends(known: Known) -> Iterator[Found]:
    takes = [end.take for end in known.ends]
    for take in sorted({*range(known.take), *takes}):
        if take > known.take:
            yield "settled", f"it is settled in take {take}, which was never asked for"
        elif take not in takes:
            yield "settled", f"take {take} was retried, but never settled"
    for end in known.ends:
        fold, wrong = _folded(known, end.rounds, end.take)
        yield from wrong
        yield from _end(known, end, fold)
        # A run that was extended asks more of the newest take than of those before.
        if end.take == known.take:
            yield from _status(end, fold, known.rules)


def _end(known: Known, end: Settled, fold: _Fold) -> Iterator[Found]:
    closed = {one.round for one in known.lineage.rewards if one.take <= end.take}
    if lacking := sorted({*range(1, end.rounds + 1)} - closed):
        yield "rewards", f"it is settled after {end.rounds} rounds, but round {lacking[0]} is not closed"
    if end.heads != [head | {"qa": qa} for qa, head in fold.heads.items()]:
        yield "heads", "the settled questions are not those that follow from its rounds"
    saved = (end.complexity_before, end.complexity_after)
    for name, is_, due in zip(("before", "after"), saved, fold.complexities(), strict=True):
        same = is_ == due if is_ is None or due is None else math.isclose(is_, due, abs_tol=_CLOSE)
        if not same:
            yield "complexity", f"the complexity {name} is {is_}, its verdicts say {due}"


def _status(end: Settled, fold: _Fold, rules: Mapping[str, Any]) -> Iterator[Found]:
    """Whether the run's settings let the sample end so; settings that the fingerprint does not hold are not asked.

    What a run that was extended asked for at the time is in the reason alone.
    """
    most, highest, patience = (rules.get(name, math.inf) for name in ("rounds", "target", "patience"))
    target = float(said[1]) if (said := _TARGET.search(end.reason)) else math.inf
    rounds = int(said[1]) if (said := _ROUNDS.match(end.reason)) else math.inf
    if end.status == "reached" and not (fold.reaches(target) and target <= highest):
        yield "status", f"it is reached with complexity {end.complexity_after}, of a target of {target:g}"
    elif end.status != "reached" and fold.reaches(highest):
        yield "status", f"it is {end.status} with complexity {end.complexity_after}, the target is {highest:g}"
    if end.rounds > most or (end.status == "exhausted" and end.rounds != rounds):
        yield "status", f"it is {end.status} after {end.rounds} rounds of {rounds}, at most {most}"
    if patience < math.inf and end.status == "stalled":
        last = fold.accepted[-patience:] if patience else [1]
        if any(last) or len(last) < patience:
            yield "status", f"it is stalled after {end.rounds} rounds, accepted were {fold.accepted}"
    if end.status == "failed" and not end.reason:
        yield "status", "it failed without a reason"


def _progress(known: Known) -> Iterator[Found]:
    """Rounds are decided one after the other, and nothing happens in a round that was not decided."""
    decided = [one.round for one in known.lineage.decisions]
    if decided != [*range(1, len(decided) + 1)]:
        gap = next((b for a, b in pairwise([0, *decided]) if b != a + 1), decided[0])
        yield "decisions", f"round {gap} was decided, but not the one before"
    for number in sorted({span.round for span in known.spans if span.kind == "route"} ^ {*decided}):
        lacking = "no span of route" if number in decided else "a span of route, but no decision"
        yield "spans", f"round {number}: {lacking}"
    last = len(decided)
    for call in known.calls:
        if call.lost:
            yield "parts", f"{call.lost} texts that a call of round {call.round} sent are lost"
    strays = (one for one in known.calls if not _earliest(one.agent) <= one.round <= last + (one.agent == ROUTE))
    if late := next(strays, None):
        yield "calls", f"a call of {late.agent} belongs to round {late.round}, which was never decided"
    if known.ends and known.ends[-1].take == known.take:
        most = max(end.rounds for end in known.ends)
        if last > most:
            yield "settled", f"round {last} was decided, but it is settled after {most}"


def _earliest(agent: str) -> int:
    return 0 if agent == _CURATION else 1


def _state(known: Known, state: Mapping[str, Any]) -> Iterator[Found]:
    """Whether the newest saved state is what the rows say."""
    take, rounds = state["take"], len(state["history"])
    end = next((end for end in known.ends if end.take == take), None)
    if state["status"] != (end.status if end else ""):
        is_ = f"ended as {state['status']}" if state["status"] else "goes on"
        yield "checkpoint", f"its state {is_}, but it is {f'settled as {end.status}' if end else 'not settled'}"
    if not end and take != known.take:
        yield "checkpoint", f"its state is of take {take}, asked for was {known.take}"
    fold, wrong = _folded(known, rounds, take)
    if not end:
        yield from wrong
    if state["heads"] != [*fold.heads.values()]:
        yield "checkpoint", "the questions in its state are not those that follow from its rounds"
    last = max((one.round for one in known.lineage.rewards if one.take <= take), default=0)
    if last != rounds and not (take and last > rounds):  # a later take may begin anew
        yield "checkpoint", f"its state has closed {rounds} rounds, the rows {last}"
    decision = state["decision"]
    row = next((one for one in known.lineage.decisions if decision and one.round == decision["round"]), None)
    if decision and (row is None or row.direction != decision["direction"]):
        yield "checkpoint", f"its state is in round {decision['round']} going {decision['direction']}, the rows are not"
