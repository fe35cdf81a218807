"""Rows of Parquet and Arrow files, a few at a time: single files, folders of them, and saved Hugging Face datasets.

Read with pyarrow, which the extra `parquet` installs. Nothing in such a file is executed: columns of extension types
are refused.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from .streaming import Extent, FormatError, Row

if TYPE_CHECKING:
    import pyarrow

COLUMNS: Final = (
    "id", "hash_id", "image", "images", "caption", "det", "topic_name", "conversations_v0", "conversations", "messages",
    "questions", "system",
)  # fmt: skip
"""The columns that are read; others are left alone."""
_CONTENT: Final = {"conversations_v0", "conversations", "messages", "caption"}
_BATCH: Final = 16
_SIGNS: Final = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")


def is_table(path: Path) -> bool:
    """Whether `path` is a folder, or a file that begins like Parquet or Arrow."""
    if path.is_dir():
        return True
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(6).startswith(_SIGNS)


def table_rows(path: Path, extent: Extent | None = None) -> Iterator[Row]:
    """The rows of the table file `path`, or of all those in the folder `path`, noted in `extent` as they are read.

    Raises FormatError when a file is damaged or holds no samples, and when pyarrow is missing.
    """
    try:
        import pyarrow
    except ImportError as error:
        remedy = 'install the extra: pip install "evolgraph[parquet]"'
        raise FormatError("Parquet and Arrow need pyarrow", where=str(path), remedy=remedy) from error
    extent, files = extent or Extent(), _files(path)
    for number, file in enumerate(files):
        try:
            for batch, until in _batches(file):
                extent.share = (number + until) / len(files) if until else 0.0
                for value, error in _values(batch):
                    extent.rows += 1
                    yield Row(f"{file.name} row {extent.rows}", value, error)
        except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
            told = " ".join(str(error).split())[:200]
            raise FormatError(f"damaged table: {told}", where=str(file), remedy="restore the file") from error
    if not extent.rows:
        raise FormatError("no samples: the table is empty", where=str(path), remedy="give a file with samples")


def _files(path: Path) -> list[Path]:
    """The files of a table in order. A folder is a saved Hugging Face dataset, or holds Parquet files."""
    if path.is_file():
        return [path]
    if (path / "dataset_dict.json").is_file():
        splits = _described(path / "dataset_dict.json").get("splits") or []
        remedy = " or ".join(str(path / str(split)) for split in splits[:4]) if isinstance(splits, list) else ""
        raise FormatError("a dataset of several splits", where=str(path), remedy=f"give one of them: {remedy}")
    if (path / "state.json").is_file():
        return [_inside(path, entry) for entry in _described(path / "state.json").get("_data_files") or []]
    found = _regular(path.glob("*.parquet")) or _regular(path.glob("data/*.parquet"))
    if not found:
        remedy = "give a file, a dataset that save_to_disk wrote, or a folder of Parquet files"
        raise FormatError("not a regular file and no dataset", where=str(path), remedy=remedy)
    return found


def _regular(paths: Iterable[Path]) -> list[Path]:
    """The regular files among `paths`, sorted: to open a pipe is to wait for ever."""
    return sorted(path for path in paths if path.is_file())


def _described(path: Path) -> dict[str, Any]:
    try:
        found = orjson.loads(path.read_bytes())
    except (orjson.JSONDecodeError, OSError) as error:
        raise FormatError("not valid JSON", where=str(path), remedy="save the dataset anew") from error
    if not isinstance(found, dict):
        raise FormatError("expected an object", where=str(path), remedy="save the dataset anew")
    return found


def _inside(folder: Path, entry: object) -> Path:
    name = entry.get("filename") if isinstance(entry, dict) else None
    if not isinstance(name, str) or Path(name).name != name or not (folder / name).is_file():
        where, remedy = str(folder / "state.json"), "save the dataset anew"
        raise FormatError(f"names no file of its folder: {name!r}", where=where, remedy=remedy)
    return folder / name


def _batches(file: Path) -> Iterator[tuple["pyarrow.RecordBatch", float]]:
    """The rows of `file`, each time with the share of the file that has come then; 0 where it does not say."""
    import pyarrow
    from pyarrow import parquet

    with file.open("rb") as stream:
        sign = stream.read(6)
    if sign.startswith(b"PAR1"):
        # Buffered and not mapped: a mapped file's pages count as memory of the process.
        with parquet.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False) as table:
            columns = _columns(table.schema_arrow, file)
            come = 0
            for batch in table.iter_batches(batch_size=_BATCH, columns=columns, use_threads=False):
                come += batch.num_rows
                yield batch, come / table.metadata.num_rows
        return
    with pyarrow.OSFile(str(file)) as source:
        if sign.startswith(b"ARROW1"):
            reader = pyarrow.ipc.open_file(source)
            total = reader.num_record_batches
            batches = (reader.get_batch(number) for number in range(total))
        else:
            reader = pyarrow.ipc.open_stream(source)
            batches, total = iter(reader), 0
        columns = _columns(reader.schema, file)
        for number, batch in enumerate(batches):
            chosen = batch.select(columns)
            for start in range(0, chosen.num_rows, _BATCH):
                part = chosen.slice(start, _BATCH)
                come = number + (start + part.num_rows) / chosen.num_rows
                yield part, come / total if total else 0.0


def _columns(schema: "pyarrow.Schema", file: Path) -> list[str]:
    """The columns to read. Raises FormatError when none holds questions or captions, or one is of an extension type."""
    chosen = [name for name in schema.names if name in COLUMNS]
    if len(set(chosen)) < len(chosen):
        raise FormatError("two columns have one name", where=str(file), remedy="give each its own name")
    if not _CONTENT & set(chosen):
        told = ", ".join(schema.names[:12]) or "none"
        remedy = "name a column conversations_v0, conversations, messages or caption"
        raise FormatError(f"wrong columns: no questions among {told}", where=str(file), remedy=remedy)
    for name in chosen:
        if _is_extension(schema.field(name)):
            remedy = "save the column as texts, bytes, lists or structs"
            raise FormatError(f"column {name} has an extension type", where=str(file), remedy=remedy)
    return chosen


def _is_extension(field: "pyarrow.Field") -> bool:
    import pyarrow

    marked = b"ARROW:extension:name" in (field.metadata or {})
    inner = [field.type.field(index) for index in range(field.type.num_fields)]
    return marked or isinstance(field.type, pyarrow.BaseExtensionType) or any(map(_is_extension, inner))


def _values(batch: "pyarrow.RecordBatch") -> Iterator[tuple[Any, str]]:
    """The rows of `batch`; one that cannot be read, such as for bad UTF-8, comes with its error and alone."""
    try:
        batch.validate(full=True)  # the offsets in a file are not to be trusted: they lead anywhere in memory
        rows = batch.to_pylist()
    except (ValueError, OverflowError) as error:
        if batch.num_rows > 1:
            for index in range(batch.num_rows):
                yield from _values(batch.slice(index, 1))
        else:
            yield None, f"cannot be read: {' '.join(str(error).split())[:200]}"
        return
    yield from ((_bare(row), "") for row in rows)


def _bare(value: Any) -> Any:
    """`value` without the nulls of its structs, which stand for fields that are not there."""
    if isinstance(value, dict):
        return {key: _bare(inner) for key, inner in value.items() if inner is not None}
    return [_bare(inner) for inner in value] if isinstance(value, list) else value
