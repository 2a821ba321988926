"""What the README and the documentation show is run, and what they list is complete."""

from __future__ import annotations

import ast
import doctest
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import gridopt

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SHELL = {"sh", "bash", "shell", "console"}


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _fenced(page: Path, languages: set[str]) -> Iterator[tuple[int, str]]:
    """(line, text) of each fenced block of a page in one of the languages."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        if match[1] in languages:
            yield text[: match.start(2)].count("\n"), match[2]


def _commands(page: Path) -> list[str]:
    """Command lines in a page's shell blocks, continued lines joined."""
    blocks = [block.replace("\\\n", " ") for _, block in _fenced(page, SHELL)]
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


# ---- the README's two lines ------------------------------------------------------------------------------------------


def test_first_command_line_installs_and_runs_the_main_job() -> None:
    """A newcomer pastes one line and has a plan of real streets."""
    first = _commands(README)[0]
    assert re.search(r"python3 -m venv \.venv && \.venv/bin/pip install [^&]*\. && \.venv/bin/gridopt demo", first)


def test_second_command_line_passes_the_tests() -> None:
    """The next line installs the test extra and runs pytest."""
    second = _commands(README)[1]
    assert re.search(r"\.venv/bin/pip install [^&]*'\.\[test\]' && \.venv/bin/python -m pytest", second)


# ---- examples are run ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [p for p in PAGES if any(_fenced(p, {"python"}))], ids=_name)
def test_python_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of one page, in order, are one session; where they show output, it is what comes out."""
    monkeypatch.chdir(tmp_path)
    if page == README:  # what a newcomer sees first
        warnings.simplefilter("error", UserWarning)
    names: dict[str, Any] = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.FAIL_FAST)
    for line, block in _fenced(page, {"python"}):
        if ">>>" in block:
            test = doctest.DocTestParser().get_doctest(block, names, _name(page), str(page), line)
            report: list[str] = []
            runner.run(test, out=report.append, clear_globs=False)
            assert not runner.failures, "".join(report)
            names = test.globs
        else:
            exec(compile("\n" * line + block, str(page), "exec"), names)


def _gridopt(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command line of this source tree, in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gridopt", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)


@cache
def _help(*command: str) -> str:
    done = _gridopt(*command, "--help")
    assert done.returncode == 0, f"gridopt {' '.join(command)} --help: {done.stderr or done.stdout}"
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_documented_commands_and_options_exist(page: Path) -> None:
    """Every `gridopt` command line in a shell block uses commands and options that `--help` knows."""
    for line in _commands(page):
        for call in re.findall(r"(?:^|&& |\| )(?:\S*/)?gridopt ([^&|]*)", line):
            words = call.split()
            if words[0].startswith("-"):
                continue
            known = set(re.findall(r"--[a-z][a-z-]*", _help(words[0])))
            unknown = {w.split("=")[0] for w in words if w.startswith("--")} - known
            assert not unknown, f"{_name(page)}: gridopt {words[0]} has no {sorted(unknown)}"


def test_the_planners_two_commands_run(tmp_path: Path) -> None:
    """The README's `blocks` and `solve` lines work as they stand, on a generated district under the names they use."""
    town = gridopt.synthetic.city(200, seed=1)
    shops = town.services[town.services["kind"] == "shop"]
    layers = {"district": town.boundary, "roads": town.streets, "shops": shops}
    for name, layer in layers.items():
        layer.to_file(tmp_path / f"{name}.gpkg")
    commands = [line.split()[1:] for line in _commands(README) if line.startswith("gridopt ")]
    assert [command[0] for command in commands] == ["blocks", "solve"]
    for command in commands:
        done = _gridopt(*command, folder=tmp_path)
        assert done.returncode == 0, f"gridopt {' '.join(command)}: {done.stderr or done.stdout}"
        assert "Warning" not in done.stderr
    assert _gridopt("verify", "plan.gpkg", folder=tmp_path).returncode == 0


