import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from evolgraph.store import store as store_module
from evolgraph.store.connections import open_for_reading, reading
from evolgraph.store.errors import StoreError
from evolgraph.store.store import Store


async def refusal(path: Path) -> StoreError:
    with pytest.raises(StoreError) as caught:
        async with Store.open(path):
            pass
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return caught.value


def started(script: str, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_a_second_owner_in_the_same_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path):
        assert (await refusal(path)).kind == "locked"
    async with Store.open(path):
        pass


async def test_an_opening_that_is_cut_off_leaves_the_store_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.db"
    begun, go_on = threading.Event(), threading.Event()

    def held(where: Path) -> Any:
        begun.set()
        go_on.wait(10)
        return opened(where)

    opened = store_module._opened
    monkeypatch.setattr(store_module, "_opened", held)
    opening = asyncio.create_task(Store.open(path).__aenter__())
    await asyncio.to_thread(begun.wait, 10)
    opening.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    monkeypatch.undo()
    async with Store.open(path):
        pass


async def test_a_second_process_is_refused_with_the_owners_pid_and_host(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    script = (
        "import asyncio, sys, socket\n"
        "from evolgraph.store.store import Store\n"
        "async def main():\n"
        "    async with Store.open(sys.argv[1]):\n"
        "        print(socket.gethostname(), flush=True)\n"
        "        sys.stdin.read()\n"
        "asyncio.run(main())\n"
    )
    with started(script, path) as child:
        assert child.stdout
        host = child.stdout.readline().strip()
        error = await refusal(path)
        child.communicate("")
    assert error.kind == "locked"
    assert f"process {child.pid} on {host}" in str(error)
    async with Store.open(path):
        pass


async def test_what_is_not_a_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "seeds.json"
    text.write_text('[{"id": 1}]')
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (a)")
    db.close()
    content = other.read_bytes()
    for path in (text, other, tmp_path):
        assert (await refusal(path)).kind == "not-a-store"
    assert text.read_text() == '[{"id": 1}]'
    assert other.read_bytes() == content
    assert (await refusal(tmp_path / "absent" / "run.db")).kind == "open"
    with pytest.raises(StoreError, match="no such store"):
        open_for_reading(tmp_path / "absent.db")


async def test_a_damaged_store_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path):
        pass
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    path.write_bytes(content)
    error = await refusal(path)
    assert error.kind == "corrupt"
    assert error.remedy


async def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path):
        pass
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO _sqlite_migrations VALUES (99, 'evolgraph', 'm0099_future', 'now')")
    db.close()
    assert (await refusal(path)).kind == "newer"
    with pytest.raises(StoreError, match="upgrade"):
        open_for_reading(path)


LOOK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(*db.execute("SELECT count(*) FROM runs"))
db.close()
"""


@pytest.mark.parametrize("look", ["not at all", "read", "open again"])
async def test_another_program_that_looks_does_not_take_the_log_away(tmp_path: Path, look: str) -> None:
    """The last connection that closes removes the log: nothing may make another program's seem the last."""
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        if look == "read":
            with reading(path):
                pass
        if look == "open again":
            assert (await refusal(path)).kind == "locked"
        for number in (1, 2):
            row = {"id": str(number), "created_ns": number, "fingerprint": {}, "seed": 0}
            await store.writer.insert({"runs": [row]})
            with started(LOOK, path) as child:
                assert child.communicate()[0] == f"({number},)\n"
            assert path.with_name("run.db-wal").exists()


async def test_readers_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        with pytest.raises(StoreError, match="permissions"), reading(path) as db:
            db.execute("DELETE FROM runs")
        with pytest.raises(StoreError, match="no such table"):
            await store.read(lambda db: db.execute("SELECT * FROM nowhere"))


async def test_a_reader_that_stays_does_not_hold_up_the_end(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with contextlib.ExitStack() as stack:
        async with asyncio.timeout(5), Store.open(path) as store:
            db = stack.enter_context(reading(path))
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM runs").fetchone()
            await store.writer.write([("DELETE FROM runs", ())])
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (0,)


async def test_an_error_in_the_block_passes_and_the_store_is_released(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with pytest.raises(ZeroDivisionError):
        async with Store.open(path):
            raise ZeroDivisionError
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), Store.open(path):
            await asyncio.sleep(60)
    async with Store.open(path):
        pass
