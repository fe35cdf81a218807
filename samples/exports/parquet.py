"""Parquet files that `datasets.load_dataset` loads: `id`, `images`, `conversations`, and what is known of
each question.

Embedded images are {bytes, path} with the Hugging Face `Image` feature, so that they come out decoded.
"""

from collections.abc import Iterable, Mapping
from typing import IO, Any, Final

import orjson

from ...errors import EvolgraphError
from .conversation import Conversation, paths, turns
from .pictures import Pictures

_GROUP_ROWS: Final = 1000
_GROUP_BYTES: Final = 32_000_000
"""A row group is closed after so many rows, or bytes of images."""
_TURN: Final = {"from": "string", "value": "string"}
_STEP: Final = {"manipulation": "string", "description": "string"}
_QUESTION: Final = {
    "id": "string",
    "round": "int32",
    "direction": "string",
    "complexity": "float64",
    "form": "string",
    "image_position": "string",
    "objects": ["string"],
    "skills": ["string"],
    "steps": [_STEP],
}
_EMBEDDED: Final = {"bytes": "binary", "path": "string"}


def write_parquet(stream: IO[bytes], rows: Iterable[Conversation], pictures: Pictures) -> None:
    """Writes `rows` as they come. Raises EvolgraphError without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise EvolgraphError("parquet needs pyarrow", remedy="install evolgraph[parquet]") from error
    embedded = pictures.mode == "embed"
    columns = {
        "id": "string",
        "images": [_EMBEDDED if embedded else "string"],
        "conversations": [_TURN],
        "questions": [_QUESTION],
    }
    info = {"info": {"features": {name: _feature(kind) for name, kind in columns.items()}}}
    schema = pa.schema([(name, _type(pa, kind)) for name, kind in columns.items()], {"huggingface": orjson.dumps(info)})
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        group: list[dict[str, Any]] = []
        since = pictures.bytes
        for conversation in rows:
            group.append(_row(conversation, pictures))
            if len(group) == _GROUP_ROWS or pictures.bytes - since >= _GROUP_BYTES:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group, since = [], pictures.bytes
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema))


def _row(conversation: Conversation, pictures: Pictures) -> dict[str, Any]:
    images = conversation.sample.images
    return {
        "id": conversation.id,
        "images": [{"bytes": pictures.data(image), "path": image.path} for image in images]
        if pictures.mode == "embed"
        else paths(conversation.sample),
        "conversations": turns(conversation),
        "questions": [
            {
                "id": version.qa.id,
                "round": version.round,
                "direction": version.direction,
                "complexity": version.score,
                **version.qa.model_dump(include={"form", "image_position", "objects", "skills", "steps"}),
            }
            for version in conversation.versions
        ],
    }


def _type(pa: Any, kind: str | list[Any] | Mapping[str, Any]) -> Any:
    """The Arrow type of a column: a name, a list of one kind, or a structure."""
    if isinstance(kind, list):
        return pa.list_(_type(pa, kind[0]))
    if isinstance(kind, Mapping):
        return pa.struct([(name, _type(pa, inner)) for name, inner in kind.items()])
    return getattr(pa, kind)()


def _feature(kind: str | list[Any] | Mapping[str, Any]) -> Any:
    """The same column as `datasets` describes it."""
    if kind is _EMBEDDED:
        return {"_type": "Image"}
    if isinstance(kind, list):
        return {"_type": "List", "feature": _feature(kind[0])}
    if isinstance(kind, Mapping):
        return {name: _feature(inner) for name, inner in kind.items()}
    return {"_type": "Value", "dtype": kind}
