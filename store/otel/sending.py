"""Spans on their way out: to a collector over OTLP/HTTP, or into a file as collectors read it."""

import base64
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from ...errors import EvolgraphError

BATCH: Final = 512
"""The least spans that go out in one request, while there are more."""
TIMEOUT_S: Final = 10.0
_PATH: Final = "/v1/traces"
_IDS: Final = ("traceId", "spanId", "parentSpanId")


def send(traces: Iterable[Sequence[ReadableSpan]], url: str) -> tuple[int, int]:
    """Sends traces to the OTLP/HTTP receiver at `url`; gives how many traces and spans it took.

    A `url` without a path gets the standard one. Headers come from OTEL_EXPORTER_OTLP_HEADERS. Raises EvolgraphError
    `otlp` when the receiver cannot be reached or refuses.
    """
    place = url if urlsplit(url).path.strip("/") else url.rstrip("/") + _PATH
    exporter = OTLPSpanExporter(place, timeout=TIMEOUT_S)
    sent = spans = 0
    try:
        with _complaints() as said:
            for batch in _batches(traces):
                flat = [span for trace in batch for span in trace]
                if exporter.export(flat) is not SpanExportResult.SUCCESS:
                    told = f"the receiver did not take the spans, {spans} were taken before: {'; '.join(said[:1])}"
                    raise EvolgraphError(told, where=place, remedy="check the address and its log", kind="otlp")
                sent, spans = sent + len(batch), spans + len(flat)
    finally:
        exporter.shutdown()
    return sent, spans


def write(traces: Iterable[Sequence[ReadableSpan]], path: Path) -> tuple[int, int]:
    """Writes one OTLP/JSON request a trace and line, as the collector's `otlpjsonfile` receiver reads them.

    Gives how many traces and spans were written. The file is replaced at the end, whole.
    """
    draft = path.with_name(f".{path.name}.part")
    written = spans = 0
    try:
        with draft.open("wb") as out:
            for trace in traces:
                out.write(orjson.dumps(_plain(trace)) + b"\n")
                written, spans = written + 1, spans + len(trace)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return written, spans


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What the exporter complains of inside the block: it tells its log and nobody else."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    log = logging.getLogger("opentelemetry")
    propagated, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield said
    finally:
        log.removeHandler(handler)
        log.propagate = propagated


def _batches(traces: Iterable[Sequence[ReadableSpan]]) -> Iterator[list[Sequence[ReadableSpan]]]:
    batch: list[Sequence[ReadableSpan]] = []
    for trace in traces:
        batch.append(trace)
        if sum(map(len, batch)) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _plain(trace: Sequence[ReadableSpan]) -> Mapping[str, Any]:
    """The request as JSON; OTLP writes ids in hex where protobuf's own mapping would take base64."""
    request = MessageToDict(encode_spans(trace), use_integers_for_enums=True)
    for resource in request["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                span |= {name: base64.b64decode(span[name]).hex() for name in _IDS if name in span}
    return request
