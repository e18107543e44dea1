"""A worker: a process of its own that plays episodes, one after the other, for a run.

It is told what to do, and tells what came of it, by lines of JSON. It ends when whoever started it is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import Any, final

THREADS = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENCV_FOR_THREADS_NUM",
    "SPATIALMEM_THREADS",
)  # fmt: skip
"""what tells libraries how many threads to use; set before the process begins, as some read it at once"""


def work(plan_json: str, out: str, link: Any, cells: Any, at_once: bool = True) -> None:
    """The process: plays what it is asked to until it is told to end.

    Args:
        plan_json: Plan.as_json.
        out: folder of the run, for recordings.
        link: connection to whoever started it.
        cells: see Watch.
        at_once: the agent is made before the first episode, and not being able to ends the run; else that costs one.
    """
    os.setsid()  # what agents start belongs to this group, and ends with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; who started this one decides
    os.dup2(2, 1)  # standard output belongs to the run's results, whatever agents print
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _Worker(plan_json, Path(out), link, cells, at_once).serve()
    except (EOFError, BrokenPipeError):
        return  # nobody listens any more


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)  # it was killed: nobody wants the episode under way


@final
class _Worker:
    def __init__(self, plan_json: str, out: Path, link: Any, cells: Any, at_once: bool) -> None:
        from sim.runner.plan import Plan

        self._plan, self._out, self._link, self._cells = Plan.of_json(plan_json), out, link, cells
        self._agent: Any = None
        self._at_once = at_once

    def serve(self) -> None:
        """Make what is needed, then do as asked until told to end; what is no episode's fault is told as "failed"."""
        from sim.errors import SimError

        try:
            self._make()
            while True:
                asked = json.loads(self._link.recv_bytes())
                if asked["do"] == "end":
                    return
                self._tell(self._planned(asked) if asked["do"] == "plan" else self._row(asked))
        except SimError as error:
            self._tell({"failed": str(error), "kind": type(error).__name__})
        except Exception as error:
            if isinstance(error, (EOFError, BrokenPipeError)):
                raise
            import traceback

            lines = "".join(traceback.format_exception(error)).strip()
            self._tell({"failed": f"the run cannot go on:\n{lines}", "kind": type(error).__name__})
        finally:
            self._drop_agent()

    def _make(self) -> None:
        from sim.runner.names import make_task, make_world
        from sim.runner.play import Stage, Watch

        plan = self._plan
        task = make_task(plan.task, plan.task_settings)
        self._stage = Stage(plan, task, make_world(plan.world, plan.world_settings), self._out)
        self._watch = Watch(self._cells)
        if self._at_once:
            with self._watch.making():
                self._agent = plan.agent.make()
        self._tell({"ready": os.getpid()})

    def _planned(self, asked: dict[str, Any]) -> dict[str, Any]:
        from sim.runner.frozen import episode_values
        from sim.runner.manifest import manifest

        stage, plan = self._stage, self._plan
        made = manifest(plan, stage.task, stage.world, self._agent)
        episodes = []
        if asked["episodes"]:
            found = stage.task.episodes(stage.world, plan.split, plan.seed, plan.first + asked["episodes"])
            episodes = [episode_values(episode) for episode in found[plan.first :]]
        return {"manifest": made, "episodes": episodes}

    def _row(self, asked: dict[str, Any]) -> dict[str, Any]:
        from sim.runner.frozen import episode_of
        from sim.runner.play import last_lines, play, unplayed

        self._watch.new_episode()
        self._tell({"begun": asked["index"]})
        try:
            if self._agent is None:
                with self._watch.making():
                    self._agent = self._plan.agent.make()
        except (Exception, SystemExit) as error:  # noqa: BLE001  as what it does in an episode: its own fault
            return {"row": unplayed(f"it could not be made again after a crash:\n{last_lines(error)}")}
        row = play(self._stage, self._agent, asked["index"], episode_of(asked["episode"]), self._watch)
        if row["status"] == "crash":  # what it holds after an error is anybody's guess
            self._drop_agent()
        return {"row": row}

    def _drop_agent(self) -> None:
        agent, self._agent = self._agent, None
        if agent is not None:
            from sim.runner.play import AgentFailed

            try:
                with self._watch.agent():
                    agent.close()
            except AgentFailed as failure:  # its episodes are over; nothing hangs on it
                self._say(f"the agent's close() failed:\n{failure}")

    def _say(self, text: str) -> None:
        sys.stderr.write(text + "\n")

    def _tell(self, values: dict[str, Any]) -> None:
        self._link.send_bytes(json.dumps(values, allow_nan=False).encode())
