"""What `spatialmem doctor` looks at. Each check returns findings; none raises."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from spatialmem.view.words import size

OK, WARN, FAIL, EXTRA = "ok", "warn", "fail", "extra"
_OLDEST_PYTHON = (3, 10)
_FREE_BYTES = 2_000_000_000
_CV2_WHEELS = (
    "opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless",
)  # fmt: skip
_OPEN3D_WHEELS = ("open3d", "open3d-cpu")
_APT = {
    "libEGL": "libegl1", "libGL": "libgl1", "libX11": "libx11-6", "libudev": "libudev1", "libusb-1.0": "libusb-1.0-0",
    "libidn2": "libidn2-0", "libgomp": "libgomp1", "libglib-2.0": "libglib2.0-0", "libgthread-2.0": "libglib2.0-0",
}  # fmt: skip
"""system library -> Debian package that holds it"""
_EXTRAS = {
    "clip": ("open_clip", "open-clip-torch", "things by any words, not by colour alone"),
    "ros": ("rosbags", "rosbags", "reading ROS 1 and ROS 2 bags and MCAP files"),
    "phone": ("av", "av", "reading recordings of the iPhone apps Stray Scanner and Record3D"),
    "lerobot": ("pyarrow", "pyarrow", "reading LeRobot data sets with depth"),
    "view": ("viser", "viser", "looking at a memory in a browser"),
    "rerun": ("rerun", "rerun-sdk", "recordings for the Rerun viewer"),
    "vlm": ("openai", "openai", "planners that ask a model behind an OpenAI-compatible server"),
}


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    status: str
    """ok, warn (works, could be better), fail (needed and broken), extra (optional and absent)"""
    detail: str
    fix: str = ""
    """what to type; empty when there is nothing to do"""


def all_checks() -> list[Check]:
    """Every finding about this machine; loads what spatialmem would load."""
    looks: tuple[Callable[[], list[Check]], ...] = (
        _python, _modules, _two_wheels, _open3d, _extras, _numba_cache, _threads, _disk,
    )  # fmt: skip
    return [check for look in looks for check in look()]


def _python() -> list[Check]:
    detail = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] < _OLDEST_PYTHON:
        return [Check("python", FAIL, detail, "python3.11 -m venv .venv && .venv/bin/pip install spatialmem")]
    return [Check("python", OK, detail)]


def _modules() -> list[Check]:
    wanted = {
        "numpy": "numpy", "numba": "numba", "cv2": "opencv-python", "torch": "torch", "safetensors": "safetensors",
        "zstandard": "zstandard", "tyro": "tyro", "rich": "rich",
    }  # fmt: skip
    return [_import(module, wheel) for module, wheel in wanted.items()]


def _import(module: str, wheel: str) -> Check:
    install = f"{sys.executable} -m pip install --upgrade {wheel}"
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError:
        return Check(module, FAIL, "not installed", install)
    except (ImportError, OSError) as error:
        return Check(module, FAIL, f"does not load: {error}", _library_fix(str(error)) or install)
    return Check(module, OK, str(getattr(loaded, "__version__", version(wheel) or "loads")))


def version(wheel: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return metadata.version(wheel)
    except metadata.PackageNotFoundError:
        return None


def _library_fix(message: str) -> str:
    """The apt line for the system library that an import error names, or nothing."""
    found = re.search(r"(lib[\w.+-]+?)\.so", message)
    package = _APT.get(found[1]) if found else None
    return f"sudo apt-get install -y --no-install-recommends {package}" if package else ""


def _two_wheels() -> list[Check]:
    return [
        check
        for keep, wheels in (("opencv-python", _CV2_WHEELS), (_open3d_wheel(), _OPEN3D_WHEELS))
        for check in _only_one(keep, wheels)
    ]


def _only_one(keep: str, wheels: tuple[str, ...]) -> list[Check]:
    present = [wheel for wheel in wheels if version(wheel)]
    if len(present) <= 1:
        return []
    pip = f"{sys.executable} -m pip"
    fix = f"{pip} uninstall -y {' '.join(present)} && {pip} install --force-reinstall --no-deps {keep}"
    return [Check(keep, FAIL, f"{' and '.join(present)} own the same folder and break each other", fix)]


def _open3d_wheel() -> str:
    return "open3d-cpu" if sys.platform == "linux" and platform.machine() == "x86_64" else "open3d"


def _open3d() -> list[Check]:
    check = _import("open3d", _open3d_wheel())
    if check.status == FAIL and sys.platform == "linux" and "so" in check.detail:
        packages = " ".join(dict.fromkeys(_APT.values()))
        fix = f"sudo apt-get install -y --no-install-recommends {packages}"
        return [Check("open3d", FAIL, f"{check.detail} (system libraries are missing)", fix)]
    return [check]


def _extras() -> list[Check]:
    checks = []
    for extra, (module, wheel, adds) in _EXTRAS.items():
        name = f"extra [{extra}]"
        if importlib.util.find_spec(module) is None:
            fix = f"{sys.executable} -m pip install 'spatialmem[{extra}]'"
            checks.append(Check(name, EXTRA, f"not installed; adds {adds}", fix))
        else:
            checks.append(Check(name, OK, f"{wheel} {version(wheel) or ''}: {adds}"))
    return checks


def _numba_cache() -> list[Check]:
    """Compiled kernels are kept beside the sources or in NUMBA_CACHE_DIR."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(chosen) if chosen else Path(__file__).resolve().parents[1] / "voxels"
    try:
        with tempfile.TemporaryFile(dir=folder):
            return [Check("numba cache", OK, f"{folder} can be written")]
    except OSError as error:
        detail = f"{folder} cannot be written ({error.strerror}): kernels are compiled at every start"
        return [Check("numba cache", WARN, detail, 'export NUMBA_CACHE_DIR="$HOME/.cache/spatialmem-numba"')]


def _threads() -> list[Check]:
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    layer = version("tbb")
    detail = f"{allowed} usable, threading layer {f'tbb {layer}' if layer else 'not tbb'}"
    if layer is None and platform.machine() in ("x86_64", "AMD64"):
        return [Check("threads", WARN, detail, f"{sys.executable} -m pip install tbb")]
    return [Check("threads", OK, detail)]


def _disk() -> list[Check]:
    free = shutil.disk_usage(Path.cwd()).free
    detail = f"{size(free)} free in {Path.cwd()}"
    if free < _FREE_BYTES:
        return [Check("disk", WARN, f"{detail}; a day at one frame a second takes about 15 GB")]
    return [Check("disk", OK, detail)]
