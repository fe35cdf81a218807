"""Questions about a priced list: quantities, unit prices and amounts."""

from collections.abc import Iterator
from itertools import permutations

from ..scene import Scene
from ..words import figure, listed
from .draft import Chain, Draft, sentence


def tables(scene: Scene) -> Iterator[Draft]:
    """Prices, checks of amounts, sums, comparisons and what-if purchases."""
    table = scene.facts.table
    if table is None:
        return
    rows = {i: (q, p, a) for i, q, p, a in zip(table.items, table.quantities, table.prices, table.amounts, strict=True)}
    money = table.currency or "units"
    for item, row in rows.items():
        yield _price(item, row[1], money, [other[1] for other in rows.values()])
        yield _check(item, *row, money)
    yield from _dearest(rows, money)
    for one, other in permutations(rows, 2):
        yield _purchase(one, other, rows, money)
        if one < other:
            yield from _difference(one, other, rows, money)
    yield _average(rows, money)
    yield _shares(rows, money)


Rows = dict[str, tuple[int, float, float]]


def _say(amount: float) -> str:
    return f"{amount:.2f}"


def _draft(
    family: str,
    objects: tuple[str, ...],
    chain: Chain,
    question: str,
    answer: str,
    *,
    short: str = "",
    wrong: tuple[str, ...] = (),
) -> Draft:
    return Draft(family, objects, chain.skills, question, tuple(chain.steps), answer, short, wrong, fineness=0.6)


def _price(item: str, price: float, money: str, prices: list[float]) -> Draft:
    chain = Chain()
    chain.read(item, f"the unit price of {item} is {_say(price)} {money}")
    others = (*(p for p in prices if p != price), price + 0.1, price * 2)
    return _draft(
        "price",
        (item,),
        chain,
        f"What is the unit price of the {item}?",
        sentence(f"the unit price of {item} is {_say(price)} {money}"),
        short=f"{_say(price)} {money}",
        wrong=tuple(dict.fromkeys(f"{_say(p)} {money}" for p in others)),
    )


def _check(item: str, quantity: int, price: float, amount: float, money: str) -> Draft:
    chain = Chain()
    chain.read(item, f"the quantity of {item} is {quantity}")
    chain.read(item, f"the unit price of {item} is {_say(price)} {money}")
    chain.read(item, f"the amount for {item} is {_say(amount)} {money}")
    chain.calculate(f"{quantity} * {figure(price)}", quantity * price)
    agrees = abs(quantity * price - amount) < 0.005
    question = f"Does the amount in the row of the {item} agree with its quantity and unit price?"
    answer = (
        f"{'Yes' if agrees else 'No'}: {quantity} times {_say(price)} is {_say(quantity * price)}, "
        f"and the row shows {_say(amount)} {money}."
    )
    return _draft("check", (item,), chain, question, answer)


def _dearest(rows: Rows, money: str) -> Iterator[Draft]:
    order = sorted(rows, key=lambda item: -rows[item][1])
    if len(order) < 3 or len({row[1] for row in rows.values()}) < len(rows):
        return
    chain = Chain()
    for item in order:
        chain.read(item, f"the unit price of {item} is {_say(rows[item][1])} {money}")
    chain.think(f"from the dearest to the cheapest, the order is {listed(order)}")
    question = "Which item has the second-highest unit price, and what is that price?"
    answer = f"The {order[1]} have the second-highest unit price, {_say(rows[order[1]][1])} {money}."
    yield _draft(
        "second price",
        tuple(order),
        chain,
        question,
        answer,
        short=order[1],
        wrong=tuple(item for item in order if item != order[1]),
    )
    chain.calculate(
        f"{figure(rows[order[0]][1])} - {figure(rows[order[-1]][1])}", rows[order[0]][1] - rows[order[-1]][1]
    )
    gap = f"{_say(rows[order[0]][1] - rows[order[-1]][1])} {money}"
    question = (
        "Rank the items from the dearest to the cheapest by unit price. How much do the first and "
        "the last differ in price?"
    )
    yield _draft(
        "price ranking",
        tuple(order),
        chain,
        question,
        f"The order is {listed(order)}; the first costs {gap} more per piece than the last.",
        short=gap,
    )


