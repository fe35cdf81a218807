"""Questions about the numbers of a chart, read from its caption."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, pairwise

from ..captions import Series
from ..claims.numbers import Exceeds, Valued
from ..scene import Region, Scene
from ..words import figure, listed, number_word, ordinal
from .draft import Chain, Draft, phrasing, sentence

_MAX_GROUPS = 12
_PLAIN_VALUE = 0.1
_FEW = 5


def series(scene: Scene) -> Iterator[Draft]:
    """Values, ranks, differences, sums, means, ratios and comparisons of the entries of the caption's series."""
    data = scene.facts.series
    if data is None:
        return
    chart = _Chart(scene, data)
    for name in data.names:
        yield chart.value(name)
        yield from chart.placed(name)
        yield from chart.threshold(name)
    for rank in range(2, min(len(data.names), 5)):
        yield from chart.ranked(rank)
    for one, other in combinations(data.names, 2):
        yield from chart.gap(one, other)
        yield from chart.ratio(one, other)
    for size in (2, 3, 4):
        groups = list(combinations(data.names, size))
        for group in groups[:: max(1, len(groups) // _MAX_GROUPS)]:
            yield chart.total(group)
            yield chart.mean(group)
            yield from chart.against(group)
    yield from chart.spread()
    yield from chart.halves()
    yield from chart.odd_colour()


class _Chart:
    """The series of one scene with the regions of its entries."""

    def __init__(self, scene: Scene, data: Series) -> None:
        self.scene, self.data = scene, data
        self.by_name = dict(zip(data.names, data.values, strict=True))
        self.unit = data.unit
        self.step = "percentage points" if data.unit == "percent" else data.unit
        self.what = "chart" if "chart" in scene.caption.lower() else "table"
        self.regions = {name: region for name in data.names if (region := _region(scene, data, name))}

    def amount(self, number: float) -> str:
        """The number with its unit."""
        return f"{figure(number)} {self.unit}".strip()

    def apart(self, number: float) -> str:
        """A difference of two numbers with its unit."""
        return f"{figure(number)} {self.step}".strip()

    def read(self, chain: Chain, names: Sequence[str]) -> None:
        """Finds and reads the entries."""
        for name in names:
            if name in self.regions:
                chain.ground(self.regions[name])
            chain.read(name, Valued(name, self.by_name[name], self.unit).say())

    def read_all(self, chain: Chain) -> None:
        """Reads every entry, one after the other."""
        if len(self.data.names) <= _FEW:
            self.read(chain, self.data.names)
            return
        for name in self.data.names:
            chain.read(name, Valued(name, self.by_name[name], self.unit).say())

    def draft(
        self,
        family: str,
        names: Sequence[str],
        chain: Chain,
        question: str,
        answer: str,
        *,
        short: str = "",
        wrong: Sequence[str] = (),
    ) -> Draft:
        """A draft about these entries; a table's columns are told apart by their unit."""
        if self.what == "table" and self.unit:
            question = f"Going by the {self.unit}, {question[0].lower()}{question[1:]}"
        objects = tuple(self.regions[name].label if name in self.regions else name for name in names)
        return Draft(
            family,
            objects,
            chain.skills,
            question,
            tuple(chain.steps),
            answer,
            short,
            tuple(dict.fromkeys(wrong)),
            fineness=0.6,
        )

    def value(self, name: str) -> Draft:
        """One entry."""
        chain = Chain()
        self.read(chain, [name])
        right = self.amount(self.by_name[name])
        wrong = [self.amount(value) for other, value in self.by_name.items() if value != self.by_name[name]]
        question = (
            phrasing(self.scene, "value", name)
            .choice((f"Which value does the {self.what} show for {{}}?", "What is the value for {}?"))
            .format(name)
        )
        claim = sentence(Valued(name, self.by_name[name], self.unit).say())
        return replace(
            self.draft("value", [name], chain, question, claim, short=right, wrong=wrong), fineness=_PLAIN_VALUE
        )

    def placed(self, name: str) -> Iterator[Draft]:
        """The value of a bar that is named by its place among the bars."""
        bars = sorted(self.regions.values(), key=lambda region: region.bbox[0])
        if len(bars) < max(3, len(self.data.names)) or any(not bar.label.endswith("bar") for bar in bars):
            return
        if any(one.bbox[2] > other.bbox[0] for one, other in pairwise(bars)):
            return
        place = bars.index(self.regions[name])
        from_left = place < len(bars) / 2
        rank, end = (place + 1, "left") if from_left else (len(bars) - place, "right")
        counted = f"{ordinal(rank)} bar from the {end}"
        nearby = bars[place + 1 if from_left else place - 1]
        other = next(entry for entry, bar in self.regions.items() if bar is nearby)
        chain = Chain("Relationship Description")
        chain.ground(self.regions[name], f"; it is the {counted}")
        chain.read(name, Valued(name, self.by_name[name], self.unit).say())
        self.read(chain, [other])
        difference = self.by_name[name] - self.by_name[other]
        if not difference:
            return
        high, low = (name, other) if difference > 0 else (other, name)
        chain.calculate(f"{figure(self.by_name[high])} - {figure(self.by_name[low])}", abs(difference))
        way = "higher" if difference > 0 else "lower"
        side = "right" if from_left else "left"
        yield self.draft(
            "placed",
            [name, other],
            chain,
            f"What value does the {counted} stand for, and how much {way} is it than the bar next to it on the {side}?",
            f"The {counted} stands for {name} with {self.amount(self.by_name[name])}. "
            f"{sentence(Exceeds(high, low, round(abs(difference), 2), self.step).say())}",
        )

    def ranked(self, rank: int) -> Iterator[Draft]:
        """The entry with the n-th highest value."""
        order = sorted(self.data.names, key=lambda name: -self.by_name[name])
        if len(set(self.by_name.values())) < len(order):
            return
        name = order[rank - 1]
        chain = Chain()
        for one in order[:rank]:
            chain.read(one, Valued(one, self.by_name[one], self.unit).say())
        chain.think(f"counting down from the highest value, {name} comes {ordinal(rank)}")
        question = f"Which entry of the {self.what} has the {ordinal(rank)}-highest value, and what is that value?"
        answer = f"{name} has the {ordinal(rank)}-highest value, {self.amount(self.by_name[name])}."
        wrong = [
            f"{other} has the {ordinal(rank)}-highest value, {self.amount(self.by_name[other])}"
            for other in order
            if other != name
        ]
        yield self.draft("ranked", order[:rank], chain, question, answer, short=answer.rstrip("."), wrong=wrong)

    def gap(self, one: str, other: str) -> Iterator[Draft]:
        """How much higher one entry is than another."""
        high, low = sorted((one, other), key=lambda name: -self.by_name[name])
        if self.by_name[high] == self.by_name[low]:
            return
        chain = Chain()
        self.read(chain, [high, low])
        difference = self.by_name[high] - self.by_name[low]
        chain.calculate(f"{figure(self.by_name[high])} - {figure(self.by_name[low])}", difference)
        question = f"By how much is the value for {high} higher than the value for {low}?"
        answer = sentence(Exceeds(high, low, round(difference, 2), self.step).say())
        wrong = [
            self.apart(abs(v))
            for v in (difference + 3, self.by_name[high] + self.by_name[low], difference * 2)
            if round(v, 4) != round(difference, 4)
        ]
        yield self.draft("gap", [high, low], chain, question, answer, short=self.apart(difference), wrong=wrong)

    def ratio(self, one: str, other: str) -> Iterator[Draft]:
        """How many times as high one entry is."""
        high, low = sorted((one, other), key=lambda name: -self.by_name[name])
        if self.by_name[low] <= 0 or self.by_name[high] < 1.4 * self.by_name[low]:
            return
        ratio = self.by_name[high] / self.by_name[low]
        chain = Chain()
        self.read(chain, [high, low])
        chain.calculate(f"{figure(self.by_name[high])} / {figure(self.by_name[low])}", ratio, places=2)
        about = "" if ratio == round(ratio, 1) else "about "
        question = f"How many times as high as the value for {low} is the value for {high}?"
        answer = f"The value for {high} is {about}{figure(ratio, 1)} times as high as the value for {low}."
        yield self.draft(
            "ratio",
            [high, low],
            chain,
            question,
            answer,
            short=f"{about}{figure(ratio, 1)} times",
            wrong=[f"{about}{figure(ratio * k, 1)} times" for k in (0.5, 1.5, 2.5)],
        )

    def _sum(self, chain: Chain, names: Sequence[str]) -> float:
        values = [self.by_name[name] for name in names]
        chain.calculate(" + ".join(map(figure, values)), sum(values))
        return sum(values)

    def total(self, names: Sequence[str]) -> Draft:
        """The sum of several entries."""
        chain = Chain()
        self.read(chain, names)
        total = self._sum(chain, names)
        question = f"What do the values for {listed(names)} add up to?"
        answer = f"{listed(names)} together make {self.amount(total)}."
        wrong = [self.amount(total + by) for by in (-self.by_name[names[0]], 10, -7)]
        return self.draft("total", names, chain, question, answer, short=self.amount(total), wrong=wrong)

    def mean(self, names: Sequence[str]) -> Draft:
        """The mean of several entries."""
        chain = Chain()
        self.read(chain, names)
        total = self._sum(chain, names)
        mean = total / len(names)
        chain.calculate(f"{figure(total)} / {len(names)}", mean, places=2)
        question = f"What is the mean of the values for {listed(names)}?"
        answer = f"The mean of {listed(names)} is {'' if mean == round(mean, 2) else 'about '}{self.amount(mean)}."
        return self.draft(
            "mean",
            names,
            chain,
            question,
            answer,
            short=self.amount(mean),
            wrong=[self.amount(mean + by) for by in (-5, 4, 9)],
        )

    def against(self, names: Sequence[str]) -> Iterator[Draft]:
        """The sum of all but the first of these against the first."""
        first, rest = names[0], names[1:]
        if len(rest) < 2:
            return
        total = sum(self.by_name[name] for name in rest)
        difference = total - self.by_name[first]
        if not difference:
            return
        chain = Chain()
        self.read(chain, names)
        self._sum(chain, rest)
        high, low = max(total, self.by_name[first]), min(total, self.by_name[first])
        chain.calculate(f"{figure(high)} - {figure(low)}", high - low)
        more = "more" if difference > 0 else "less"
        question = f"Do {listed(rest)} together come to more or to less than {first} alone, and by how much?"
        answer = f"{listed(rest)} together come to {self.apart(abs(difference))} {more} than {first} alone."
        other = "less" if more == "more" else "more"
        wrong = [
            f"{self.apart(abs(difference))} {other}",
            f"{self.apart(abs(difference) + 5)} {more}",
            f"{self.apart(abs(difference) + 8)} {other}",
        ]
        yield self.draft(
            "against", names, chain, question, answer, short=f"{self.apart(abs(difference))} {more}", wrong=wrong
        )

    def spread(self) -> Iterator[Draft]:
        """The range of all entries and the part of the total that the highest one has."""
        order = sorted(self.data.names, key=lambda name: self.by_name[name])
        low, high = order[0], order[-1]
        if len(set(self.by_name.values())) < len(order):
            return
        chain = Chain()
        self.read_all(chain)
        difference = self.by_name[high] - self.by_name[low]
        chain.calculate(f"{figure(self.by_name[high])} - {figure(self.by_name[low])}", difference)
        question = (
            f"Which entries of the {self.what} are the highest and the lowest, and how far apart are their values?"
        )
        exceeds = Exceeds(high, low, round(difference, 2), self.step)
        answer = f"{high} has the highest value and {low} the lowest. {sentence(exceeds.say())}"
        yield self.draft("spread", order, chain, question, answer)
        if min(self.by_name.values()) < 0 or self.unit == "percent":
            return
        full = Chain()
        self.read_all(full)
        total = self._sum(full, self.data.names)
        share = self.by_name[high] / total
        full.calculate(f"100 * {figure(self.by_name[high])} / {figure(total)}", 100 * share, places=2)
        question = f"What percentage of the total of all {number_word(len(order))} entries does {high} make up?"
        answer = f"{high} makes up about {figure(100 * share, 1)}% of the total of {self.amount(total)}."
        yield self.draft(
            "share",
            order[::-1],
            full,
            question,
            answer,
            short=f"about {figure(100 * share, 1)}%",
        )

    def halves(self) -> Iterator[Draft]:
        """The first half of the entries against the second half."""
        names, count = self.data.names, len(self.data.names)
        if count % 2 or count < 4 or count > 8:
            return
        sides = names[: count // 2], names[count // 2 :]
        chain = Chain()
        for name in names:
            chain.read(name, Valued(name, self.by_name[name], self.unit).say())
        first, second = (self._sum(chain, side) for side in sides)
        if first == second:
            return
        chain.calculate(f"{figure(max(first, second))} - {figure(min(first, second))}", abs(first - second))
        more, less = (sides[0], sides[1]) if first > second else (sides[1], sides[0])
        question = f"Which add up to more, {listed(sides[0])} or {listed(sides[1])}, and by how much?"
        answer = f"{listed(more)} add up to {self.apart(abs(first - second))} more than {listed(less)}."
        yield self.draft(
            "halves of series",
            names,
            chain,
            question,
            answer,
            short=self.apart(abs(first - second)),
            wrong=[self.apart(abs(first - second) + by) for by in (6, 10, 15)],
        )

    def threshold(self, name: str) -> Iterator[Draft]:
        """How many entries lie above one of them."""
        above = [other for other in self.data.names if self.by_name[other] > self.by_name[name]]
        if not 2 <= len(above) < len(self.data.names) - 1:
            return
        chain = Chain()
        for one in (name, *above):
            chain.read(one, Valued(one, self.by_name[one], self.unit).say())
        chain.calculate(" + ".join("1" for _ in above), len(above))
        question = f"How many entries of the {self.what} have a higher value than {name}, and which ones are they?"
        answer = f"{number_word(len(above)).capitalize()} entries are higher than {name}: {listed(above)}."
        yield self.draft("threshold", (name, *above), chain, question, answer)

    def odd_colour(self) -> Iterator[Draft]:
        """The value of the only entry drawn in another colour, and its distance from a neighbour."""
        colours = {name: self.scene.colour(region) for name, region in self.regions.items()}
        for name, colour in colours.items():
            same = [other for other, one in colours.items() if one == colour]
            if colour is None or len(same) > 1 or None in colours.values() or len(colours) < len(self.data.names):
                continue
            chain = Chain()
            region = self.regions[name]
            box = chain.ground(region)
            chain.refer(box, f"the {region.name} is {colour}")
            chain.read(name, Valued(name, self.by_name[name], self.unit).say())
            what = region.label.split()[-1]
            if len(set(colours.values())) == 2:
                question = (
                    f"One {what} of the {self.what} differs from all others in colour. Which one is it, what colour is "
                    "it, and what is its value?"
                )
                answer = f"It is the {region.name}: it is {colour} and stands for {self.amount(self.by_name[name])}."
                yield self.draft("odd colour", [name], chain, question, answer)
            else:
                question = f"What value does the {colour} {what} stand for?"
                answer = (
                    f"The {colour} {what} is the one for {name}, and it stands for {self.amount(self.by_name[name])}."
                )
                yield self.draft(
                    "by colour",
                    [name],
                    chain,
                    question,
                    answer,
                    short=self.amount(self.by_name[name]),
                    wrong=[self.amount(v) for n, v in self.by_name.items() if v != self.by_name[name]],
                )


def _region(scene: Scene, data: Series, name: str) -> Region | None:
    """The region whose label begins with the entry's name or its first three letters, and with no other entry's."""

    def means(label: str, entry: str) -> bool:
        word, low = label.lower().split(" ")[0], entry.lower()
        return label.lower() == low or label.lower().startswith(low + " ") or (len(word) >= 3 and low.startswith(word))

    found = [region for region in scene.regions if means(region.label, name)]
    unique = len(found) == 1 and sum(means(found[0].label, other) for other in data.names) == 1
    return found[0] if unique else None
