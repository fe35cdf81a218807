"""The `evolgraph` command: its groups are imported only when they are called, so that `--help` stays quick."""

import gc
import importlib
import io
import sys
import warnings
from typing import Final

import click

from ..errors import EvolgraphError

COMMANDS: Final = {
    "check": ("check:check", "Ask servers what they really do: images, schemas, token counts, caches, queues."),
    "compare": ("compare:compare", "Compare two runs over the same seeds, with intervals."),
    "evolve": ("evolve:evolve", "Evolve seeds: route every sample among the agents until it is complex enough."),
    "export": ("export:export", "Write a run's questions in a training format."),
    "graph": ("graph:graph", "Draw the state machine."),
    "judge": ("judge:judge", "Hold the judge's verdicts against those of people, and ask it anew."),
    "merge": ("merge:merge", "Merge the stores of a run by several workers into one."),
    "policy": ("policy:policy", "Judge and tune routing policies on a recorded run."),
    "report": ("report:report", "Report on a run: figures, charts and examples in one HTML file."),
    "seeds": ("seeds:seeds", "Draw seed samples with known truth, or check yours."),
    "serve": ("serve:serve", "Serve the embedded model over HTTP."),
    "trace": ("trace:trace", "Look into what the agents did and why."),
    "view": ("view:view", "Show what the agents did in a browser."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' one-line help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command `cmd_name`, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        return getattr(importlib.import_module(f"..{module}", __name__), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands with their one-line help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="evolgraph", prog_name="evolgraph")
def cli() -> None:
    """Evolve image-text instruction data with a graph of agents (MMEvol, arXiv 2409.05840)."""


def main() -> None:
    """Runs the command line. Exits with 2 and one line on a set-up error, with 130 when interrupted."""
    # Names that are not UTF-8, and terminals that are not, are no reason to stop: they get `\xe9` for what they lack.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Walking what is imported, again and again, takes a fifth of a start, and finds nothing to collect.
    gc.set_threshold(50_000, 20, 20)
    # What Pillow warns of is refused or harmless, and told in our words.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        sys.exit(cli.main(standalone_mode=False, auto_envvar_prefix="EVOLGRAPH"))
    except EvolgraphError as error:
        _fail(str(error), 2)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        _fail(" ".join(error.format_message().split()), 2)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}", 2)


def _fail(line: str, code: int) -> None:
    click.echo(f"evolgraph: {line}", err=True)
    sys.exit(code)