def _purchase(one: str, other: str, rows: Rows, money: str) -> Draft:
    """A what-if purchase at the printed unit prices."""
    few, many = 2, 4
    chain = Chain("Knowledge Integration")
    parts = []
    for item in (one, other):
        chain.read(item, f"the unit price of {item} is {_say(rows[item][1])} {money}")
    for count, item in ((few, one), (many, other)):
        parts.append(chain.calculate(f"{count} * {figure(rows[item][1])}", count * rows[item][1]))
    total = few * rows[one][1] + many * rows[other][1]
    chain.calculate(" + ".join(parts), total)
    question = f"At the unit prices of the table, what would {few} {one} and {many} {other} cost together?"
    answer = f"{few} {one} and {many} {other} would cost {_say(total)} {money} together."
    wrong = tuple(f"{_say(total + by)} {money}" for by in (0.5, 1.25, -0.4))
    return _draft("purchase", (one, other), chain, question, answer, short=f"{_say(total)} {money}", wrong=wrong)


def _difference(one: str, other: str, rows: Rows, money: str) -> Iterator[Draft]:
    for name, at, unit in (("quantity", 0, ""), ("amount", 2, f" {money}")):
        high, low = sorted((one, other), key=lambda item: -rows[item][at])
        gap = rows[high][at] - rows[low][at]
        if not gap:
            continue
        text = figure if at == 0 else _say
        chain = Chain()
        joint = "of" if at == 0 else "for"
        for item in (high, low):
            chain.read(item, f"the {name} {joint} {item} is {text(rows[item][at])}{unit}")
        chain.calculate(f"{figure(rows[high][at])} - {figure(rows[low][at])}", gap)
        question = f"By how much is the {name} {joint} {high} larger than the {name} {joint} {low}?"
        answer = f"The {name} {joint} {high} is {text(gap)}{unit} larger than the {name} {joint} {low}."
        wrong = tuple(f"{text(gap + by)}{unit}" for by in (1, 2, 3))
        yield _draft(f"{name} gap", (high, low), chain, question, answer, short=f"{text(gap)}{unit}", wrong=wrong)


def _average(rows: Rows, money: str) -> Draft:
    chain = Chain()
    for item, (quantity, _, amount) in rows.items():
        chain.read(item, f"the row of {item} shows a quantity of {quantity} and an amount of {_say(amount)} {money}")
    amounts, quantities = [row[2] for row in rows.values()], [row[0] for row in rows.values()]
    chain.calculate(" + ".join(map(figure, amounts)), sum(amounts))
    chain.calculate(" + ".join(map(str, quantities)), sum(quantities))
    mean = sum(amounts) / sum(quantities)
    chain.calculate(f"{figure(sum(amounts))} / {sum(quantities)}", mean, places=2)
    question = "What is the average price paid per piece over all items of the table?"
    answer = f"On average {_say(mean)} {money} were paid per piece."
    if abs(round(mean, 2) - mean) > 1e-9:
        answer = f"On average about {_say(mean)} {money} were paid per piece."
    return _draft(
        "average price",
        tuple(rows),
        chain,
        question,
        answer,
        short=f"{_say(mean)} {money}",
        wrong=tuple(f"{_say(mean * k)} {money}" for k in (0.7, 1.2, 1.5)),
    )


def _shares(rows: Rows, money: str) -> Draft:
    item = max(rows, key=lambda name: rows[name][2])
    amounts = {name: row[2] for name, row in rows.items()}
    chain = Chain()
    for name, amount in amounts.items():
        chain.read(name, f"the amount for {name} is {_say(amount)} {money}")
    total = sum(amounts.values())
    chain.calculate(" + ".join(map(figure, amounts.values())), total)
    share = 100 * amounts[item] / total
    chain.calculate(f"100 * {figure(amounts[item])} / {figure(total)}", share, places=2)
    question = "Which item has the largest amount, and what percentage of the total amount is that?"
    about = "" if share == round(share, 1) else "about "
    answer = (
        f"The {item} have the largest amount, {_say(amounts[item])} {money}, which is {about}{figure(share, 1)}% "
        "of the total."
    )
    return _draft(
        "amount share",
        tuple(rows),
        chain,
        question,
        answer,
        short=item,
        wrong=tuple(name for name in rows if name != item),
    )
