"""What `compare` and `rebalance` say of changes: figures, the first moves, the grids they touch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

    from gridopt.cli._pictures import Picture
    from gridopt.planning.compare import Comparison

__all__ = ["before_of", "check_csv", "check_map", "draw_changes", "number", "show_comparison", "write_moves"]

MOST_MOVES = 20
"""Moves and grids spelled out on stdout; files hold all."""


def check_csv(out: str, inputs: Iterable[Path]) -> None:
    """Make sure, before any work, that a table can be written."""
    from gridopt.io._atomic import check_no_input, check_writable

    if Path(out).suffix.lower() != ".csv":
        raise click.UsageError(f"the table of moves is a CSV: name it {Path(out).stem}.csv, not {out}.")
    check_no_input([check_writable(out)], inputs)


def check_map(picture: str, inputs: Iterable[Path]) -> None:
    """Make sure, before any work, that a map can be written."""
    from gridopt.io._atomic import check_no_input, check_writable
    from gridopt.viz.page import SUFFIXES

    if Path(picture).suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"--map draws {', '.join(SUFFIXES)}: name it {Path(picture).stem}.png, not {picture}.")
    check_no_input([check_writable(picture)], inputs)


def before_of(found: Comparison) -> pd.Series[Any]:
    """Grid each unit was in, by unit id; None where it is new."""
    import pandas as pd

    names = found.old.grid_ids.tolist()
    values = [names[j] if j >= 0 else None for j in found.before.tolist()]
    return pd.Series(values, index=pd.Index(found.new.problem.graph.ids, name="unit"), dtype=object)


def draw_changes(picture: Picture, found: Comparison, units: Any, **layers: Any) -> Path:
    """Draw the moves; units without polygons have no map."""
    from gridopt.cli._pictures import show_unseen
    from gridopt.io._atomic import undisturbed
    from gridopt.viz.moves import draw_moves

    if not hasattr(units, "geometry"):
        raise click.UsageError("--map needs polygons: this plan has none.")
    with undisturbed():
        figure = draw_moves(found.new, before_of(found), units, path=picture.path, title=picture.title, **layers)
    show_unseen(figure, picture.path)
    return Path(picture.path)


def write_moves(out: str, found: Comparison) -> Path:
    """Write the table of moves."""
    from gridopt.io._atomic import replacing

    with replacing(out) as (temporary,):
        found.moves.to_csv(temporary, index=False, encoding="utf-8", lineterminator="\n")
    return Path(out)


def show_comparison(found: Comparison, least: str | None = None) -> None:
    """Figures, renamed grids, the first moves, the grids that changed most; `least` is what had to move."""
    figures = found.figures
    shares = ", ".join(f"{name} {share:.2%}" for name, share in figures["workload"].items())
    click.echo(
        f"moved       {figures['n_moved']:,} of {found.new.problem.n_units:,} units ({figures['units']:.2%}); {shares}"
    )
    if least is not None:
        click.echo(f"least       {least}")
    if figures["n_new_units"]:
        click.echo(f"new units   {figures['n_new_units']:,}")
    states = ", ".join(f"{figures[f'n_{state}']:,} {state}" for state in ("kept", "new", "retired"))
    click.echo(f"grids       {states}; {figures['n_untouched']:,} untouched")
    click.echo(
        f"borders     {figures['new_border_m']:,.0f} m new, {figures['gone_border_m']:,.0f} m gone{_along(found)}"
    )
    renamed = [f"{b} was {a}" if a != b else "" for b, a in found.match.items()]
    renamed = [text for text in renamed if text]
    if renamed:
        more = f" and {len(renamed) - 5} more" if len(renamed) > 5 else ""
        click.echo(f"matched     by workload in common; by the ids of OLD: {', '.join(renamed[:5])}{more}")
    if told := _other_workload(found):
        click.echo(f"workload    {told}")
    _show_moves(found)
    _show_grids(found)


def _other_workload(found: Comparison) -> str:
    """What the plans count differently: then loads before cannot be set against loads after."""
    old, new = (tuple(plan.problem.attributes) for plan in (found.old, found.new))
    lacking = ", ".join(repr(name) for name in new if name not in old)
    if not lacking:
        return ""
    counts = ", ".join(map(repr, old)), ", ".join(map(repr, new))
    return (
        f"OLD counts {counts[0]}, NEW counts {counts[1]}: loads of {lacking} before are not known. To compare loads, "
        "solve both with the same --workload."
    )


def _along(found: Comparison) -> str:
    """Streets most of the new borders run along."""
    fresh = found.borders[(found.borders["change"] == "new") & (found.borders["streets"] != "")]
    if fresh.empty:
        return ""
    by_name = fresh.groupby("streets")["length_m"].sum().sort_values(ascending=False, kind="stable")
    return f"; new along {', '.join(by_name.index[:3])}{' …' if len(by_name) > 3 else ''}"


def _show_moves(found: Comparison) -> None:
    moves = found.moves
    if moves.empty:
        return
    click.echo("moves:")
    loads = [column for column in moves.columns if column.startswith("load_")]
    for row in moves.head(MOST_MOVES).to_dict("records"):
        amount = ", ".join(f"{column.removeprefix('load_')} {number(row[column])}" for column in loads)
        why = f": {row['reason']}" if row["reason"] else ""
        click.echo(f"  {row['unit']} from {row['from']} to {row['to']} ({amount}){why}")
    if len(moves) > MOST_MOVES:
        click.echo(f"  … and {len(moves) - MOST_MOVES:,} more")


def _show_grids(found: Comparison) -> None:
    """Before and after of the grids that units went into or out of."""
    table = found.grids[(found.grids["units_in"] + found.grids["units_out"] > 0) | (found.grids["state"] != "kept")]
    if table.empty:
        return
    name = found.new.problem.attributes[0]
    is_known = name in found.old.problem.attributes
    click.echo(f"grids that changed: {name} {'before and ' if is_known else ''}after, units out and in")
    for grid, row in table.head(MOST_MOVES).iterrows():
        loads = " -> ".join(_load(row, name, end) for end in (("_before", "") if is_known else ("",)))
        state = "" if row["state"] == "kept" else f" {row['state']}"
        click.echo(f"  {grid}{state}: {loads}; -{row['units_out']} +{row['units_in']}")
    if len(table) > MOST_MOVES:
        click.echo(f"  … and {len(table) - MOST_MOVES:,} more")


def _load(row: Any, name: str, end: str) -> str:
    off = row[f"deviation_{name}{end}"]
    return f"{number(row[f'load_{name}{end}'])}{f' ({off:+.1%})' if off == off else ''}"


def number(value: Any) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".")
