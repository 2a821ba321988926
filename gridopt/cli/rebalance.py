"""``gridopt rebalance``: a plan in force and what has changed -> the next plan, with as little moved as possible."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gridopt.cli import INTERRUPTED, SOUND, VIOLATED
from gridopt.cli._datums import converted_before
from gridopt.cli._options import (
    LAYERS,
    READING,
    Request,
    Territory,
    exception_options,
    is_metis,
    limit_options,
    read_territory,
    territory_options,
)
from gridopt.cli._pictures import Picture, asked_picture, picture_options

if TYPE_CHECKING:
    from gridopt.cli._interrupt import Interrupt
    from gridopt.io.plan_file import PlanFile
    from gridopt.model import Problem
    from gridopt.planning.rebalanced import Rebalanced
    from gridopt.workflow.follow import Followed, Matched

__all__ = ["command"]

OF_UNITS = (
    "id",
    "parent",
    "parent_share",
    "class_column",
    "classes",
    "street_tolerance",
    "snap",
    "crs",
    "source_datum",
)
"""Options that say how units of today are read."""


@click.command("rebalance", short_help="Change a plan as little as possible.")
@click.argument("plan", metavar="PLAN")
@click.option("--units", metavar="F[:layer]", help="Units of today. Default: those of the plan.")
@territory_options
@limit_options
@exception_options
@click.option("--trigger", metavar="T", type=float, help="Grids within this tolerance start no change.")
@click.option(
    "--max-moved",
    metavar="AMOUNT",
    multiple=True,
    help="Cap: 3% of the workload, 40 units, or NAME=3%, NAME=120 of any workload or of units. Repeatable.",
)
@click.option("--count", metavar="NAME", help="What counts as moved: workload (default), units, or a column.")
@click.option("--frozen", metavar="G003,…", help="Grids that keep exactly their units.")
@click.option("--dissolve", metavar="G003,…", help="Grids to go first where there are to be fewer.")
@click.option("--stepwise", is_flag=True, help="Ask for an order of moves that leaves every grid connected after each.")
@click.option("--trade-off", is_flag=True, help="Show too what less moved would leave undone. Takes a second search.")
@click.option("--date", metavar="YYYY-MM-DD", help="Date for the lineage. Default: none is recorded.")
@click.option(
    "--clear",
    metavar="SHARE",
    type=click.FloatRange(0.5, 1, min_open=True),
    default=0.8,
    show_default=True,
    help="Share of a changed unit that has to come from one grid; below it the unit is listed.",
)
@click.option("--points", metavar="F[:layer]", help="Objects in changed units: their origin is where these were.")
@click.option("--points-weight", metavar="COL", help="Column of --points to sum, instead of counting them.")
@click.option(
    "--seconds", metavar="S", type=click.FloatRange(min=0, min_open=True), help="Time for the search. Default 10."
)
@click.option("--steps", metavar="N", type=click.IntRange(min=1), help="Steps for the search: the same plan each time.")
@click.option(
    "--seed", metavar="N", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Randomness."
)
@click.option("--workers", metavar="N", type=click.IntRange(min=1), help="Processor cores to use. Default: all.")
@picture_options("Draw the moves with arrows: .png, .svg or .pdf.")
@click.option("--out", required=True, metavar="FILE", help="The next plan: new.gpkg, not PLAN itself.")
@click.pass_context
def command(ctx: click.Context, plan: str, out: str, picture: str | None, title: str | None, **asked: Any) -> int:
    """
    Rebalance PLAN (plan.gpkg with its plan.json): back within limits, as little moved as possible.

    Everything not said is as it was when PLAN was made. Units may have changed: each takes the grid of the old units
    it comes from, and every doubtful one is listed. Grids keep their ids; the history is in the new plan.json.
    """
    from gridopt.cli._changes import check_map
    from gridopt.cli._show import quiet_library
    from gridopt.io._atomic import check_no_input
    from gridopt.io.plan_file import check_outputs, outputs_of, read_plan
    from gridopt.io.tables import split_layer
    from gridopt.workflow.follow import match

    given = {name for name in asked if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE}
    budget, changes = _read_wishes(asked)
    drawn = asked_picture(picture, title)
    with quiet_library():
        sources = [asked[name] for name in ("units", "locks", "points", *LAYERS) if asked[name]]
        inputs = [*outputs_of(plan), *(split_layer(source)[0] for source in sources)]
        check_no_input(check_outputs(out), inputs)
        if drawn is not None:
            check_map(drawn.path, inputs)
        file = read_plan(plan)
        request = _request(file, asked, given)
        territory = _territory(file, request, given)
        if drawn is not None and not hasattr(territory.units, "geometry"):
            raise click.UsageError("--map needs polygons: these units have none.")
        matched = match(file, _units(file, territory), clear=asked["clear"], **_points(asked))
        problem = _problem(file, request, territory, matched, asked, given)
        if asked["trade_off"] and problem.n_grids != len(set(file.plan.grid_ids)):
            raise click.UsageError("--trade-off is for as many grids as PLAN has.")
        options = budget | changes | {"trade_off": asked["trade_off"]}
        return _search_and_write(file, problem, territory, matched, (request, out, drawn), options, ctx.obj)


def _read_wishes(asked: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Budget and arguments of `rebalance`, as the library takes them."""
    if asked["seconds"] is not None and asked["steps"] is not None:
        raise click.UsageError("--seconds and --steps are two ways to end the search: give one of them.")
    if asked["band"] is not None and asked["tolerance"] is not None:
        raise click.UsageError("--band is absolute and --tolerance relative: give one of them.")
    if asked["units"] is not None and is_metis(asked["units"]):
        raise click.UsageError("units of today are polygons, or a dual graph with ids: a METIS graph has neither.")
    idle = [name for name in (*LAYERS, *OF_UNITS) if asked["units"] is None and asked[name] not in (None, ())]
    if idle:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in idle)
        raise click.UsageError(f"{flags}: said of units that are read; add --units, or leave it out.")
    budget = {name: asked[name] for name in ("seconds", "steps", "workers") if asked[name] is not None}
    if asked["seconds"] is None and asked["steps"] is None:
        from gridopt.solvers.solve import DEFAULT_SECONDS

        budget["seconds"] = DEFAULT_SECONDS
    budget["seed"] = asked["seed"]
    caps = dict(_cap(text) for text in asked["max_moved"])
    changes: dict[str, Any] = {name: asked[name] for name in ("trigger", "count", "date") if asked[name] is not None}
    changes |= {"stepwise": asked["stepwise"], "max_moved": caps or None}
    for name in ("frozen", "dissolve"):
        changes[name] = [grid.strip() for grid in (asked[name] or "").split(",") if grid.strip()]
    return budget, changes


