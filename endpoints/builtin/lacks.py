"""What the embedded server can be told to do without, so that it stands for poorer servers."""

import difflib
from collections.abc import Iterable
from typing import Final

from ...errors import EvolgraphError

LACKS: Final = {
    "schema": "`response_format` is ignored: JSON comes in prose or a fence, with names of its own"
    " unless the prompt holds the schema",
    "usage": "no token counts",
    "cached": "no details of the prompt's tokens: cached ones, those of images",
    "uuid": "the `uuid` of an image is ignored, and a null `image_url` refused",
    "metrics": "no /metrics",
    "images": "images are refused",
}


class LackError(EvolgraphError):
    """Something that the server cannot be told to do without."""

    kind = "lack"


def parse_lacks(texts: Iterable[str]) -> frozenset[str]:
    """The words of LACKS in `texts`, each one word or several with commas between. Raises LackError."""
    words = [word.strip() for text in texts for word in text.split(",")]
    for word in words:
        if word not in LACKS:
            near = difflib.get_close_matches(word, LACKS, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(LACKS)}"
            raise LackError(f"the server has no {word!r} to do without", where="--without", remedy=hint)
    return frozenset(words)
