"""What a memory survives: kills, damaged files, hostile values, broken recordings, full and read-only disks, clocks.

Kills: processes that change memories of a few frames of 64x48 are killed with SIGKILL a random time after they say that
they enter a phase; a kill is counted in the phase whose end had not been said when the process was dead. After every
kill the file is read as it lies (the folder must not change), opened for appending, checked and rebuilt: every frame
that observe() had acknowledged is there, or erased on record, with the bytes of its images; the map is that of exactly
these frames; read, opened and rebuilt layers have one hash; no byte of an erased frame is left. Kills in eviction: of
frames of 240x180 of noise, of which the file budget holds some fifty; the map is to be that of a memory with room for
all. Damaged files: a memory in which every table has rows, and one whose log was thinned, are cut short, get flipped
bits, overwritten sectors and exchanged pages; each is opened, verified, asked, compared with the sound one in every
row, layer and answer, and rebuilt from its log. Hostile values: every column of every table, with the row's checksum as
it was, which must never go unnoticed, and made anew, where a value of the wrong type, not finite, negative, no rigid
pose or no whole blob must be noticed; a rebuild gives the sound memory or says what is wrong. Recordings: one file of
each kind in a small recording of each format, cut, flipped, overwritten, emptied, removed. Trials run in processes of
their own; one that dies or takes 30 s counts as wrong, as does any exception that is none of the library's.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from common import SEED, Bench, Wanted, cell, usable_cores
from faults import clocks, disks, file_trials, fuzz, hostile, kills, reader_trials
from faults.damage import cuts, flips, sectors
from faults.marks import can_leave_ram
from faults.scene import made, walk
from faults.server import served

HERE = Path(__file__).resolve().parent
WANTED_KILLS = 500
COUNTED = ("commit", "checkpoint", "eviction", "correction", "forget", "close")
"""phases whose kills make up that number"""
KILLS = {"commit": 85, "checkpoint": 85, "correction": 85, "forget": 85, "close": 85, "eviction": 85, "opening": 20,
         "rebuild": 20, "leaving": 15}  # fmt: skip
QUICK_KILLS = 3
PAGE = 16384
DAMAGED = {"cut short": 120, "one bit flipped": 370, "three bits flipped": 80, "sectors and pages": 120,
           "thinned, one bit flipped": 80, "wal cut short": 70, "wal, one bit flipped": 110,
           "file beside a wal, one bit flipped": 80}  # fmt: skip
FILE_OUTCOMES = ("refused", "repaired", "named", "mended", "harmless", "earlier", *file_trials.WRONG)
VALUE_OUTCOMES = ("could not be", "refused", "repaired", "named", "mended", "harmless", "taken", "remade", "raised",
                  "died", "hung")  # fmt: skip
EACH_RECORDING, QUICK_EACH = 85, 12
QUICK_SHARE = 40


def report_kills(bench: Bench, folder: Path) -> None:
    """Claims and table of the kills."""
    rng, tallies = np.random.default_rng(SEED), {}
    aims = {name: QUICK_KILLS if bench.quick else count for name, count in KILLS.items()}
    with in_ram() as aside, served((templates := kills.Templates(folder / "templates", aside)).sides) as server:
        for phase in (*kills.PHASES, *((kills.LEAVING,) if can_leave_ram() else ())):
            wanted = aims[phase.name]
            tallies[phase.name] = kills.campaign(phase, wanted, server, templates, folder, rng)
            bench.progress(f"{tallies[phase.name].killed} kills in {phase.name}")
        usual_ms = server.usual_ms()
    wrong = [line for t in tallies.values() for line in t.wrong]
    bench.claim(f"kills in {', '.join(COUNTED)}", sum(tallies[name].killed for name in COUNTED), "kills",
                Wanted(must=WANTED_KILLS, sense="at least"))  # fmt: skip
    for name, tally in tallies.items():
        bench.claim(f"kills in {name}", tally.killed, "kills", Wanted(must=aims[name], sense="at least"))
    bench.claim("kills not survived, those beside the phase counted, too", sum(t.lost for t in tallies.values()),
                "kills", Wanted(must=0))  # fmt: skip
    bench.claim("faults found afterwards, and processes that ended by an error", len(wrong), "faults", Wanted(must=0))
    rows = [
        [name, t.killed, t.elsewhere, t.frames, t.lost, round(usual_ms.get(name, 0.0), 1),
         ", ".join(f"{step} {count}" for step, count in sorted(t.steps.items()))]
        for name, t in tallies.items()
    ]  # fmt: skip
    columns = ["phase", "kills in it", "beside it", "frames that had to be there", "wrong afterwards",
               "takes, ms", "where it was"]  # fmt: skip
    bench.table("kills", columns, rows)
    bench.detail("kills: wrong", wrong[:50])
    bench.detail(
        "kills: looking at a file afterwards, ms", cell([ms for t in tallies.values() for ms in t.checking_ms])
    )


def file_specs(bench: Bench, folder: Path) -> list[dict[str, Any]]:
    """Damage to the templates of faults/file_trials.py."""
    rng = np.random.default_rng(SEED)
    names = ("sound.mem", "thinned.mem", "killed.mem", "killed.mem-wal")
    sound, thinned, file, wal = (folder.joinpath(name).read_bytes() for name in names)
    count = {name: max(8, number // QUICK_SHARE) if bench.quick else number for name, number in DAMAGED.items()}
    made_of = {
        "cut short": ("file", cuts(len(sound), count["cut short"], rng, PAGE)),
        "one bit flipped": ("file", flips(sound, count["one bit flipped"], rng, header=100)),
        "three bits flipped": ("file", flips(sound, count["three bits flipped"], rng, bits=3)),
        "sectors and pages": ("file", sectors(len(sound), count["sectors and pages"], PAGE, rng)),
        "thinned, one bit flipped": ("thinned", flips(thinned, count["thinned, one bit flipped"], rng)),
        "wal cut short": ("wal", cuts(len(wal), count["wal cut short"], rng, PAGE + 24)),
        "wal, one bit flipped": ("wal", flips(wal, count["wal, one bit flipped"], rng, header=32)),
        "file beside a wal, one bit flipped":
            ("file with wal", flips(file, count["file beside a wal, one bit flipped"], rng)),
    }  # fmt: skip
    return [{"group": name, "of": of, **spec} for name, (of, specs) in made_of.items() for spec in specs]


def report_files(bench: Bench, folder: Path) -> None:
    """Damaged files."""
    with in_ram() as shared:
        file_trials.make_templates(shared)
        results = fuzz.run("faults.file_trials", shared, file_specs(bench, shared), usable_cores())
    wrong = [r for r in results if r[1]["outcome"] in file_trials.WRONG]
    bench.claim("damaged files", len(results), "trials", Wanted(must=1000, sense="at least"))
    bench.claim("damaged files that were silently wrong, or worse", len(wrong), "trials", Wanted(must=0))
    rows = fuzz.table(results, lambda spec: spec["group"], FILE_OUTCOMES)
    bench.table("damaged files", ["damage", "trials", *FILE_OUTCOMES], rows)
    bench.detail("damaged files: wrong", fuzz.told(wrong))
    bench.progress(f"{len(results)} damaged files, {len(wrong)} wrong")


def report_values(bench: Bench, folder: Path) -> None:
    """Hostile SQL values."""
    with in_ram() as shared:
        file_trials.make_templates(shared)
        specs = list(hostile.specs(shared / "sound.mem"))
        specs = specs[::QUICK_SHARE] if bench.quick else specs
        results = fuzz.run("faults.file_trials", shared, specs, usable_cores())
    meant = [spec["possible"] and answer["outcome"] in ("taken", "remade") for spec, answer in results]
    wrong = [r for r, was in zip(results, meant, strict=True) if r[1]["outcome"] in file_trials.WRONG and not was]
    bench.claim("hostile values", len(results), "trials", Wanted(must=1000, sense="at least"))
    bench.claim("hostile values that were silently taken, or worse", len(wrong), "trials", Wanted(must=0))

    def group(spec: dict[str, Any]) -> str:
        kind = "a possible value" if spec["possible"] else "an impossible value"
        return "checksum as it was" if spec["checksum"] == "old" else f"checksum made anew, {kind}"

    rows = fuzz.table(results, group, VALUE_OUTCOMES)
    bench.table("hostile values in every column of every table", ["what", "trials", *VALUE_OUTCOMES], rows)
    bench.detail("hostile values: wrong", fuzz.told(wrong))
    bench.progress(f"{len(results)} hostile values, {len(wrong)} wrong")


def report_recordings(bench: Bench, folder: Path) -> None:
    """Broken recordings."""
    with in_ram() as shared:
        recordings = reader_trials.make_recordings(shared)
        each = QUICK_EACH if bench.quick else EACH_RECORDING
        specs = list(reader_trials.specs(shared, recordings, each, np.random.default_rng(SEED)))
        results = fuzz.run("faults.reader_trials", shared, specs, usable_cores())
    wrong = [r for r in results if r[1]["outcome"] in reader_trials.WRONG]
    bench.claim("broken recordings", len(results), "trials", Wanted(must=1000, sense="at least"))
    bench.claim("broken recordings that raised something else, or changed behind a checksum", len(wrong), "trials",
                Wanted(must=0))  # fmt: skip
    rows = fuzz.table(results, lambda spec: spec["recording"], reader_trials.OUTCOMES)
    bench.table("broken recordings", ["format", "trials", *reader_trials.OUTCOMES], rows)
    moved = [r for r in results if r[1]["outcome"] == "moved"]
    rows = fuzz.table(moved, lambda spec: f"{spec['recording']}: {spec['file']}", ("moved",))
    bench.table("poses or stamps changed where the format has no checksum", ["file", "trials", "moved"], rows)
    bench.detail("broken recordings: wrong", fuzz.told(wrong))
    bench.progress(f"{len(results)} broken recordings, {len(wrong)} wrong")


def report_disks(bench: Bench, folder: Path) -> None:
    """Full disks and disks that cannot be written."""
    rows, columns = [], ["disk", "what", "what came of it", "as it should be"]
    small = folder / "small"
    with disks.small_disk(small) as kind:
        if kind is None:
            bench.missing("a full disk: this machine does not permit to mount one")
        else:
            rows += [[f"full: {kind}", *row] for row in disks.on_a_full_disk(small)]
    sealed = _new(folder / "sealed")
    disks.fill(sealed)
    with disks.read_only(sealed) as kind:
        if kind is None:
            bench.missing("a read-only disk: this machine does not permit to mount one")
        else:
            rows += [[f"read-only: {kind}", *row] for row in disks.on_a_disk_that_cannot_be_written(sealed)]
    _report_rows(bench, "full and read-only disks", columns, rows)


def report_clocks(bench: Bench, folder: Path) -> None:
    """Clocks that jump."""
    with in_ram() as shared:
        rows = [list(row) for row in clocks.jumps(shared)]
    _report_rows(bench, "clock jumps", ["what", "what came of it", "as it should be"], rows)


def _report_rows(bench: Bench, title: str, columns: Sequence[str], rows: list[list[Any]]) -> None:
    wrong = [row for row in rows if not row[-1]]
    bench.claim(f"{title}: cases that were not as they should be", len(wrong), f"of {len(rows)} cases", Wanted(must=0))
    bench.table(title, columns, [[*row[:-1], "yes" if row[-1] else "NO"] for row in rows])
    bench.progress(f"{title}: {len(rows)} cases, {len(wrong)} wrong")


@contextmanager
def in_ram() -> Iterator[Path]:
    """A temporary folder in RAM, for files that are written often and looked at once; elsewhere where there is none."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


PARTS: dict[str, Callable[[Bench, Path], None]] = {
    "kills": report_kills, "files": report_files, "values": report_values, "recordings": report_recordings,
    "disks": report_disks, "clocks": report_clocks,
}  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """`--only`, for work on a part; its result is not that of the whole."""
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="leave the other parts out")


def main() -> None:
    bench = Bench(__file__, "What a memory survives", __doc__, options, sorted(HERE.glob("faults/*.py")))
    with tempfile.TemporaryDirectory() as folder:
        made(None, walk(2)).close()  # loads the kernels
        for name in bench.options.only:
            PARTS[name](bench, Path(folder))
    for name in PARTS.keys() - set(bench.options.only):
        bench.missing(f"{name}: left out by --only")
    bench.finish()


if __name__ == "__main__":
    main()
