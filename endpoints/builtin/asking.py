"""Whether a question can be answered, and only with the image: the judge's `answerable` and `needs_image`."""

import re
from collections.abc import Iterator
from typing import Final

from .answers import stated
from .claims.numbers import evaluate
from .colours import NAMES
from .reading import BOX, QUOTED, Posed, claims_in, numbers, tokens
from .scene import Scene
from .told import Told
from .truth import Fault
from .words import plural, whole

_EVASIONS: Final = re.compile(
    r"\b(?:unknown|unclear|cannot be (?:known|determined|told|seen)|can't (?:tell|be)|not (?:sure|certain|possible to)|"
    r"it depends|impossible to|either could)\b",
    re.IGNORECASE,
)
_ASKS: Final = re.compile(
    r"\?|_{2,}|^\W*(?:name|list|give|describe|explain|find|choose|select|complete|fill|write|count|compare|rank|order|"
    r"sort|match|translate|read|point|identify|locate|state|tell|follow|look|say|put|arrange|work out|calculate|using|"
    r"first|starting|take|asked|think|pick|mark|determine|sum|add)\b",
    re.IGNORECASE | re.MULTILINE,
)
_SHOWN: Final = re.compile(
    r"\b(?:image|picture|photo\w*|chart|table|graph|drawing|scene|box|boxes|shown|visible|seen)\b", re.IGNORECASE
)
_PICKS: Final = (
    "at|in|on|of|with|that|which|whose|nearest|closest|farthest|to|from|above|below|under|left|right|row|box|marked"
)
_ARITHMETIC: Final = re.compile(r"\(?\d+(?:\.\d+)?(?:\s*[-+*/]\s*\(?\d+(?:\.\d+)?\)?)+")


def doubts(scene: Scene, evolved: Posed) -> Iterator[Fault]:
    """Why the question has no one clear answer."""
    if not evolved.question.strip() or not evolved.answer.strip():
        yield Fault("answerable", "the question or its answer is empty")
    elif not _ASKS.search(evolved.question):
        yield Fault("answerable", "it asks nothing")
    if _EVASIONS.search(evolved.answer):
        yield Fault("answerable", "the answer does not commit itself")
    if evolved.repeated_choice:
        yield Fault("answerable", f'the choice "{evolved.repeated_choice}" is listed twice')
    for label in sorted({region.label for region in scene.regions}):
        if len(scene.with_label(label)) > 1 and _means_one(scene, evolved.stem, label):
            yield Fault(
                "answerable", f"it does not say which of the {len(scene.with_label(label))} {plural(label)} it means"
            )


def _means_one(scene: Scene, stem: str, label: str) -> bool:
    """Whether "the LABEL" stands there alone, without a word or box that picks one of several."""
    if label.lower() not in stem.lower():
        return False
    plain = BOX.sub("[]", stem)
    for region in scene.with_label(label):
        if " at [" not in region.name:
            plain = whole(region.name).sub("", plain)
    return bool(whole(label, "the ", rf"(?! (?:{_PICKS})\b)").search(plain))


def giveaways(told: Told, evolved: Posed) -> Iterator[Fault]:
    """Why the question can be answered without the image."""
    if _told_in_question(evolved) or set(BOX.findall(evolved.stem)) & set(evolved.choices.values()):
        yield Fault("needs_image", "the question itself tells the answer")
    elif _only_arithmetic(evolved):
        yield Fault("needs_image", "the question is plain arithmetic on numbers that it gives")
    elif not _about_image(told, evolved):
        yield Fault("needs_image", "the question is about nothing that the image shows")


def _told_in_question(evolved: Posed) -> bool:
    """A statement in the question, or the words of its own asking, hold the answer."""
    sentences = [sentence for sentence in re.split(r"(?<=[.!?])\s+|\n", _plain(evolved)) if sentence.strip()]
    told = [sentence for sentence in sentences if not _ASKS.search(sentence)]
    asking = " ".join(sentence for sentence in sentences if _ASKS.search(sentence))
    reply = re.sub(r"^(?:yes|no)\b[,. ]*", "", evolved.reply.strip(), flags=re.IGNORECASE)
    core = _core(reply) - tokens(asking)
    if re.match(r"(?:yes|no)\b", evolved.reply.strip(), re.IGNORECASE):
        return bool(set(stated(asking)) & {claim for sentence in told for claim in claims_in(sentence)})
    if told and _gives(" ".join(told), reply, core):
        return True
    return not core and not told and _echoes(asking, reply)


def _gives(told: str, reply: str, core: frozenset[str]) -> bool:
    """Whether a statement holds what the answer claims, or all of its words."""
    said = tokens(BOX.sub(" ", reply))
    if (core and core <= tokens(told)) or (said and said <= tokens(told)):
        return True
    return bool(set(claims_in(reply)) & set(claims_in(told)))


def _plain(evolved: Posed) -> str:
    """The stem without boxes and without what it only quotes (a text to judge, explain or correct)."""
    return QUOTED.sub(" ", BOX.sub(" ", evolved.stem))


def _core(reply: str) -> frozenset[str]:
    return frozenset(
        token
        for token in tokens(BOX.sub(" ", reply))
        if token not in {"yes", "lie", "stand", "visible", "seen", "there"}
    )


def _echoes(asking: str, reply: str) -> bool:
    """The answer's number or colour stands in the question, which does not offer alternatives."""
    if (
        re.search(r"\b(?:or|which of|between|among|order|rank|sort|arrange|true or)\b", asking, re.IGNORECASE)
        or "__" in asking
    ):
        return False
    if re.match(r"\W*(?:how many|how much|what number)", asking, re.IGNORECASE):
        found = numbers(reply)
        return bool(found) and set(found) <= set(numbers(asking))
    match = re.search(r"\b(?:what|which) colou?r\b", asking, re.IGNORECASE)
    return bool(match) and bool(tokens(reply) & tokens(asking) & frozenset(NAMES))


def _only_arithmetic(evolved: Posed) -> bool:
    """The stem holds an expression whose value the answer is, or gives every number that the calculations take."""
    said = numbers(evolved.reply)
    for match in _ARITHMETIC.finditer(_plain(evolved)):
        value = evaluate(match.group(0))
        if value is not None and any(abs(value - number) < 0.006 for number in said):
            return True
    given, taken = set(numbers(_plain(evolved))), set[float]()
    for manipulation, _ in evolved.steps:
        if manipulation.lower().startswith("calculate"):
            taken |= set(numbers(manipulation.partition("(")[2].partition("->")[0]))
    return len(taken) >= 2 and taken <= given


def _about_image(told: Told, evolved: Posed) -> bool:
    """Whether the question speaks of the image, of a box, or of something that is known to be on it."""
    if _SHOWN.search(evolved.stem) or BOX.search(evolved.stem):
        return True
    return bool((told.words | tokens(" ".join(evolved.objects))) & tokens(evolved.stem))
