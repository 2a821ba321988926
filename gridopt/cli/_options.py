"""Options that several commands share, and what they mean together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gridopt.cli._classes import CLASSES, drawn_streets, read_classes
from gridopt.cli._datums import check_datums, from_datum
from gridopt.errors import Finding

if TYPE_CHECKING:
    import pandas as pd

    from gridopt.model import Graph, Problem

__all__ = [
    "ENCODING",
    "Request",
    "Territory",
    "exception_options",
    "is_metis",
    "limit_options",
    "read_shapes",
    "read_territory",
    "state_problem",
    "territory_options",
]

ENCODING = "Of CSV tables. Default: UTF-8, else GB18030 or Big5 where the text looks like Chinese."
LAYERS = ("streets", "barriers", "crossings", "links", "overrides", "parents")
"""Files that make the graph and its parents, besides the units."""
FILES = ("locks", *LAYERS)
"""Options that name a file, beside the units."""
WITH_COORDINATES = ("units", *(name for name in LAYERS if name != "overrides"))
"""Layers that may come from a Chinese web map."""
METIS_SUFFIXES = (".graph", ".graph.gz", ".metis")
OF_SHAPES = (
    *(
        "classes",
        "streets",
        "class_column",
        "street_tolerance",
        "barriers",
        "crossings",
        "links",
        "overrides",
        "snap",
        "crs",
    ),
    *("parents", "parent_share", "source_datum"),
)
"""Options that need polygons."""
READING = (
    *("workload", "id", "parent", "class_column", "street_tolerance", "missing", "islands", "heavy"),
    *("snap", "crs", "parent_share", "source_datum", "classes", "encoding"),
)
"""Options that say how the input is to be read, other than its files and limits."""


@dataclass(frozen=True)
class Request:
    """What was asked on the command line about the territory and the limits."""

    source: str
    workload: tuple[str, ...] = ()
    id: str | None = None
    parent: str | None = None
    locks: str | None = None
    streets: str | None = None
    class_column: str | None = None
    classes: str | None = None
    street_tolerance: float | None = None
    barriers: str | None = None
    links: str | None = None
    overrides: str | None = None
    snap: float | None = None
    crs: str | None = None
    parents: str | None = None
    parent_share: float | None = None
    source_datum: tuple[str, ...] = ()
    grids: int | None = None
    band: tuple[str, str] | None = None
    tolerance: str | None = None
    missing: str = "error"
    crossings: str | None = None
    islands: str = "own"
    heavy: str = "own_grid"
    encoding: str | None = None

    def options(self) -> dict[str, Any]:
        """How the input is read, by flag: what `rebalance` takes for granted when it reads the next state of it."""
        return {name: getattr(self, name) for name in (*READING, *LAYERS) if getattr(self, name)}

    def sources(self) -> dict[str, str]:
        """What is read, ``FILE`` or ``FILE:layer`` as given, by what it is for."""
        given = {name: getattr(self, name) for name in FILES}
        return {"graph" if is_metis(self.source) else "units": self.source} | {n: s for n, s in given.items() if s}

    def files(self) -> dict[str, Path]:
        """Files that are read, by what they are for."""
        from gridopt.io.tables import split_layer

        return {name: split_layer(source)[0] for name, source in self.sources().items()}

    def inputs(self) -> dict[str, str]:
        """What is read, with the layers chosen; the files have been read before."""
        from gridopt.io.tables import resolved

        return {name: resolved(source, name) for name, source in self.sources().items()}


@dataclass(frozen=True)
class Territory:
    """Units, if there are any shapes, graph and workload, as read; `inputs` are the files and layers read."""

    graph: Graph
    workload: Any
    units: Any = None
    inputs: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    streets: Any = None
    barriers: Any = None
    parents: Any = None
    locks: pd.DataFrame | None = None


def is_metis(path: str) -> bool:
    """Whether a file is a METIS graph, by its name."""
    return path.lower().endswith(METIS_SUFFIXES)


def territory_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what the territory is."""
    options = [
        click.option("--workload", metavar="COL", multiple=True, help="Column of workload; repeat for several."),
        click.option("--id", "id", metavar="COL", help="Column of unit ids. Default: unit."),
        click.option("--parent", metavar="COL", help="Column of parents: no grid crosses their boundaries."),
        click.option(
            "--parents",
            metavar="F[:layer]",
            help="Polygons of parents, digitised apart: units go to the largest share; --parent is their id column.",
        ),
        click.option(
            "--parent-share",
            metavar="S",
            type=click.FloatRange(min=0, max=1),
            help="Units with a smaller share in their parent are listed as doubtful. Default 0.95.",
        ),
        click.option("--locks", metavar="CSV", help="Table unit, kind, group: what must stay together, apart, fixed …"),
        click.option("--streets", metavar="F[:layer]", help="Street lines: borders along them cost less."),
        click.option("--class-column", metavar="COL", help="Column of street classes. Default: highway."),
        click.option("--classes", metavar="V=CLASS,…", help=CLASSES),
        click.option(
            "--street-tolerance",
            metavar="METRES",
            type=click.FloatRange(min=0, min_open=True),
            help="How far a border may lie from its street. Default 1; 10 to 15 where digitised apart.",
        ),
        click.option("--barriers", metavar="F[:layer]", help="Lines or areas that part neighbours: rivers, rail."),
        click.option(
            "--crossings", metavar="F[:layer]", help="Bridges, underpasses: points or lines that join across barriers."
        ),
        click.option(
            "--missing",
            type=click.Choice(["error", "zero"]),
            default="error",
            show_default=True,
            help="What a unit without a workload value means.",
        ),
        click.option("--links", metavar="F[:layer]", help="Units joined without a border: lines, or a CSV of two ids."),
        click.option(
            "--overrides",
            metavar="CSV",
            help="Table u, v, action, reason: pairs to join or to part, whatever the shapes.",
        ),
        click.option(
            "--snap",
            metavar="METRES",
            type=click.FloatRange(min=0),
            help="Gaps and overlaps up to this width are borders. Default 0.05; more at seams of layers.",
        ),
        click.option(
            "--source-datum",
            metavar="LAYER=DATUM",
            multiple=True,
            callback=_datums,
            help="gcj02 or bd09: the layer (units, streets …) comes from a Chinese web map. Repeatable.",
        ),
        click.option("--encoding", metavar="NAME", help=ENCODING),
        click.option("--crs", metavar="EPSG:N", help="System in metres to measure in. Default: that of UNITS, or UTM."),
    ]
    return _with(command, options)


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how many grids, and how heavy."""
    options = [
        click.option("--grids", metavar="K", type=int, help="Number of grids."),
        click.option(
            "--band",
            metavar="LO HI",
            nargs=2,
            callback=_two_numbers,
            help="Least and greatest load, instead of a tolerance.",
        ),
        click.option(
            "--tolerance", metavar="T", callback=_share, help="Imbalance allowed on both sides. Default 0.05."
        ),
    ]
    return _with(command, options)


def _two_numbers(_: click.Context, __: click.Parameter, band: tuple[str, str] | None) -> tuple[str, str] | None:
    """Refuse a band that swallowed the option after it."""
    if band and any(value.startswith("-") and value[1:2] not in {*"0123456789."} for value in band):
        raise click.UsageError("--band takes two numbers, such as --band 300 500.")
    return band


def _share(_: click.Context, __: click.Parameter, tolerance: str | None) -> str | None:
    """Refuse a percentage, and say how to write it."""
    if tolerance and tolerance.endswith("%"):
        try:
            cure = f"write {float(tolerance[:-1]) / 100:g} for {tolerance[:-1].strip()} %."
        except ValueError:
            cure = "write 0.05 for 5 %."
        raise click.UsageError(f"--tolerance is a share, not a percentage: {cure}")
    return tolerance


def _datums(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse what is no LAYER=DATUM."""
    check_datums(given, WITH_COORDINATES)
    return given


