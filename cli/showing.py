"""`evolgraph trace show`: everything about one sample."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text
from rich.tree import Tree

from ..store import traces
from ..store.connections import reading
from ..store.lineage import Decision, Generation, Verdict
from ..viewer.wording import duration, word_changes
from .terminal import terminal
from .tracing import JSON, RUN, STORE, TraceError, change, chosen_run, print_json

_FLAGS = ("grounded", "correct", "answerable", "needs_image", "improved")
_BAR = 20


@click.command()
@STORE
@click.argument("sample")
@RUN
@click.option("--messages", is_flag=True, help="Also what was sent and received, images as path and size.")
@JSON
def show(store: Path, sample: str, *, run_id: str | None, messages: bool, as_json: bool) -> None:
    """Show what happened to SAMPLE: decisions, questions, verdicts and the spans with their times."""
    with reading(store) as db:
        found = traces.trace(db, chosen_run(store, run_id), sample)
    if found is None:
        raise TraceError(f"no sample is called {sample!r}", where=str(store), remedy="see evolgraph trace list")
    if as_json:
        print_json(asdict(found))
        return
    out = terminal()
    out.print(Panel(_heading(found), title=Text(sample), title_align="left"))
    for decision in found.lineage.decisions:
        out.print(_round(found, decision))
    out.print(_spans(found))
    if messages:
        sizes = {image["sha256"]: f"{image['width']}x{image['height']}" for image in found.sample["images"]}
        for call in found.calls:
            out.print(_messages(call, sizes))


def _heading(found: traces.Trace) -> Group:
    images = ", ".join(f"{image['path']} ({image['width']}x{image['height']})" for image in found.sample["images"])
    lines = [f"{images}, {len(found.sample['boxes'])} boxes"]
    if end := found.settled:
        lines.append(f"{end.status}: {end.reason}")
        lines.append(f"complexity {change(end.complexity_before, end.complexity_after)}")
    else:
        lines.append("pending")
    return Group(*(Text(line) for line in lines))


def _round(found: traces.Trace, decision: Decision) -> Panel:
    parts: list[RenderableType] = [Text(f"{decision.policy} {decision.policy_version} chose among", style="dim")]
    for name, probability in decision.probabilities.items():
        bar = "█" * round(_BAR * probability)
        style = "bold" if name == decision.direction else "dim"
        parts.append(Text(f"  {name:<12} {bar:<{_BAR}} {probability:.1%}", style=style))
    for reward in found.lineage.rewards:
        if reward.round == decision.round and reward.reward is not None:
            parts.append(Text(f"  reward {reward.reward:+.3f}, {reward.tokens or 0:,} tokens", style="dim"))
    for verdict in found.lineage.verdicts:
        if verdict.round == decision.round:
            parts.extend(_pair(found, verdict))
    return Panel(Group(*parts), title=f"round {decision.round}: {decision.direction}", title_align="left")


def _pair(found: traces.Trace, verdict: Verdict) -> Iterator[RenderableType]:
    versions = {(one.round, one.take): one for one in found.lineage.generations if one.qa == verdict.qa}
    evolved = versions.get((verdict.round, verdict.take))
    score = f" {verdict.score_before} -> {verdict.score_after}" if verdict.score_after is not None else ""
    mark = Text("accepted" if verdict.accepted else f"rejected by {verdict.stage}: {verdict.code}")
    mark.stylize("green" if verdict.accepted else "red")
    yield Text.assemble((f"\n{verdict.qa}  ", "bold"), mark, score)
    if evolved:
        parent = next((one for (number, _), one in versions.items() if number == evolved.parent_round), None)
        yield from _versions(parent, evolved)
        for step in evolved.content["steps"]:
            yield _indented(Text(f"{step['manipulation'] or 'thought'}: {step['description']}", style="dim"), 6)
    yield from _looked(found, verdict)
    missed = [name.replace("_", " ") for name in _FLAGS if getattr(verdict, name) is False]
    if missed:
        yield _indented(Text(f"not {', not '.join(missed)}", style="red"))
    yield _indented(Text(verdict.reason, style="italic"))


def _looked(found: traces.Trace, verdict: Verdict) -> Iterator[RenderableType]:
    """What was found where the steps were carried out, and how a panel's judges disagree."""
    place = (found.spans, verdict.round, verdict.qa, verdict.take)
    for row in traces.evidence_of(*place):
        word = {True: "agrees", False: "does not agree"}.get(row["agrees"], "open")
        style = "red" if row["agrees"] is False else "dim"
        yield _indented(Text(f"evidence, step {row['step']}, {word}: {row['found']}", style=style), 6)
    votes = traces.ballot_of(*place)
    for name in votes.get("disagree", ()):
        cast = ", ".join("yes" if vote else "no" for vote in votes[name])
        yield _indented(Text(f"the judges disagree, {name.replace('_', ' ')}: {cast}", style="yellow"))
    if len(set(votes.get("score_after", ()))) > 1:
        yield _indented(Text(f"their scores: {', '.join(map(str, votes['score_after']))}", style="yellow"))


def _versions(parent: Generation | None, evolved: Generation) -> Iterator[RenderableType]:
    """The parent's question and answer, and the evolved ones with what is new in them marked."""
    if parent:
        yield _indented(Text(f"- {parent.content['question']}\n  => {parent.content['answer']}", style="dim"))
    before = parent.content if parent else {"question": "", "answer": ""}
    marked = Text("+ ")
    for part, lead in (("question", ""), ("answer", "\n  => ")):
        marked.append(lead)
        for sign, text in word_changes(before[part], evolved.content[part]):
            if sign != "-":
                marked.append(text, style="bold green" if sign == "+" and parent else "")
    yield _indented(marked)


def _indented(text: Text, columns: int = 2) -> Padding:
    return Padding(text, (0, 0, 0, columns))


def _spans(found: traces.Trace) -> Tree:
    tree = Tree("spans")
    branches: dict[str | None, Tree] = {None: tree}
    first = min((span.started_ns for span in found.spans), default=0)
    for span in sorted(found.spans, key=lambda span: (span.round, span.kind == "call", span.started_ns)):
        spent = f"+{duration((span.started_ns - first) / 1e6)}, {duration((span.ended_ns - span.started_ns) / 1e6)}"
        tokens = span.attributes.get("gen_ai.usage.input_tokens")
        used = f", {tokens} + {span.attributes.get('gen_ai.usage.output_tokens')} tokens" if tokens else ""
        branch = branches.get(span.parent, tree)
        branches[span.id] = branch.add(Text(f"{span.round} {span.kind} {span.name}: {spent}{used} {span.status}"))
    return tree


def _messages(call: traces.Call, sizes: dict[str, str]) -> Group:
    step = f", step {call.step}" if call.step else ""
    parts: list[RenderableType] = [Rule(Text(f"round {call.round} {call.agent}{step}: {call.model}"), align="left")]
    for message in call.messages:
        parts.append(Text(f"{message['role']}:", style="bold"))
        for part in message["parts"]:
            if part["type"] == "text":
                parts.append(_indented(Text(part["text"])))
            else:
                size = sizes.get(part.get("sha256", ""), "size unknown")
                parts.append(_indented(Text(f"[image {part.get('path', '?')}, {size}]", style="cyan")))
    parts += [Text("received:", style="bold"), _indented(Text(call.text or call.error or "nothing"))]
    return Group(*parts)
