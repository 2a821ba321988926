"""Importing gridopt is quiet and quick, and every public name is there, documented, with an example."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import gridopt

ROOT = Path(__file__).resolve().parent.parent

HEAVY = ["numba", "geopandas", "ortools", "shapely", "pyogrio", "matplotlib", "networkx", "libpysal", "scipy", "pandas"]
"""Packages that cost time or memory to load: each is loaded by the first function that needs it."""

NO_EXAMPLE = {
    "errors": "a module",
    "datasets": "a module",
    "synthetic": "a module",
    "GridoptError": "raised, not called",
    "InputError": "raised, not called",
    "GraphError": "raised, not called",
    "GeometryError": "raised, not called",
    "NoPlanError": "raised, not called",
    "InternalError": "raised, not called",
}
"""Public names that need no Examples section, and why."""


def _subpackages() -> list[ModuleType]:
    names = [m.name for m in pkgutil.iter_modules(gridopt.__path__) if m.ispkg]
    return [importlib.import_module(f"gridopt.{name}") for name in sorted(names)]


def _public() -> list[tuple[str, str, object]]:
    """(where, name, object) of everything listed in `gridopt.__all__` and in those of the subpackages."""
    return [
        (module.__name__, name, getattr(module, name))
        for module in [gridopt, *_subpackages()]
        for name in getattr(module, "__all__", [])
        if not name.startswith("_")
    ]


def test_importing_gridopt_loads_nothing_heavy_and_says_nothing() -> None:
    """A script that only wants one name must not wait for geopandas, nor find text on its stdout."""
    code = f"import sys, gridopt; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_command_line_help_loads_nothing_heavy() -> None:
    """`gridopt --help` answers at once: the commands load what they need when they run."""
    code = (
        "import sys\nfrom gridopt.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit as e:\n"
        f"    assert not e.code\nprint([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "solve" in done.stdout
    assert done.stderr.strip() == "[]"


def test_every_public_name_resolves() -> None:
    """`__all__` is the promise; each name on it exists, is listed once, and is offered by dir(). Ruff sorts it."""
    for module in [gridopt, *_subpackages()]:
        names = list(getattr(module, "__all__", []))
        assert len(names) == len(set(names)), f"{module.__name__}.__all__ names something twice"
        assert set(names) <= set(dir(module)), module.__name__
        for name in names:
            assert getattr(module, name) is not None, f"{module.__name__}.{name}"


def test_the_version_is_one_everywhere() -> None:
    """`gridopt.__version__` is the version of the distribution; the citation and the changelog name the same."""
    version = gridopt.__version__
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert 'attr = "gridopt.__version__"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Lazy names must not break `hasattr`, nor hide a misspelling behind an ImportError."""
    with pytest.raises(AttributeError, match="no_such_name"):
        gridopt.no_such_name  # noqa: B018 - the lookup is the test


def test_every_public_name_has_a_docstring_with_an_example() -> None:
    """Documentation that is not run rots; the Examples sections are doctests."""
    lacking = []
    for where, name, thing in _public():
        if not (inspect.isclass(thing) or inspect.isfunction(thing) or inspect.ismodule(thing)):
            continue  # constants and names of types are explained where they are defined
        doc = inspect.getdoc(thing) or ""
        if not doc or (">>>" not in doc and name not in NO_EXAMPLE):
            lacking.append(f"{where}.{name}")
    assert not lacking, f"no docstring, or no example in it: {lacking}"


def test_every_public_method_has_a_docstring() -> None:
    """What `help(Graph)` shows is complete."""
    lacking = {
        f"{cls.__name__}.{name}"
        for _, _, cls in _public()
        if inspect.isclass(cls)
        for name, method in vars(cls).items()
        if not name.startswith("_")
        and (inspect.isfunction(method) or isinstance(method, property | classmethod | staticmethod))
        and not inspect.getdoc(getattr(cls, name) if not isinstance(method, property) else method)
    }
    assert not lacking, sorted(lacking)