def _cap(text: str) -> tuple[str, Any]:
    """``3%`` is a share of the workload, ``40`` a number of units, ``NAME=…`` either of what is named."""
    found = re.fullmatch(r"(?:(.+)=)?(\d+(?:\.\d+)?)\s*(%?)", text.strip())
    if not found:
        raise click.UsageError(f"--max-moved {text!r} is no amount: write 3%, 40, or homes=120.")
    name, amount, percent = found.groups()
    if percent:
        return name or "workload", float(amount) / 100
    if not amount.isdigit():
        value, named = float(amount), f"{name}=" if name else ""
        ways = [f"{named}{amount}%"]
        ways += [f"{named}{100 * value:g}%"] if value <= 1 else []
        ways += [f"{named}{value:.0f} (an amount)"] if value.is_integer() or value > 1 else []
        raise click.UsageError(f"--max-moved {text}: is it a share or an amount? Write {' or '.join(ways)}.")
    return name or "units", int(amount)


def _points(asked: dict[str, Any]) -> dict[str, Any]:
    """Objects that say where units come from."""
    from gridopt.io.tables import read_layer

    if asked["points"] is None:
        if asked["points_weight"] is not None:
            raise click.UsageError("--points-weight is a column of --points: give both.")
        return {}
    weight = asked["points_weight"]
    layer = read_layer(asked["points"], what="points", shapes=("point",), columns=[weight] if weight else [])
    return {"points": layer, "weight": weight}


def _request(file: PlanFile, asked: dict[str, Any], given: set[str]) -> Request:
    """What is asked, completed by what the plan was made with."""
    stored = _stored(file)
    stored.setdefault("workload", list(file.plan.problem.attributes))
    if asked["units"] and converted_before(asked["units"]):  # made of the plan, or with converted streets
        _leave(stored, "units")
    if "parent" in given and "parents" not in given:
        _forget_parents(stored)
    values: dict[str, Any] = {}
    for name in Request.__dataclass_fields__:
        if name in given or (name in asked and name not in (*READING, *LAYERS)):
            values[name] = asked[name]
        elif name in stored:
            values[name] = tuple(stored[name]) if name in ("workload", "source_datum") else stored[name]
            if name in LAYERS and asked["units"]:
                values[name] = _again(file, values[name], name)
    return Request(asked["units"] or str(file.path), **{n: v for n, v in values.items() if n != "source"})


