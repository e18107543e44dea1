"""The command `spatialmem`: one verb a file, imported when it is asked for."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Protocol

from spatialmem.cli.codes import FAILED, INTERRUPTED, OK, USAGE, WrongUsage
from spatialmem.errors import SpatialMemError

VERBS: dict[str, tuple[str, str]] = {
    "demo": ("spatialmem.cli.demo:Demo", "remember the recording that comes with spatialmem and ask about it"),
    "record": ("spatialmem.cli.record:Record", "record a walk through a made-up house, with the truth beside it"),
    "build": ("spatialmem.cli.build:Build", "remember a recording"),
    "check": ("spatialmem.cli.check:Check", "which conventions a recording follows: poses, axes, depth, colour, up"),
    "query": ("spatialmem.cli.query:Query", "ask a memory where something is"),
    "ask": ("spatialmem.cli.ask:Ask", "ask a memory a question in words"),
    "changes": ("spatialmem.cli.changes:Changes", "what has changed since a time: gone, put there, newly seen"),
    "info": ("spatialmem.cli.info:Info", "what a memory holds; with --verify, whether it is sound"),
    "view": ("spatialmem.cli.view:View", "look at a memory in a browser, and ask it there"),
    "export": ("spatialmem.cli.export:Export", "points, mesh, trajectory, floor plan or Rerun recording as files"),
    "correct": ("spatialmem.cli.correct:Correct", "give stored frames the poses of a trajectory"),
    "merge": ("spatialmem.cli.merge:Merge", "take over another memory's frames"),
    "forget": ("spatialmem.cli.forget:Forget", "erase frames for good"),
    "rebuild": ("spatialmem.cli.rebuild:Rebuild", "make every layer anew from the log"),
    "calibrate": ("spatialmem.cli.calibrate:Calibrate", "fit what the scores of an encoder mean, on made-up houses"),
    "eval": ("spatialmem.cli.eval:Eval", "an agent in the episodes of a task, in simulated worlds"),
    "table": ("spatialmem.cli.table:Table", "runs of several agents side by side, with intervals"),
    "train": ("spatialmem.cli.train:Train", "train the encoder tiny on rendered houses"),
    "doctor": ("spatialmem.cli.doctor:Doctor", "what is installed, what is missing, what to type"),
}
"""verb -> "module:Class" of a frozen dataclass with `run`, and what it does"""


class _Verb(Protocol):
    def run(self) -> int: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run `spatialmem ARGUMENTS...`.

    Args:
        argv: arguments without the name of the program; None: those of the process.

    Returns:
        The exit code: 0 done (also when nothing was found), 1 what was asked for failed, 2 wrong usage,
        130 stopped by Ctrl-C.
    """
    try:
        code = _main(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of standard output went away (| head): nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return code


def _main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return OK if arguments else USAGE
    if arguments[0] in ("--version", "-V"):
        from spatialmem import __version__

        print(f"spatialmem {__version__}")
        return OK
    if arguments[0] not in VERBS:
        return _complain(_unknown_verb(arguments[0]), USAGE)
    try:
        verb = _parsed(arguments)
    except SystemExit as stop:  # how tyro ends after --help and after an error of usage
        return stop.code if isinstance(stop.code, int) else USAGE
    except KeyboardInterrupt:
        return _complain("stopped by Ctrl-C", INTERRUPTED)
    return _run(verb, "--json" in arguments)


def _run(verb: _Verb, json_wanted: bool) -> int:
    try:
        return verb.run()
    except BrokenPipeError:
        raise
    except (SpatialMemError, OSError) as error:
        if json_wanted:
            from spatialmem.cli.output import write_json

            write_json({"error": str(error), "kind": type(error).__name__})
        return _complain(str(error), USAGE if isinstance(error, WrongUsage) else FAILED)
    except KeyboardInterrupt:
        return _complain("stopped by Ctrl-C", INTERRUPTED)


def _parsed(arguments: list[str]) -> _Verb:
    import tyro

    module, _, name = VERBS[arguments[0]][0].partition(":")
    kind = getattr(importlib.import_module(module), name)
    prog = f"spatialmem {arguments[0]}"
    return tyro.cli(kind, prog=prog, args=arguments[1:], config=(tyro.conf.FlagCreatePairsOff,))


def _complain(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


def _unknown_verb(given: str) -> str:
    near = difflib.get_close_matches(given, VERBS, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(repr(verb) for verb in near)}?" if near else f"known: {', '.join(VERBS)}"
    return f"unknown verb {given!r}; {hint}"


def _help() -> str:
    width = max(map(len, VERBS)) + 2
    verbs = "\n".join(f"  {verb:<{width}}{what}" for verb, (_, what) in VERBS.items())
    return (
        "usage: spatialmem VERB ...\n\nA robot's spatial memory: posed RGB-D frames in, answers about places out.\n\n"
        f"{verbs}\n\n"
        "spatialmem VERB --help shows the options of a verb. With --json, standard output holds one JSON object.\n"
        "Exit codes: 0 done (an empty answer is an answer), 1 failed, 2 wrong usage, 130 stopped by Ctrl-C."
    )
