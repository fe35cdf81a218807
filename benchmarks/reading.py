"""`python -m benchmarks.reading`: reads the first rows of a seed file. Prints one JSON object."""

import argparse
import sys
from itertools import islice
from pathlib import Path

import orjson
from evolgraph.samples.formats.reader import read

from .usage import Used


def main() -> None:
    """Reads the options and the rows, and prints the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.reading", description=__doc__)
    parser.add_argument("--seeds", type=Path, required=True)
    parser.add_argument("--rows", type=int, required=True)
    given = parser.parse_args()
    used = Used()
    count = sum(1 for _ in islice(read(given.seeds), given.rows))
    print(orjson.dumps({"rows": count, **used.figures()}).decode())


if __name__ == "__main__":
    sys.exit(main())
