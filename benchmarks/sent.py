"""The bodies of the requests whose replies a store holds, rebuilt from it, as a server names them at /stats."""

import hashlib
from pathlib import Path
from typing import Any

from evolgraph.agents.replies import EvolveReply, JudgeReply
from evolgraph.endpoints.chat import CallKey, ImagePart, Message, Part, TextPart
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.endpoints.fragments import Fragments
from evolgraph.endpoints.wire import Call, body, request_seed
from evolgraph.samples.images import ImageRoot
from evolgraph.samples.sample import Image
from evolgraph.store import traces
from evolgraph.store.connections import reading
from evolgraph.store.runs import newest_run


class Committed:
    """Knows the body of every committed call of one store; each is built once."""

    def __init__(self, store: Path, images: Path, endpoint: Endpoint) -> None:
        self._store = store
        self._endpoint = endpoint
        self._fragments = Fragments(ImageRoot(images))
        self._known: dict[str, str] = {}

    async def bodies(self) -> set[str]:
        """The hashes of the bodies whose replies are committed now. Raises StoreError when there is no store yet."""
        with reading(self._store) as db:
            run = newest_run(db)
            if run is None:
                return set()
            rows = db.execute("SELECT key, sample FROM calls WHERE run = ? AND http_status = 200", (run.id,)).fetchall()
            for sample in sorted({sample for key, sample in rows if key not in self._known}):
                found = traces.trace(db, run.id, sample)
                for call in found.calls if found else ():
                    self._known[call.key] = await self._body(sample, call, run.seed)
        return {self._known[key] for key, _ in rows}

    async def _body(self, sample: str, call: traces.Call, seed: int) -> str:
        key = CallKey(sample, call.round, call.agent, call.take)
        judging = call.agent == "judge"
        sent = Call(
            key=key,
            step=call.step,
            role="judge" if judging else "evolver",
            messages=tuple(Message(turn["role"], tuple(map(_part, turn["parts"]))) for turn in call.messages),
            reply=JudgeReply if judging else EvolveReply,
            seed=request_seed(seed, key, call.step),
        )
        made = await body(sent, call.model, self._endpoint.sampling(), self._fragments)
        return hashlib.blake2b(made.content, digest_size=16).hexdigest()


def _part(part: dict[str, Any]) -> Part:
    if part["type"] == "text":
        return TextPart(part["text"])
    return ImagePart(Image(path=part["path"], sha256=part["sha256"], width=1, height=1))
