"""The arrows between rooms, what `import spatialmem` costs, and what library code never does."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "spatialmem"
ROOMS = tuple(sorted(p.name for p in LIBRARY.iterdir() if p.is_dir() and any(p.glob("*.py"))))
FOUNDATION = {"types", "things", "errors", "checks", "config", "geometry"}
"""what every room may import; the other modules at the top wire the rooms together and may import any of them"""
LAYERS = {"voxels", "objects", "snapshots", "events"}
BEYOND_FOUNDATION = {
    "retrieval": {"perception", "store", *LAYERS},  # answers are put together from all that is known
    "view": {"memory", "retrieval", "up"},  # pictures and pages of a memory and of its answers
    "bridges": {"memory", "io"},
    "ground": {"voxels"},  # where a body can stand is read off the free space
    "localise": {"voxels"},  # where a frame was taken is read off the surface
    "conventions": {"io", "up"},  # recordings are compared with themselves, before there is a memory
}
"""what a room may import besides the foundation and itself; every other room, each layer among them, nothing"""
HEAVY = (
    "torch", "open3d", "numba", "cv2", "scipy", "sqlite3", "rosbags", "open_clip", "av", "lzfse", "pyarrow", "viser",
    "rerun", "openai",
)  # fmt: skip
PICKLERS = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FILE_LINES, FUNCTION_LINES, MEDIAN_FUNCTION_LINES = 400, 60, 12


def sources(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


@cache  # many tests ask for every file
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def library_files(*, cli: bool) -> list[Path]:
    return [p for p in sources(LIBRARY) if cli or p.relative_to(LIBRARY).parts[0] != "cli"]


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names imported anywhere in a module, functions included; relative ones made absolute.

    What is imported for type checkers alone is left out: it makes no arrow when the program runs.
    """
    if isinstance(tree, ast.If) and ast.unparse(tree.test).endswith("TYPE_CHECKING"):
        for branch in tree.orelse:
            yield from imports(branch, package)
        return
    if isinstance(tree, ast.Import):
        yield from (alias.name for alias in tree.names)
    elif isinstance(tree, ast.ImportFrom):
        base = tree.module or ""
        if tree.level:
            parents = package.split(".")
            base = ".".join([*parents[: len(parents) - tree.level + 1], *([base] if base else [])])
        yield from (f"{base}.{alias.name}" for alias in tree.names)
    for child in ast.iter_child_nodes(tree):
        yield from imports(child, package)


@cache
def imports_of(path: Path) -> frozenset[str]:
    package = ".".join(path.relative_to(ROOT).parent.parts)
    return frozenset(imports(parsed(path), package))


def reaches(names: frozenset[str], package: str) -> list[str]:
    return sorted(n for n in names if n == package or n.startswith(package + "."))


# arrows


def test_rooms_are_found():
    assert {"io", "perception", "voxels"} <= set(ROOMS)


def test_relative_imports_are_resolved():
    tree = ast.parse("from . import keys\nfrom ..store import log\nfrom .keys import pack")
    assert {"spatialmem.voxels.keys", "spatialmem.store.log", "spatialmem.voxels.keys.pack"} <= set(
        imports(tree, "spatialmem.voxels")
    )


def test_the_library_knows_neither_worlds_nor_policies():
    for path in library_files(cli=False):
        names = imports_of(path)
        assert not reaches(names, "sim") + reaches(names, "policies"), relative(path)


def test_worlds_know_types_and_geometry_alone():
    for path in sources(ROOT / "sim"):
        known = ("spatialmem.types", "spatialmem.geometry")  # values, and the one place that converts conventions
        foreign = [n for n in reaches(imports_of(path), "spatialmem") if not n.startswith(known)]
        assert not foreign, relative(path)
        assert not reaches(imports_of(path), "policies"), relative(path)


def allowed_in(path: Path) -> set[str] | None:
    """Names right under `spatialmem` that a file may import; None: any but the command line."""
    place = path.relative_to(LIBRARY).parts[0].removesuffix(".py")
    if place in ROOMS:
        return FOUNDATION | BEYOND_FOUNDATION.get(place, set()) | {place}
    return FOUNDATION if place in FOUNDATION else None


@pytest.mark.parametrize("path", library_files(cli=False), ids=relative)
def test_rooms_import_the_foundation_and_never_each_other(path):
    allowed = allowed_in(path)
    if allowed is None:
        assert not reaches(imports_of(path), "spatialmem.cli")
        return
    for name in reaches(imports_of(path), "spatialmem"):
        parts = name.split(".")
        if len(parts) > 1 and (LIBRARY / parts[1]).exists() | (LIBRARY / f"{parts[1]}.py").exists():
            assert parts[1] in allowed, f"{relative(path)} imports {name}"


