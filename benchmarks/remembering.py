"""`python -m benchmarks.remembering`: the embedded model, which here thinks about each request only once.

Its replies depend on the request alone, so that runs over the same samples can be repeated quickly. Takes the options
of `python -m evolgraph.endpoints.builtin`, and first `--same-texts`: requests of the same texts then get the same reply
whatever their images' bytes and their seeds, for samples in which equal texts mean equal scenes.
"""

import sys
from collections.abc import Sequence
from typing import ClassVar

from evolgraph.endpoints.builtin import mind
from evolgraph.endpoints.builtin.__main__ import main
from evolgraph.endpoints.builtin.pictures import Picture
from evolgraph.endpoints.builtin.plants import Plant
from evolgraph.endpoints.builtin.request import Request


class Remembering(mind.Mind):
    """A mind that keeps all its replies."""

    same_texts: ClassVar = False

    def __init__(self) -> None:
        super().__init__()
        self._replies: dict[tuple[object, ...], tuple[str, dict[str, str]]] = {}

    def reply(
        self, request: Request, pictures: Sequence[Picture], plants: Sequence[Plant] = ()
    ) -> tuple[str, dict[str, str]]:
        """The reply of the first time."""
        texts = tuple(part for part in request.parts if isinstance(part, str))
        asked: tuple[object, ...] = (texts, len(pictures), request.task)
        if not self.same_texts:
            asked = (texts, tuple(picture.digest for picture in pictures), request.task, request.seed)
        if asked not in self._replies:
            self._replies[asked] = super().reply(request, pictures, plants)
        return self._replies[asked]


if __name__ == "__main__":
    mind.Mind = Remembering
    words = sys.argv[1:]
    if words[:1] == ["--same-texts"]:
        Remembering.same_texts = True
        del words[0]
    sys.exit(main(words))
