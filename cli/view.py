"""`evolgraph view`: what the agents did, in a browser."""

import asyncio
import signal
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import EvolgraphError
from ..store.connections import reading
from ..viewer.asked import Prices
from .stores import StorePath
from .tracing import RUN, chosen_run

if TYPE_CHECKING:
    from ..viewer.server import Viewer

PORT = 8484
"""Where the pages are unless somebody else is there; the same each time, so that addresses can be kept."""


@click.command()
@click.argument("store", type=StorePath())
@RUN
@click.option("--port", type=click.IntRange(0, 65535), show_default=f"{PORT}, or a free one", help="0: a free one.")
@click.option(
    "--images", type=click.Path(path_type=Path, file_okay=False), help="Folder of the images.  [default: the run's]"
)
@click.option("--price-in", type=click.FloatRange(0), help="Money for a million prompt tokens, to show costs.")
@click.option("--price-out", type=click.FloatRange(0), help="Money for a million completion tokens.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option(
    "--export", "folder", type=click.Path(path_type=Path, file_okay=False), help="Write pages that need no server."
)
def view(
    store: Path,
    *,
    run_id: str | None,
    port: int | None,
    images: Path | None,
    price_in: float | None,
    price_out: float | None,
    no_browser: bool,
    folder: Path | None,
) -> None:
    """Show the runs of STORE in a browser, also while they go on."""
    root = images or run_images(store)
    prices = Prices(price_in, price_out)
    if folder:
        from ..viewer.bundle import export

        written = export(store, chosen_run(store, run_id), root, folder, prices)
        click.echo(str(folder / "index.html"))
        click.echo(f"{written} sample{'s' if written != 1 else ''}", err=True)
        return
    from ..viewer.server import Viewer

    page = f"runs/{chosen_run(store, run_id)}/overview" if run_id else ""
    asyncio.run(_serve(Viewer(store, root, prices), port, page, browse=not no_browser))


def run_images(store: Path) -> Path:
    """The folder in which the newest start of a run in `store` found its images; else that of the store."""
    with reading(store) as db:
        row = db.execute("SELECT images FROM sessions ORDER BY started_ns DESC LIMIT 1").fetchone()
    return Path(row[0]) if row and row[0] else store.absolute().parent


async def _serve(viewer: "Viewer", port: int | None, page: str, *, browse: bool) -> None:
    """Serves until Ctrl-C; `page` is the one that is opened, the first where it is empty."""
    try:
        runner, url = await viewer.start(PORT if port is None else port)
    except OSError as error:
        if port is not None:
            told = f"port {port} cannot be used: {error.strerror}"
            raise EvolgraphError(told, remedy="give another --port", kind="view") from error
        runner, url = await viewer.start(0)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    url += page
    click.echo(url)
    click.echo("Press Ctrl-C to stop.", err=True)
    if browse:
        await asyncio.to_thread(webbrowser.open, url)
    try:
        await stopped.wait()
    finally:
        await runner.cleanup()