# what an import costs


def fresh_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_import_takes_less_than_300_ms():
    code = "import time; t = time.perf_counter(); import spatialmem; print(time.perf_counter() - t)"
    best = min(float(fresh_python(code)) for _ in range(3))
    assert best < 0.3, f"import spatialmem took {best:.3f} s at best of 3"


def test_import_loads_nothing_heavy():
    loaded = fresh_python("import sys, spatialmem, spatialmem.config; print(*sys.modules)").split()
    assert "spatialmem.types" in loaded
    assert not set(HEAVY) & set(loaded)


def test_every_public_name_can_be_had():
    assert fresh_python("import spatialmem as s; [getattr(s, n) for n in s.__all__]; print('ok')") == "ok"


# what is imported is declared


PROVIDED_BY = {
    "cv2": "opencv-python",
    "open3d": "open3d-cpu",
    "open_clip": "open-clip-torch",
    "torchvision": "open-clip-torch",
    "timm": "open-clip-torch",
    "rerun": "rerun-sdk",
    "llvmlite": "numba",  # numba asks for the one version that fits it
}


def third_party(path: Path) -> set[str]:
    """Top-level names of other people's packages that a file imports, `require("name", ...)` included."""
    names = set(imports_of(path))
    for name, call in calls(parsed(path)):
        if name in ("require", "importlib.import_module") and call.args and isinstance(call.args[0], ast.Constant):
            names.add(str(call.args[0].value))
    return {n.split(".")[0] for n in names} - set(sys.stdlib_module_names) - {"spatialmem", "sim", "policies"}


def test_every_imported_package_is_declared():
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("dev = [")[0]
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    for path in sources(LIBRARY, ROOT / "sim", ROOT / "policies"):
        for module in third_party(path):
            package = PROVIDED_BY.get(module, module)
            assert re.search(rf'"{re.escape(package)}[>=;"]', declared), f"{relative(path)} imports {module}"
            assert f"\n{package}==" in pinned, f"{package} is not pinned in constraints.txt"


# what library code never does


@cache
def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_no_pickle():
    for path in sources(LIBRARY, ROOT / "sim", ROOT / "policies"):
        found = {name for name in imports_of(path) if name.split(".")[0] in PICKLERS}
        assert found <= {"pickle.UnpicklingError"}, relative(path)  # torch raises it without unpickling anything
        for name, call in calls(parsed(path)):
            keywords = {k.arg: ast.unparse(k.value) for k in call.keywords if k.arg in ("allow_pickle", "weights_only")}
            assert keywords.get("allow_pickle", "False") == "False", f"{relative(path)}:{call.lineno}"
            if name == "torch.load":
                assert keywords.get("weights_only") == "True", f"{relative(path)}:{call.lineno}"


def test_no_print_and_no_exit_in_the_library():
    never = {"print", "exit", "quit", "sys.exit", "os._exit", "os.abort", "input", "breakpoint"}
    for path in library_files(cli=False):
        found = [f"{relative(path)}:{call.lineno} {name}" for name, call in calls(parsed(path)) if name in never]
        assert not found


def test_nothing_is_left_unfinished():
    for path in sources(LIBRARY, ROOT / "sim", ROOT / "policies"):
        text = path.read_text(encoding="utf-8")
        assert not [word for word in ("TODO", "FIXME", "XXX", "NotImplementedError") if word in text], relative(path)


# sizes


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)))


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring."""
    assert function.end_lineno is not None
    first = function.body[0]
    documented = ast.get_docstring(function) is not None and first.end_lineno is not None
    docstring = first.end_lineno - first.lineno + 1 if documented and first.end_lineno else 0
    return function.end_lineno - function.lineno + 1 - docstring


@pytest.mark.parametrize("path", sources(LIBRARY, ROOT / "sim", ROOT / "policies"), ids=relative)
def test_files_and_functions_stay_small(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= FILE_LINES, f"{relative(path)} has {lines} lines"
    long = {f.name: length(f) for f in functions(parsed(path)) if length(f) > FUNCTION_LINES}
    assert not long, f"{relative(path)}: {long}"


def test_half_of_the_functions_are_short():
    lengths = [length(f) for path in sources(LIBRARY) for f in functions(parsed(path))]
    assert statistics.median(lengths) <= MEDIAN_FUNCTION_LINES
