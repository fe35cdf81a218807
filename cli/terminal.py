"""Where the commands print."""

from rich.console import Console


def terminal(*, stderr: bool = False) -> Console:
    """Standard output, or standard error, for text that is shown as it is.

    File names, ids and what servers and models say may hold `[/x]` or `:100:`, which rich takes for its own markup.
    """
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)
