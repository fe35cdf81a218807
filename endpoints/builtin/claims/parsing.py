"""Reads claims out of sentences, steps and answers, by the templates they are written with."""

import re
from collections.abc import Iterator
from typing import Final

from ..geometry import literal
from .entries import Costing, Multiplied, Outnumbers, Over, Ranked, Under
from .grammar import Claim, parse_box
from .looks import Brighter, Coloured, Larger, Light, Prevailing, Shaped, Share, Times, Toned
from .numbers import Averaged, Calculation, Counted, Exceeds, Extreme, Reads, Summed, Valued
from .places import Apart, Beside, Located, Nearer, Ordered, Placed, Within

KINDS: Final[tuple[type[Claim], ...]] = (
    Prevailing,
    Toned,
    Shaped,
    Ordered,
    Extreme,
    Times,
    Share,
    Light,
    Apart,
    Nearer,
    Within,
    Placed,
    Beside,
    Brighter,
    Larger,
    Outnumbers,
    Costing,
    Counted,
    Reads,
    Exceeds,
    Multiplied,
    Under,
    Over,
    Ranked,
    Summed,
    Averaged,
    Valued,
    Coloured,
)
_BOX: Final = r"\[\s*\d(?:\.\d+)?(?:\s*,\s*\d(?:\.\d+)?){3}\s*\]"
_BARE_BOX: Final = re.compile(_BOX)
_IN_BOX: Final = re.compile(r" (?:(?:is |lies )?at|in box) \[[\d. ]+\]|\[[\d. ]+\]")
_NUMBER: Final = r"-?\d+(?:\.\d+)?"
_SUM: Final = re.compile(
    rf"((?:\(?\s*-?\d+(?:\.\d+)?\s*\)?\s*[-+*/]\s*)+\(?\s*\d+(?:\.\d+)?\s*\)?)\s*(?:=|≈)\s*({_NUMBER})"
)
_TIMES: Final = re.compile(rf"(?<![\w.])({_NUMBER}) times ({_NUMBER}) is ({_NUMBER})")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9'\"“(])|\n+")
_CLAUSES: Final = re.compile(r";\s+|,? so (?=the |[A-Z])|, (?:while|but|and|whereas) (?=the |there )")
_LEAD: Final = re.compile(r"^(?:(?:so|therefore|thus|hence|yes|no|then|here|finally|also|and)[,:]? )+", re.I)


def parse(text: str) -> list[Claim]:
    """All claims that a text states in a form the grammar knows, in its order; other text gives none."""
    claims: list[Claim] = []
    for sentence in _SENTENCE_END.split(text):
        claims += _calculations(sentence)
        claims += _boxes(sentence)
        for clause in _CLAUSES.split(_BARE_BOX.sub(_without_commas, sentence)):
            if claim := _clause(clause) or _clause(_IN_BOX.sub("", clause)):
                claims.append(claim)
    return list(dict.fromkeys(claims))


def _without_commas(box: re.Match[str]) -> str:
    """A box literal that lists of names can hold."""
    return box.group().replace(",", "")


def _clause(clause: str) -> Claim | None:
    bare = re.sub(r"\s+", " ", _LEAD.sub("", clause.strip())).strip().rstrip(".!?").strip()
    return next((claim for kind in KINDS if (claim := kind.read(bare))), None) if bare else None


def _calculations(sentence: str) -> Iterator[Claim]:
    for match in _SUM.finditer(sentence):
        yield Calculation(match.group(1).strip(), float(match.group(2)))
    for one, other, result in _TIMES.findall(sentence):
        yield Calculation(f"{one} * {other}", float(result))


def _boxes(sentence: str) -> Iterator[Claim]:
    """A Located claim for each box literal, with the words before it as its name where they are one."""
    seen: set[str] = set()
    for match in re.finditer(rf"(?P<before>[^\[\]]*?)(?P<box>{_BOX})", sentence):
        box = parse_box(match.group("box"))
        name = re.search(
            r"\b(?:the|a|an|one) ((?:[\w'\u2019-]+ ?){1,7}?)\s*(?:,?\s*(?:which )?(?:is|lies|are|stands))?\s*"
            r"(?:at|in box)?\s*\(?$",
            match.group("before"),
            re.I,
        )
        found = name.group(1).strip() if name else ""
        if literal(box) not in seen:
            seen.add(literal(box))
            yield Located(
                re.split(r"\b(?:and|than|of|to) (?:the )?", found)[-1]
                if " of " not in found and " in the " not in found
                else found,
                box,
            )