def exception_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what happens to islands and heavy units."""
    options = [
        click.option(
            "--islands",
            type=click.Choice(["own", "link"]),
            default="own",
            show_default=True,
            help="Parts of the territory that do not hang together: grids of their own, or joined to the nearest part.",
        ),
        click.option(
            "--heavy",
            type=click.Choice(["own_grid", "strict"]),
            default="own_grid",
            show_default=True,
            help="A unit above the upper limit: a grid of its own, bound by no limits, or no plan.",
        ),
    ]
    return _with(command, options)


def _with(command: Callable[..., Any], options: list[Callable[[Any], Any]]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command


def read_territory(request: Request) -> Territory:
    """Read the files of a request and build the graph."""
    from gridopt.io.gerrychain import is_gerrychain

    if is_metis(request.source):
        return _read_metis(request)
    return _read_dual(request) if is_gerrychain(request.source) else _read_shapes(request)


def state_problem(request: Request, territory: Territory) -> Problem:
    """Build the problem of a request over its territory."""
    from gridopt.io.locks import read_locks
    from gridopt.rules.build import build_problem

    locks = None
    if request.locks:
        locks = read_locks(request.locks, territory.graph.ids, encoding=request.encoding, table=territory.locks)
    parent = None
    if territory.parents is not None:
        parent = territory.parents.parent_of
    elif request.parent:
        parent = territory.units[request.parent]
    return build_problem(
        territory.graph,
        territory.workload,
        n_grids=request.grids,
        tolerance=request.tolerance,
        band=request.band,
        parent=parent,
        locks=locks,
        missing=request.missing,
        islands=request.islands,
        heavy=request.heavy,
    )


def _read_metis(request: Request) -> Territory:
    from gridopt.io.metis import read_graph

    _refuse_options(request, ("workload", "id", "parent", *OF_SHAPES), "a METIS graph: node weights are its workload")
    if request.islands == "link":
        raise click.UsageError("--islands link cannot go with a METIS graph: nearness takes coordinates, it has none.")
    read = read_graph(request.source)
    names = ["weight"] if read.workload.shape[1] == 1 else [f"weight{c + 1}" for c in range(read.workload.shape[1])]
    workload = {name: read.workload[:, c] for c, name in enumerate(names)}
    return Territory(read.graph, workload, None, request.inputs(), read.findings)


def _read_dual(request: Request) -> Territory:
    from gridopt.io.gerrychain import read_gerrychain
    from gridopt.io.tables import need_columns

    _refuse_options(request, OF_SHAPES, "a dual graph: it has no shapes, its edges are the borders")
    graph, table = read_gerrychain(request.source, id_column=request.id)
    need_columns(table, [*request.workload, *([request.parent] if request.parent else [])], "units", request.source)
    return Territory(graph, table[list(request.workload)], table, request.inputs())


def _refuse_options(request: Request, names: tuple[str, ...], what: str) -> None:
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(request, name)]
    if given:
        raise click.UsageError(f"{', '.join(given)} cannot go with {what}.")


def _read_shapes(request: Request) -> Territory:
    from gridopt.territory.adjacency import build_graph
    from gridopt.territory.crs import to_metric

    units, options = read_shapes(request)
    told = [f for layer in (units, *options.values()) for f in getattr(layer, "attrs", {}).get("findings", ())]
    locks = _read_locks(request)
    told += [] if locks is None else locks.attrs.get("findings", ())
    units, _, said = to_metric(units, options.pop("crs", None), what="units")
    parents = _read_parents(request, units)
    graph = build_graph(units, **options)
    if parents is not None:
        units = units.copy()
        for name, column in (("parent", "parent"), ("share", "parent_share")):
            while column in units.columns:
                column += "_2"
            units[column] = parents.table[name]
        said = (*said, *parents.findings)
    workload = units[list(request.workload)]
    layers = drawn_streets(options), options.get("barriers")
    return Territory(graph, workload, units, request.inputs(), (*told, *said), *layers, parents, locks)


def _read_locks(request: Request) -> pd.DataFrame | None:
    """The table of locks as it is written; `state_problem` reads it as locks."""
    from gridopt.io.tables import read_table

    if not request.locks:
        return None
    return read_table(request.locks, what="locks", as_text=True, encoding=request.encoding)


def _read_parents(request: Request, units: Any) -> Any:
    """Assign units to the polygons of their parents, where these are given."""
    from gridopt.io.tables import need_columns, read_layer
    from gridopt.territory.parents import assign_parents

    if not request.parents:
        return None
    if not request.parent:
        raise click.UsageError("say which column of --parents holds their ids: --parent COL.")
    layer = from_datum(
        request.source_datum,
        "parents",
        read_layer(request.parents, what="parents", shapes=("polygon",)),
        request.parents,
    )
    need_columns(layer, [request.parent], "parents", request.parents)
    more = {} if request.parent_share is None else {"threshold": request.parent_share}
    return assign_parents(units, layer, id_column=request.parent, **more)


def _refuse_idle(request: Request) -> None:
    """Refuse options that say something of a layer that is not given: they would be passed over in silence."""
    needs = {
        "parent_share": ("parents",),
        "class_column": ("streets",),
        "classes": ("streets",),
        "street_tolerance": ("streets", "barriers"),
    }
    for name, layers in needs.items():
        if getattr(request, name) is not None and not any(getattr(request, layer) for layer in layers):
            flags = " or ".join(f"--{layer}" for layer in layers)
            raise click.UsageError(f"--{name.replace('_', '-')} says something of {flags}: give that too.")
    check_datums(request.source_datum, [n for n in WITH_COORDINATES if n == "units" or getattr(request, n)])


def read_shapes(request: Request) -> tuple[Any, dict[str, Any]]:
    """Units of a request, and the arguments of `build_graph` that it asks for."""
    from gridopt.io.tables import read_layer, read_units

    _refuse_idle(request)
    wanted = [*request.workload, *([request.parent] if request.parent and not request.parents else [])]
    given = read_units(request.source, id_column=request.id, columns=wanted)
    units = from_datum(request.source_datum, "units", given, request.source)
    kinds = {"streets": ("line",), "barriers": ("line", "polygon"), "crossings": ("point", "line")}
    options: dict[str, Any] = {}
    for name, shapes in kinds.items():
        source = getattr(request, name)
        if source:
            options[name] = from_datum(request.source_datum, name, read_layer(source, what=name, shapes=shapes), source)
    if request.links:
        links = from_datum(request.source_datum, "links", _read_pairs(request, "links"), request.links)
        options["links"] = _unit_ids(links, units.index)
    if request.overrides:
        options["overrides"] = _unit_ids(_read_pairs(request, "overrides"), units.index)
    for name in ("class_column", "street_tolerance", "snap", "crs"):
        if getattr(request, name) is not None:
            options[name] = getattr(request, name)
    if request.classes is not None:
        options["classes"], told = read_classes(request.classes, request.encoding)
        options["streets"].attrs["findings"] = (*options["streets"].attrs.get("findings", ()), *told)
    return units, options


def _read_pairs(request: Request, name: str) -> pd.DataFrame:
    from gridopt.io.tables import read_table

    return read_table(getattr(request, name), what=name, as_text=True, encoding=request.encoding)


def _unit_ids(links: pd.DataFrame, units: pd.Index) -> pd.DataFrame:
    """Ids of a table of pairs as the units have them, and costs as numbers: a CSV is read as text."""
    if hasattr(links, "geometry"):
        return links
    links = links.copy()
    as_written = {str(u): u for u in units}
    for column in [c for c in links.columns if c != "cost"][:2]:
        links[column] = [as_written.get(str(v), v) for v in links[column]]
    if "cost" in links.columns:
        links["cost"] = [int(v) if str(v).isdigit() else v for v in links["cost"]]
    return links