# ---- links and lists are complete ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a page or a heading of this project leads there."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), f"{_name(page)} links to {target}"
        if anchor:
            assert anchor in _anchors(path), f"{_name(page)} links to {target}: no such heading"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.replace("`", "").lower()).replace(" ", "-") for h in headings}


def test_api_page_lists_the_public_names() -> None:
    """The API page has one row for each name in `gridopt.__all__`, and no other."""
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)", page, re.MULTILINE))
    assert listed == set(gridopt.__all__)


def test_every_finding_code_is_documented() -> None:
    """A user who meets a code finds it in docs/findings.md; a code that no longer exists is taken out."""
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([a-z0-9-]+)`", page, re.MULTILINE))
    made = _finding_codes()
    composed = {code for code in made if "[" in code or "(" in code}
    for pattern in composed:
        assert any(re.fullmatch(pattern, code) for code in documented), f"docs/findings.md has no {pattern}"
    explained = {code for code in documented if any(re.fullmatch(pattern, code) for pattern in composed)}
    missing, gone = made - composed - documented, documented - explained - made
    assert not missing, f"docs/findings.md does not explain {sorted(missing)}"
    assert not gone, f"docs/findings.md explains what is never found: {sorted(gone)}"


def _finding_codes() -> set[str]:
    """Codes of all findings made in the library, read from its source, patterns for those composed when it runs."""
    codes, hidden = set(), []
    for path in sorted((ROOT / "gridopt").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function, call in _calls(tree):
            if _called(call) == "Finding":
                found = _texts(_argument(call, 0, "code"), function, tree)
                codes |= found
                if not found:
                    hidden.append(f"{path.relative_to(ROOT)}:{call.lineno}: {ast.unparse(call)[:80]}")
    assert not hidden, "the code of a finding is text, or an argument that is text: " + "\n".join(hidden)
    return codes


def _calls(tree: ast.AST, function: ast.FunctionDef | None = None) -> Iterator[tuple[ast.FunctionDef | None, ast.Call]]:
    """Each call below `tree`, with the function it stands in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            yield function, node
        yield from _calls(node, node if isinstance(node, ast.FunctionDef) else function)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """The argument a call gives to a parameter, None where the parameter keeps its default."""
    named = [k.value for k in call.keywords if k.arg == name]
    return next(iter(named or call.args[position : position + 1]), None)


def _texts(value: ast.expr | None, function: ast.FunctionDef | None, tree: ast.Module) -> set[str]:
    """Every text an expression can be: itself, what callers pass for it, or what it is assigned or looped over."""
    if isinstance(value, ast.Constant):
        return {str(value.value)}
    if isinstance(value, ast.JoinedStr):
        return {"".join(_pattern(part) for part in value.values)}
    if not isinstance(value, ast.Name) or function is None:
        return _constants(value)
    names = [a.arg for a in [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]]
    if value.id in names:
        position = names.index(value.id) - (names[0] in {"self", "cls"})
        callers = [(f, c) for f, c in _calls(tree) if _called(c) == function.name]
        return set().union(*(_texts(_argument(c, position, value.id), f, tree) for f, c in callers))
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.For):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id == value.id for target in targets for t in ast.walk(target)):
                found |= _constants(node.value if isinstance(node, ast.Assign) else node.iter)
    return found


def _pattern(part: ast.expr) -> str:
    """What a part of an f-string can be: one of the texts in it, or any word."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    choice = part.value if isinstance(part, ast.FormattedValue) else part
    if isinstance(choice, ast.IfExp) and isinstance(choice.body, ast.Constant):
        return f"({choice.body.value}|{ast.unparse(choice.orelse).strip(chr(39))})"
    return "[a-z]+"


def _constants(value: ast.expr | None) -> set[str]:
    """Texts in kebab-case anywhere in an expression."""
    nodes = ast.walk(value) if value is not None else ()
    texts = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return {t for t in texts if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", t)}
