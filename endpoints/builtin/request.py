"""A chat completions body as the embedded model reads it: the task, the images and the fenced data blocks.

Nothing but the request is read. Whatever a block says is data: only its JSON is used, its wording has no effect.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ...errors import EvolgraphError
from .held import HeldImages

MODEL: Final = "builtin"
TASKS: Final = ("perception", "reasoning", "interaction", "judge", "blind", "curation", "evidence")
MAX_IMAGES: Final = 16
_MAX_ROWS: Final = 64
_BLOCK: Final = re.compile(r"^```json (\w+)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_LISTS: Final = ("questions", "rejected", "proposed", "pairs")

Row = Mapping[str, Any]


class BadRequest(EvolgraphError):
    """A request that is refused: an HTTP `status`, and `param` names the field at fault."""

    kind = "invalid_request_error"

    def __init__(self, message: str, *, param: str | None = None, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.status = status
        self.code = code

    def body(self) -> dict[str, Any]:
        """The error as OpenAI's servers write it."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True, slots=True)
class Request:
    """What one chat request says.

    `task` is one of TASKS, the name of another direction whose reply evolves questions, or "" for any other chat.
    `parts` is the prompt in its order: texts as str, images as the bytes of their data URI; `uuids` are the names that
    the images go by, None where a request gives none. `facts` and the row lists hold the JSON of the blocks, empty
    where a block is absent. `schema` is what the reply shall fit.
    """

    task: str
    parts: tuple[str | bytes, ...]
    uuids: tuple[str | None, ...]
    schema: Row | None
    facts: Row
    questions: tuple[Row, ...]
    rejected: tuple[Row, ...]
    proposed: tuple[Row, ...]
    pairs: tuple[Row, ...]
    look: Row
    seed: int
    max_tokens: int | None

    @property
    def images(self) -> tuple[bytes, ...]:
        """The data URIs of the images, in order."""
        return tuple(part for part in self.parts if isinstance(part, bytes))


def parse(raw: bytes, held: HeldImages | None) -> Request:
    """The request in the body `raw`; `held` has the images of earlier ones, None where uuids mean nothing.

    Raises BadRequest (400) when the body is no usable chat completions request and (404) for another model.
    """
    body = _body(raw)
    uuids: list[str | None] = []
    parts = tuple(_parts(body, held, uuids))
    if len(uuids) > MAX_IMAGES:
        raise BadRequest(f"at most {MAX_IMAGES} images in a request", param="messages")
    blocks = _blocks(parts)
    task = _task(body)
    needed = {"judge": "pairs", "curation": "facts", "evidence": "look", "": ""}.get(task, "questions")
    if needed and needed not in blocks:
        raise BadRequest(f"the task {task} needs a fenced block `{needed}`", param="messages")
    rows = {name: _rows(name, blocks.get(name, [])) for name in _LISTS}
    _boxes("proposed", rows["proposed"])
    return Request(
        task=task,
        parts=parts,
        uuids=tuple(uuids),
        schema=_schema(body),
        facts=_facts(blocks.get("facts", {})),
        look=_look(blocks.get("look", {})),
        seed=_integer(body, "seed", default=0) or 0,
        max_tokens=_integer(body, "max_completion_tokens", default=_integer(body, "max_tokens", default=None)),
        **rows,
    )


