"""The bound on a file: what would pass it is rolled back, and free pages are given back."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest
import store_helpers as sh

from spatialmem.errors import OutOfRoom
from spatialmem.store import schema as sch
from spatialmem.store.file import MemoryFile
from spatialmem.store.queries import disk_sizes
from spatialmem.store.room import HeldByReader, wal_bytes_of

LIMIT = 8 << 20


@pytest.fixture
def file(tmp_path):
    with sh.new_memory(tmp_path / "a.mem", frames=3) as file:
        file.keep_within(LIMIT)
        yield file


def noise(megabytes: float, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(int(megabytes * (1 << 20)))


def put(file: MemoryFile, rows: int, megabytes: float, first: int = 1000) -> None:
    """Vectors of frames that are not there, in one transaction."""

    def write(connection):
        for n in range(rows):
            connection.execute(sch.VECTORS.insert, sch.with_crc((first + n, noise(megabytes, first + n))))
            assert disk_sizes(file.path)["total"] <= LIMIT

    file.change("testing", write)


def count(file: MemoryFile) -> int:
    return file.read(lambda connection: connection.execute("SELECT count(*) FROM vectors").fetchone()[0])


@pytest.mark.parametrize(("rows", "megabytes"), [(40, 0.25), (400, 0.02), (4000, 0.002)])
def test_a_transaction_that_is_too_large_is_rolled_back(file, rows, megabytes):
    before = count(file)
    with pytest.raises(OutOfRoom, match="8,388,608 bytes"):
        put(file, rows, megabytes)
    assert count(file) == before and disk_sizes(file.path)["total"] <= LIMIT
    sh.append(file, 4)
    assert file.last_lsn == 4


def test_many_small_transactions_stop_at_the_bound(file):
    done = 0
    with pytest.raises(OutOfRoom):
        for n in range(1000):
            put(file, 4, 0.02, first=1000 + 4 * n)
            done += 1
    sizes = disk_sizes(file.path)
    assert done > 40 and 0.7 * LIMIT < sizes["total"] <= LIMIT and count(file) == 3 + 4 * done


def test_a_large_transaction_is_let_in_when_it_says_so(file):
    room = file._writer.room
    with room.expecting(wal_bytes_of([150_000] * 20)):
        put(file, 20, 0.14)
    assert count(file) == 23 and disk_sizes(file.path)["total"] <= LIMIT
    with pytest.raises(OutOfRoom), room.expecting(wal_bytes_of([150_000] * 60)):
        put(file, 1, 0.01, first=5000)


def test_a_reader_that_holds_the_wal_is_named(file):
    reader = sqlite3.connect(file.path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM vectors").fetchone()
    with pytest.raises(HeldByReader, match="from being folded into it"):
        for n in range(1000):
            put(file, 4, 0.02, first=1000 + 4 * n)
    reader.close()
    put(file, 4, 0.02, first=9000)
    assert disk_sizes(file.path)["total"] <= LIMIT


def test_free_pages_are_given_back(file):
    for n in range(8):
        put(file, 4, 0.05, first=1000 + 4 * n)
    room = file._writer.room
    room.fold()
    before = file.path.stat().st_size
    file.change("testing", lambda connection: connection.execute("DELETE FROM vectors WHERE lsn >= 1000"))
    room.fold()
    assert file.path.stat().st_size == before
    room.give_back()
    assert file.path.stat().st_size < before - (1 << 20) and file.sizes()["free"] == 0
    assert disk_sizes(file.path)["wal"] == 0


def test_rewriting_in_place_keeps_every_row_and_no_old_byte(file, monkeypatch):
    for n in range(6):
        put(file, 8, 0.05, first=1000 + 8 * n)
    old = [noise(0.05, 1000 + n)[at : at + 24] for n in range(0, 48, 3) for at in (20, 3000, 20_000, 52_000)]

    def remove(connection):
        connection.execute("DELETE FROM vectors WHERE lsn >= 1000 AND (lsn - 1000) % 3 = 0")
        connection.execute(sch.META.replace, sch.with_crc((sch.SCRUB_PENDING, "yes")))

    file.change("testing", remove)
    before = {table.name: file.read(lambda c, t=table: c.execute(t.select("ORDER BY rowid")).fetchall())
              for table in sch.TABLES if table is not sch.META}  # fmt: skip
    monkeypatch.setattr("spatialmem.store.room.Room.fits_twice", lambda room: False)
    file.scrub()
    assert {table.name: file.read(lambda c, t=table: c.execute(t.select("ORDER BY rowid")).fetchall())
            for table in sch.TABLES if table is not sch.META} == before  # fmt: skip
    data = file.path.read_bytes() + file.path.with_name("a.mem-wal").read_bytes()
    assert [piece for piece in old if piece in data] == []
    assert file.read(lambda c: c.execute("PRAGMA integrity_check").fetchone()) == ("ok",)