def _stored(file: PlanFile) -> dict[str, Any]:
    """How the plan's input was read, as its plan.json has it."""
    from gridopt.errors import InputError

    try:
        inputs = file.document.get("inputs", [])
        stored: dict[str, Any] = {i["role"]: _source(i) for i in inputs if i["role"] in LAYERS}
        stored |= file.document.get("options", {})
        for name, value in stored.items():
            many, number = name in ("workload", "source_datum"), name in ("street_tolerance", "snap", "parent_share")
            texts = value if many and isinstance(value, list) else [str(float(value)) if number else value]
            if not all(isinstance(text, str) for text in texts):
                raise TypeError(f"{name} is {value!r}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        told = f"the plan.json of {file.path} says wrongly how its input was read ({error})"
        raise InputError(f"{told}. Restore the file, or solve again.") from error
    return stored


def _forget_parents(stored: dict[str, Any]) -> None:
    """A column of the units of today holds their parents: the polygons of before are out of force."""
    for name in ("parents", "parent_share"):
        stored.pop(name, None)
    _leave(stored, "parents")


def _leave(stored: dict[str, Any], layer: str) -> None:
    """A layer of today is not converted as that of before was."""
    stored["source_datum"] = [pair for pair in stored.get("source_datum", ()) if not pair.startswith(f"{layer}=")]


def _source(used: dict[str, Any]) -> str:
    return f"{used['path']}:{used['layer']}" if used.get("layer") else str(used["path"])


def _again(file: PlanFile, source: str, name: str) -> str:
    """Where a file the plan was made with lies: as it was given, or beside the plan."""
    from gridopt.io.tables import split_layer

    path, layer = split_layer(source)
    for place in (path, file.path.parent / path.name):
        if place.is_file():
            return f"{place}:{layer}" if layer else str(place)
    raise click.UsageError(f"the plan was made with {name} {path}, which is not there: give --{name}.")


def _territory(file: PlanFile, request: Request, given: set[str]) -> Territory:
    """Units, graph and workload of today: read, or those of the plan."""
    if "units" in given:
        if file.plan.problem.nesting.parents.size and not request.parent:
            raise click.UsageError("the plan has parents: say which column of --units holds them (--parent COL).")
        _refuse_table(file, request)
        return read_territory(request)
    from gridopt.io.tables import need_columns

    graph = replace(file.plan.problem.graph, findings=())
    columns = {a["name"]: a["column"] for a in file.document["problem"]["attributes"]}
    wanted = [columns.get(name, name) for name in request.workload]
    need_columns(file.units, wanted, "plan (units)", str(file.path))
    workload = file.units[wanted].set_axis(list(request.workload), axis=1)
    return Territory(graph, workload, file.units.drop(columns="grid"), {}, converted_before(str(file.path)))


def _refuse_table(file: PlanFile, request: Request) -> None:
    """A table without shapes is no units: say how its columns come to the units of the plan."""
    import shlex

    from gridopt.io.tables import read_table, split_layer

    if split_layer(request.source)[0].suffix.lower() not in (".csv", ".tsv", ".txt", ".xlsx"):
        return
    table = read_table(request.source, what="units", encoding=request.encoding)
    if hasattr(table, "geometry"):
        return
    key = next((c for c in ("unit", request.id) if c in table.columns and c in (*file.units.columns, "unit")), "unit")
    words = ["gridopt", "count", str(file.path)]
    for name in request.workload:
        places = f"{name}={file.path}:units@{key}"
        words += ["--objects", f"{name}={request.source}", "--at", places, "--column", f"{name}={name}"]
    raise click.UsageError(
        f"{request.source} has no geometry. If it holds the workloads of today, with the ids in its column {key}, "
        f"bring them to the units first: {shlex.join([*words, '--out', 'new.gpkg'])}; then give --units new.gpkg."
    )


def _units(file: PlanFile, territory: Territory) -> Any:
    import pandas as pd

    return pd.DataFrame(index=territory.graph.ids) if territory.units is None else territory.units


def _problem(
    file: PlanFile, request: Request, territory: Territory, matched: Matched, asked: dict[str, Any], given: set[str]
) -> Problem:
    from gridopt.workflow.follow import locks_like, problem_like

    nesting = file.plan.problem.nesting
    parent = None
    if territory.parents is not None:
        parent = territory.parents.parent_of
    elif request.parent and "units" in given:
        parent = territory.units[request.parent]
    elif nesting.parents.size:
        import pandas as pd

        values = nesting.parents[nesting.region_parent[nesting.region]]
        parent = pd.Series(values, index=pd.Index(file.plan.problem.graph.ids))
    changes = {name: asked[name] for name in ("missing", "islands", "heavy") if name in given}
    return problem_like(
        file,
        territory.graph,
        territory.workload,
        parent=parent,
        locks=_locks(file, request, territory) if request.locks else locks_like(file, matched.main),
        n_grids=asked["grids"],
        tolerance=asked["tolerance"],
        band=asked["band"],
        **changes,
    )


def _locks(file: PlanFile, request: Request, territory: Territory) -> Any:
    """Locks of a table; the grids it names are those of the plan."""
    from gridopt._validate import nearest_names
    from gridopt.errors import InputError
    from gridopt.io.locks import read_locks
    from gridopt.model import Locks

    read = read_locks(str(request.locks), territory.graph.ids, encoding=request.encoding, table=territory.locks)
    row = {name: j for j, name in enumerate(file.plan.grid_ids.tolist())}
    for name in (*read.fixed.values(), *read.frozen):
        if name not in row:
            raise InputError(f"locks name grid {name!r}, which the plan does not have. {nearest_names(name, row)}")
    return Locks(
        read.together,
        read.apart,
        {unit: row[grid] for unit, grid in read.fixed.items()},
        read.dedicated,
        {row[grid]: units for grid, units in read.frozen.items()},
    )


def _search_and_write(
    file: PlanFile,
    problem: Problem,
    territory: Territory,
    matched: Matched,
    targets: tuple[Request, str, Picture | None],
    options: dict[str, Any],
    interrupt: Interrupt,
) -> int:
    from gridopt.cli._changes import draw_changes, show_comparison
    from gridopt.cli._show import ProgressLine, show_files, show_findings, show_result
    from gridopt.model import Status
    from gridopt.workflow.follow import follow

    request, out, picture = targets
    shows_trade_off = options.pop("trade_off")
    line = ProgressLine()
    with interrupt.searching():

        def on_progress(progress: Any) -> bool:
            line.show(progress)
            return interrupt.asked

        try:
            done = follow(file, problem, matched, on_progress=on_progress, **options)
            table = _trade_off(problem, matched, on_progress, options) if shows_trade_off else None
        finally:
            line.close()
        interrupt.heed()
        sound = done.rebalanced.status in (Status.OPTIMAL, Status.FEASIBLE)
        show_result(done.rebalanced.result, (*file.findings, *territory.findings, *problem.graph.findings))
        if sound:
            _show_tolerated(done.rebalanced)
        show_comparison(done.comparison, _least(done.rebalanced))
        if table is not None:
            _show_trade_off(table)
        show_findings("units", [f for f in done.findings if f.code != "ambiguous-origin"])
        if interrupt.asked and not sound:
            click.echo("gridopt: interrupted before a sound plan was found; nothing was written.", err=True)
            return INTERRUPTED
        files = _write(out, done, file, territory, request)
        if picture is not None:
            files.append(draw_changes(picture, done.comparison, territory.units))
        show_files(files)
    if interrupt.asked:
        return INTERRUPTED
    return SOUND if sound else VIOLATED


def _trade_off(problem: Problem, matched: Matched, on_progress: Any, options: dict[str, Any]) -> Any:
    from gridopt.planning.trade import trade_off

    more = {name: value for name, value in options.items() if name not in ("date", "max_moved")}
    return trade_off(problem, matched.before, on_progress=on_progress, **more)


def _show_trade_off(table: Any) -> None:
    click.echo("trade-off: of what may move, how much moves, and what it leaves")
    for most, row in table.iterrows():
        moved = f"{row['moved']:.2%} in {row['units']:,.0f} units"
        left = f"{row['grids_outside']:,.0f} grids outside their limits, worst deviation {row['imbalance']:.1%}"
        click.echo(f"  {most:>7.2%}: {moved}; {left}, cost {row['cost']:,.0f}")


def _show_tolerated(done: Rebalanced) -> None:
    """Tell of grids that may be outside their limits, frozen or within the trigger: `verify` names them."""
    from gridopt.rules.verify import verify

    outside = {f.ids[0] for f in verify(done.plan.problem, done.plan) if f.code in ("under-limit", "over-limit")}
    if outside:
        click.echo(f"tolerated   {len(outside):,} grids outside their limits; gridopt verify will name them")


def _least(done: Rebalanced) -> str:
    """What had to move, beside what did."""
    from gridopt.cli._changes import number

    told = f"{number(done.moved_amount)} ({done.share:.2%})"
    if done.bound is None:
        return f"not known where limits are broken; {told} of {done.count} moved"
    ratio = f", {done.moved_amount / done.bound:.2f} times that" if done.bound else ""
    return f"at least {number(done.bound)} of {done.count} had to move; {told} did{ratio}"


def _write(out: str, done: Followed, file: PlanFile, territory: Territory, request: Request) -> list[Path]:
    inputs = {"plan": str(file.path), **territory.inputs}
    said = (*file.findings, *territory.findings)
    units = _units(file, territory)
    return list(done.save(out, units, inputs=inputs, findings=said, options=request.options()))