def _body(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    model = body.get("model")
    if not isinstance(model, str):
        raise BadRequest("`model` must be a string", param="model")
    if model != MODEL:
        raise BadRequest(
            f"The model `{model[:100]}` does not exist.", param="model", status=404, code="model_not_found"
        )
    if body.get("stream"):
        raise BadRequest("this server does not stream", param="stream")
    if body.get("n") not in (None, 1):
        raise BadRequest("this server gives one choice", param="n")
    return body


def _integer(body: Row, name: str, *, default: int | None) -> int | None:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or (name != "seed" and value < 1):
        raise BadRequest(f"`{name}` must be a whole number", param=name)
    return value


def _parts(body: Row, held: HeldImages | None, uuids: list[str | None]) -> Iterator[str | bytes]:
    """The parts of all messages; of each image the uuid is added to `uuids`."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequest("`messages` must be a list that is not empty", param="messages")
    for position, message in enumerate(messages):
        where = f"messages[{position}]"
        if not isinstance(message, dict) or message.get("role") not in ("system", "user", "assistant"):
            raise BadRequest(f"{where} needs a role: system, user or assistant", param=where)
        content = message.get("content")
        if isinstance(content, str):
            yield content
        elif isinstance(content, list):
            for index, part in enumerate(content):
                yield _part(part, f"{where}.content[{index}]", held, uuids)
        else:
            raise BadRequest(f"{where}.content must be a string or a list of parts", param=where)


def _part(part: Any, where: str, held: HeldImages | None, uuids: list[str | None]) -> str | bytes:
    match part:
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": "image_url"}:
            return _image(part, where, held, uuids)
    raise BadRequest(f"{where} must be a text or an image_url part", param=where)


def _image(part: Row, where: str, held: HeldImages | None, uuids: list[str | None]) -> bytes:
    uuid = part.get("uuid") if held else None
    if uuid is not None and not isinstance(uuid, str):
        raise BadRequest(f"{where}.uuid must be a string", param=where)
    uuids.append(uuid)
    known = held.find(uuid) if held and uuid else None
    match part.get("image_url"):
        case {"url": str(url)} if url.startswith("data:image/"):
            return known or url.encode()
        case {"url": str()}:
            raise BadRequest(f"{where}: only data URIs of images are read, no addresses", param=where)
        case None if known:
            return known
        case None if uuid:
            # In the words of vLLM, so that a client's remedy for its caches is tried here too.
            index = len(uuids) - 1
            raise BadRequest(f"Cache miss for image at index {index} but data is not provided.", param=where)
    raise BadRequest(f"1 validation error: {where}.image_url: Input should be a valid dictionary", param=where)


def _schema(body: Row) -> Row | None:
    match body.get("response_format"):
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}} if schema:
            return schema
    return None


def _task(body: Row) -> str:
    match body.get("response_format"):
        case {"type": "json_schema", "json_schema": {"name": str(name)}} if (task := name.partition("-")[0]) in TASKS:
            return task
        case {"type": "json_schema", "json_schema": {"name": str(name), "schema": {"properties": {"evolved": _}}}}:
            return name
    return ""


def _blocks(parts: tuple[str | bytes, ...]) -> dict[str, Any]:
    """The fenced blocks by name; of two with one name the first holds (a later one may quote it)."""
    blocks: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, bytes):
            continue
        for name, text in _BLOCK.findall(part):
            if name not in blocks:
                try:
                    blocks[name] = orjson.loads(text)
                except orjson.JSONDecodeError as error:
                    raise BadRequest(f"the block `{name}` is not JSON: {error}", param="messages") from error
    return blocks


def _rows(name: str, value: Any) -> tuple[Row, ...]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise BadRequest(f"the block `{name}` must be a list of objects", param="messages")
    if len(value) > _MAX_ROWS:
        raise BadRequest(f"the block `{name}` has {len(value)} rows, more than {_MAX_ROWS}", param="messages")
    return tuple(value)


def _look(value: Any) -> Row:
    if not isinstance(value, dict):
        raise BadRequest("the block `look` must be an object", param="messages")
    return value


def _facts(value: Any) -> Row:
    if not isinstance(value, dict):
        raise BadRequest("the block `facts` must be an object", param="messages")
    if not isinstance(value.get("caption") or "", str):
        raise BadRequest("the caption in the block `facts` must be a string", param="messages")
    for name in ("images", "boxes", "topic"):
        if not isinstance(value.get(name) or [], list):
            raise BadRequest(f"`{name}` in the block `facts` must be a list", param="messages")
    if not all(_is_size(row) for row in value.get("images") or ()):
        raise BadRequest("an image in the block `facts` needs a width and a height", param="messages")
    _boxes("facts", value.get("boxes") or [])
    return value


def _boxes(name: str, rows: Sequence[Any]) -> None:
    if not all(_is_box(row) for row in rows):
        raise BadRequest(f"a box in the block `{name}` needs a label and four ordered fractions", param="messages")


def _is_size(row: Any) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(side), int) for side in ("width", "height"))


def _is_box(row: Any) -> bool:
    match row:
        case {"label": str(), "bbox": [x1, y1, x2, y2]} if isinstance(row.get("image", 0), int):
            numbers = all(isinstance(value, int | float) for value in (x1, y1, x2, y2))
            return numbers and 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1
    return False
