"""What can go wrong with a memory and its recordings, made to happen: the parts of benchmarks/trust.py."""

import os
import sys
from pathlib import Path

_TESTS = str(Path(__file__).resolve().parents[2] / "tests")
if _TESTS not in sys.path:  # last: benchmarks/ has a module `recordings` too
    sys.path.append(_TESTS)
os.environ.setdefault("SPATIALMEM_THREADS", "1")  # memories are small here, processes are many
