"""Edits of a plan made elsewhere: layers that were lost, and edits that stand where nobody reads them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gridopt.errors import Finding, InputError
from gridopt.io.tables import STYLES, read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LAYERS", "edits_elsewhere", "need_layers"]

LAYERS = ("units", "grids", "borders", "moves", "adjacency", "problem", "findings")
"""Layers of ours in a plan's GeoPackage."""
COLUMNS = {"unit", "grid"}


def need_layers(gpkg: Path, layers: Iterable[str]) -> None:
    """Raise `InputError` when the file of a plan lacks one of `layers`; a file that cannot be read says so later."""
    there = _layers_of(gpkg)
    absent = [name for name in layers if there and name not in there]
    if absent:
        cure = (
            "Restore the file, and keep its other layers when you edit: write layer='units' into the original file "
            "(in Python: units.to_file(path, layer='units'))."
        )
        raise InputError(
            f"plan {gpkg} has no layer {absent[0]!r}; there are: {', '.join(there)}. {cure}",
            [Finding("layer-missing", "error", tuple(absent), None, None, cure)],
        )


def edits_elsewhere(gpkg: Path, grid: pd.Series) -> list[Finding]:
    """Warn of each layer that is not ours and says otherwise than the plan which grid some unit is in."""
    import pyogrio

    current = {str(unit): value for unit, value in grid.items()}
    found = []
    for layer in _layers_of(gpkg):
        if layer in LAYERS or not COLUMNS.issubset(pyogrio.read_info(gpkg, layer=layer)["fields"].tolist()):
            continue
        table = read_table(f"{gpkg}:{layer}", what=f"plan ({layer})", may_be_empty=True)
        other = [str(u) for u, g in zip(table["unit"], table["grid"]) if current.get(str(u)) != g]
        if other:
            cure = f"Edits in layer {layer!r} are not read: save them to layer='units' of this file."
            found.append(Finding("edits-elsewhere", "warning", (layer,), f"{len(other)} units differ", None, cure))
    return found


def _layers_of(gpkg: Path) -> list[str]:
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        return [name for name in map(str, pyogrio.list_layers(gpkg)[:, 0]) if name not in STYLES]
    except (DataSourceError, DataLayerError, OSError):
        return []
