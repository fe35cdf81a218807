"""The memory of a process and of all that descend from it, looked at from outside. Linux only."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path


class Family:
    """What the processes below `root` have had resident. `names` gives each a name by words of its command line."""

    def __init__(self, root: int, names: Mapping[str, str]) -> None:
        self._root = root
        self._names = names
        self._called: dict[int, str] = {}
        self._looks: dict[int, list[float]] = {}

    def look(self) -> None:
        """Takes note of what each has resident now."""
        for pid in self._members():
            with suppress(OSError, IndexError):  # it may have ended meanwhile
                mb = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
                self._called[pid] = self._name(pid)  # Ray renames its processes
                self._looks.setdefault(pid, []).append(mb)

    def figures(self) -> dict[str, list[dict[str, float]]]:
        """By name, for each process in the order of their starts: its peak in MB, and the means of the second and
        the last quarter of its looks, which tell whether it grows."""
        found: dict[str, list[dict[str, float]]] = {}
        for pid, looks in self._looks.items():
            quarter = max(1, len(looks) // 4)
            second, last = looks[quarter : 2 * quarter] or looks, looks[-quarter:]
            told = {"peak": max(looks), "early": sum(second) / len(second), "late": sum(last) / len(last)}
            found.setdefault(self._called[pid], []).append({one: round(value, 1) for one, value in told.items()})
        return found

    def _name(self, pid: int) -> str:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return next((name for part, name in self._names.items() if part in words), "others")

    def _members(self) -> Iterator[int]:
        parents: dict[int, list[int]] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError, ValueError):
                parent = int(path.read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(path.parent.name))
        waiting = [self._root]
        while waiting:
            pid = waiting.pop()
            yield pid
            waiting += parents.get(pid, [])
