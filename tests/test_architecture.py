"""Reads the imports of `gridopt/` and redraws the picture of its layers; when they differ, decide which is right."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "gridopt"

BASE = {"errors", "_validate"}
CORE = BASE | {"_kernels", "model", "rules"}
TOWERS = {"planning", "solvers", "territory", "io", "viz"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "_validate": {"errors"},
    "_kernels": set(),
    "model": BASE | {"_kernels"},
    "rules": BASE | {"_kernels", "model"},
    "solvers": CORE,
    "planning": CORE | {"solvers"},
    "territory": CORE,
    "io": CORE,
    "viz": CORE,
    "workflow": CORE | TOWERS,
    "cli": CORE | TOWERS | {"workflow"},
}
"""Each layer and the layers below that it may import, anywhere in its files. `gridopt/__init__.py` is the lazy door
to all of them, and none of them goes through it."""

ONLY_IN: dict[str, tuple[str, ...]] = {
    "numba": ("gridopt._kernels",),
    "ortools": ("gridopt.solvers.exact.cpsat",),
    "geopandas": ("gridopt.territory", "gridopt.io", "gridopt.viz", "gridopt.workflow"),
    "shapely": ("gridopt.territory", "gridopt.io", "gridopt.viz", "gridopt.workflow"),
    "pyogrio": ("gridopt.territory", "gridopt.io", "gridopt.workflow"),
    "pyproj": ("gridopt.territory", "gridopt.io", "gridopt.workflow"),
    "matplotlib": ("gridopt.viz",),
    "click": ("gridopt.cli",),
}
"""Outside packages that have one home."""

MOST_LINES_OF_FILE = 500
MOST_LINES_OF_FUNCTION = 60
"""Of its body: what a reader has to hold in mind."""


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _files(*folders: str) -> list[Path]:
    return sorted(p for f in folders for p in (ROOT / f).rglob("*.py"))


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _layer(module: str) -> str:
    """Second part of the dotted name: ``gridopt.solvers.refine.fm`` lies in ``solvers``."""
    return module.split(".")[1] if "." in module else ""


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Modules imported anywhere in a file, inside functions too, as (absolute dotted name, line)."""
    here = _module(path).split(".")
    package = here if path.name == "__init__.py" else here[:-1]
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *(node.module or "").split(".")]).strip(".")
            for alias in node.names:
                if (base, alias.name) == ("gridopt", "__version__"):
                    continue  # a text, there before anything is imported
                inner = f"{base}.{alias.name}"
                yield (inner if _is_ours(inner) else base), node.lineno


@cache
def _is_ours(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return module.startswith("gridopt") and (path.is_dir() or path.with_suffix(".py").exists())


def _place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def _is_within(module: str, homes: tuple[str, ...]) -> bool:
    return any(module == home or module.startswith(home + ".") for home in homes)


def test_every_module_lies_in_a_known_layer() -> None:
    """A new folder or file beside the layers is drawn into the picture first."""
    unknown = {_module(p) for p in _files("gridopt")} - {"gridopt", "gridopt.__main__"}
    unknown = {m for m in unknown if _layer(m) not in MAY_IMPORT}
    assert not unknown, sorted(unknown)


def test_every_folder_of_modules_is_a_package() -> None:
    """A folder without `__init__.py` is still imported, but its `__all__` and its docstring are missing."""
    bare = {p.parent for p in _files("gridopt") if not (p.parent / "__init__.py").exists()}
    assert not bare, sorted(str(folder.relative_to(ROOT)) for folder in bare)


def test_imports_point_down() -> None:
    """Lower layers do not know the upper ones, and the two towers do not know each other."""
    wrong = []
    for path in _files("gridopt"):
        layer = _layer(_module(path))
        for target, line in _imports(path):
            if target.split(".")[0] != "gridopt" or layer not in MAY_IMPORT:
                continue
            if _layer(target) != layer and _layer(target) not in MAY_IMPORT[layer]:
                wrong.append(f"{_place(path, line)}: {layer} imports {target}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", sorted(ONLY_IN))
def test_outside_package_stays_in_its_home(package: str) -> None:
    """Numba, OR-Tools and the geometry stack can be replaced, or left unloaded, because each has one home."""
    wrong = [
        f"{_place(path, line)}: imports {target}"
        for path in _files("gridopt")
        if not _is_within(_module(path), ONLY_IN[package])
        for target, line in _imports(path)
        if target.split(".")[0] == package
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_have_no_cycle() -> None:
    """Each module can be read after the ones it imports."""
    needs = {
        _module(path): {t for t, _ in _imports(path) if t.startswith("gridopt.") and t != _module(path)}
        for path in _files("gridopt")
        if _module(path) != "gridopt"
    }
    # `from gridopt.model import x` names the package, and its __init__ gathers its own modules: that is no dependency
    needs = {m: {t for t in ts if not m.startswith(t + ".")} for m, ts in needs.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_file_is_too_long() -> None:
    """Past 500 lines nobody guesses what a file holds from its name."""
    sizes = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in _files("gridopt", "tests", "benchmarks")}
    long = [f"{p.relative_to(ROOT)}: {size} lines" for p, size in sizes.items() if size > MOST_LINES_OF_FILE]
    assert not long, "\n".join(long)


def test_no_function_is_too_long() -> None:
    """A body is read in one go; the signature and the docstring above it are not counted."""
    long = []
    for path in _files("gridopt"):
        for node in ast.walk(_tree(path)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            first = node.body[1] if ast.get_docstring(node) is not None and len(node.body) > 1 else node.body[0]
            size = (node.end_lineno or node.lineno) - first.lineno + 1
            if size > MOST_LINES_OF_FUNCTION:
                long.append(f"{_place(path, node.lineno)}: {node.name} has {size} lines")
    assert not long, "\n".join(long)


def test_library_has_no_print_no_bare_assert_no_broad_except() -> None:
    """Only the command line prints; asserts vanish under -O; a broad except hides the bug it catches."""
    wrong = []
    for path in _files("gridopt"):
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Assert):
                wrong.append(f"{_place(path, node.lineno)}: assert; raise InternalError")
            elif isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
                wrong.append(f"{_place(path, node.lineno)}: broad except; name what can happen")
            elif _layer(_module(path)) != "cli" and isinstance(node, ast.Call) and _dotted(node.func) == "print":
                wrong.append(f"{_place(path, node.lineno)}: print; use logging")
    assert not wrong, "\n".join(wrong)


def test_randomness_is_an_argument() -> None:
    """Only `numpy.random.Generator` objects handed in: the global streams would make results irreproducible."""
    wrong = []
    for path in _files("gridopt"):
        wrong += [f"{_place(path, line)}: {t}" for t, line in _imports(path) if t == "random"]
        for node in ast.walk(_tree(path)):
            name = _dotted(node.func) if isinstance(node, ast.Call) else ""
            if name.startswith(("np.random.", "numpy.random.")) and not name[name.rindex(".") + 1].isupper():
                if name.endswith(".default_rng") and getattr(node, "args", None):
                    continue
                wrong.append(f"{_place(path, node.lineno)}: {name}")
    assert not wrong, "\n".join(wrong)


def _is_broad(kind: ast.expr | None) -> bool:
    names = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(n is None or _dotted(n) in {"Exception", "BaseException"} for n in names)


def _dotted(node: ast.expr | None) -> str:
    """``np.random.seed`` of the expression ``np.random.seed``; empty where it is no dotted name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else ""
