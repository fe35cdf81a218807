"""The pages over HTTP, on this machine only. What a store holds is foreign text: it is shown, never obeyed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import web
from jinja2 import Environment

from ..errors import EvolgraphError
from ..store.connections import reading
from ..store.traces import runs
from .asked import Asked, AskedError, Kept, Prices
from .pages import PAGES, PULSE, STATIC, Build, Links, environment, rendered
from .pictures import MIME, SIDES, Pictures

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_FOREVER: Final = "private, max-age=31536000, immutable"


class Viewer:
    """The pages of one store. `images` is the folder that image paths are relative to."""

    def __init__(self, store: Path, images: Path, prices: Prices | None = None) -> None:
        self.store = store
        self.prices = prices or Prices()
        self.templates: Environment = environment()
        self.links = Links()
        self._pictures = Pictures(store, images)
        self._kept = Kept()
        self._hosts: frozenset[str] = frozenset()

    def app(self) -> web.Application:
        """The web application."""
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/", self._home)
        app.router.add_get("/index.json", self._home_json)
        app.router.add_get("/static/{name}", self._static)
        app.router.add_get("/images/{digest:[0-9a-f]{64}}/{size}", self._image)
        app.router.add_get("/runs/{run}/pulse.json", self._pulse)
        for name, (build, template) in PAGES.items():
            app.router.add_get(f"/runs/{{run}}/{name}", self._page(name, build, template))
            app.router.add_get(f"/runs/{{run}}/{name}.json", self._twin(build))
        return app

    async def start(self, port: int) -> tuple[web.AppRunner, str]:
        """Listens on 127.0.0.1; gives the runner, to be cleaned up, and the URL. Raises OSError when it cannot."""
        runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except BaseException:
            await runner.cleanup()
            raise
        bound = runner.addresses[0][1]
        self._hosts = frozenset({f"127.0.0.1:{bound}", f"localhost:{bound}"})
        return runner, f"http://127.0.0.1:{bound}/"

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answers only what was asked of this very server, and tells every browser how to treat the answer."""
        try:
            response = await self._admitted(request, handler)
        except web.HTTPException as error:
            error.headers.update(HEADERS)
            if error.status >= 400:
                return self._refusal(error.status, error.reason)
            raise
        except AskedError as error:
            missing = error.kind == "missing"
            return self._refusal(404 if missing else 400, "there is no such page" if missing else str(error))
        except EvolgraphError as error:
            return self._refusal(503, str(error))
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    async def _admitted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1:
            raise web.HTTPBadRequest(reason="one Host header is needed")
        if hosts[0] not in self._hosts:
            # A name that somebody else's DNS points here would let their page read this one.
            raise web.HTTPForbidden(reason="asked for under a foreign name")
        origins = request.headers.getall("Origin", [])
        if any(origin not in {f"http://{host}" for host in self._hosts} for origin in origins):
            raise web.HTTPForbidden(reason="asked for by a foreign page")
        return await handler(request)

    def _refusal(self, status: int, message: str) -> web.Response:
        page = rendered(self.templates, "message.html", self.links, {"status": status, "message": message})
        return web.Response(text=page, status=status, content_type="text/html", headers=HEADERS)

    async def _home(self, _: web.Request) -> web.Response:
        found = await asyncio.to_thread(self._runs)
        if len(found) == 1:
            raise web.HTTPFound(self.links.page(found[0]["id"], "overview"))
        page = rendered(self.templates, "runs.html", self.links, {"runs": found, "store": self.store.name})
        return web.Response(text=page, content_type="text/html")

    async def _home_json(self, _: web.Request) -> web.Response:
        return _json({"runs": await asyncio.to_thread(self._runs)})

    def _runs(self) -> list[dict[str, Any]]:
        with reading(self.store) as db:
            return [
                {"id": run.id, "created_ns": run.created_ns, "samples": run.samples, "settled": run.settled,
                 "policy": run.fingerprint.get("policy", "")}
                for run in runs(db)
            ]  # fmt: skip

    async def _static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in STATIC:
            raise web.HTTPNotFound
        data = files("evolgraph.viewer").joinpath("static", name).read_bytes()
        return web.Response(body=data, content_type=STATIC[name], charset="utf-8")

    async def _image(self, request: web.Request) -> web.Response:
        size = request.match_info["size"]
        if size not in SIDES:
            raise web.HTTPNotFound
        data = await asyncio.to_thread(self._picture, request.match_info["digest"], size)
        if data is None:
            raise web.HTTPNotFound
        return web.Response(body=data, content_type=MIME, headers={"Cache-Control": _FOREVER})

    def _picture(self, digest: str, size: str) -> bytes | None:
        with reading(self.store) as db:
            return self._pictures.get(db, digest, size)

    async def _pulse(self, request: web.Request) -> web.Response:
        return _json(await self._built(request, PULSE))

    def _page(self, name: str, build: Build, template: str) -> Handler:
        async def page(request: web.Request) -> web.Response:
            contents = await self._built(request, build)
            text = await asyncio.to_thread(rendered, self.templates, template, self.links, contents, name)
            return web.Response(text=text, content_type="text/html")

        return page

    def _twin(self, build: Build) -> Handler:
        async def twin(request: web.Request) -> web.Response:
            return _json(await self._built(request, build))

        return twin

    async def _built(self, request: web.Request, build: Build) -> dict[str, Any]:
        if len(request.query) != len(set(request.query)):
            raise AskedError("something is asked for twice")
        return await asyncio.to_thread(self.built, build, request.match_info["run"], dict(request.query))

    def built(self, build: Build, run: str, query: Mapping[str, str]) -> dict[str, Any]:
        """What a page of `run` shows. Raises AskedError, of the kind `missing` when there is no such run or sample."""
        with reading(self.store) as db:
            if not db.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone():
                raise AskedError("there is no such run", kind="missing")
            return build(Asked(db, run, query, self.prices, self._kept))


def _json(contents: Mapping[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(contents), content_type="application/json")
