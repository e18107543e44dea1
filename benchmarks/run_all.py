"""Run every benchmark, one after the other, then write README.md: `run_all.py [--quick] [--only NAME ...]`.

Run it on a machine that does nothing else. With `--quick` the results and the page go to runs/benchmarks/.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from common import ROOT, SCRIPTS, clock

HERE = Path(__file__).resolve().parent


def run(name: str, quick: bool) -> tuple[bool, float]:
    """Whether the script ended well, and the seconds it took."""
    start = clock()
    command = [sys.executable, str(HERE / f"{name}.py"), *(["--quick"] if quick else [])]
    done = subprocess.run(command, cwd=ROOT, check=False)
    return done.returncode == 0, clock() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few frames and 2 runs: to see that everything works")
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=SCRIPTS, metavar="NAME", help=", ".join(SCRIPTS))
    options = parser.parse_args()
    done = {name: run(name, options.quick) for name in options.only}
    report = [sys.executable, str(HERE / "report.py"), *(["--quick"] if options.quick else [])]
    subprocess.run(report, cwd=ROOT, check=True)
    for name, (well, seconds) in done.items():
        print(f"{name:16} {seconds:7.1f} s{'' if well else '  FAILED'}")
    print(f"{'all':16} {sum(seconds for _, seconds in done.values()):7.1f} s")
    return 0 if all(well for well, _ in done.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
