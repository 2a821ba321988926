"""``--source-datum``: layers that are said to come from Chinese web maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from gridopt.errors import Finding

__all__ = ["check_datums", "converted_before", "from_datum"]

DATUMS = ("gcj02", "bd09")
CARRIED = ("units", "boundary")
"""Layers whose shapes go on into what is made of them: what was converted before is said there too."""


def check_datums(given: Sequence[str], layers: Sequence[str]) -> None:
    """Refuse what is no LAYER=DATUM of one of the layers."""
    for pair in given:
        layer, datum = _parted(pair)
        if datum not in DATUMS:
            raise click.UsageError(
                f"--source-datum takes LAYER=DATUM, such as streets=gcj02 or units=bd09; got {pair!r}."
            )
        if layer not in layers:
            raise click.UsageError(f"--source-datum {pair}: there is no {layer!r} here, but {', '.join(layers)}.")
        if layers.count(layer) > 1:
            raise click.UsageError(f"--source-datum {pair}: two layers are called {layer!r}; rename the objects.")
        if [_parted(p)[0] for p in given].count(layer) > 1:
            raise click.UsageError(f"--source-datum names {layer} twice.")


def from_datum(source_datum: Sequence[str], name: str, layer: Any, source: str) -> Any:
    """Convert a layer that is said to come from a Chinese web map, once."""
    from gridopt.territory.datum import to_wgs84

    said = dict(_parted(pair) for pair in source_datum)
    if name not in said:
        if name in CARRIED and (before := converted_before(source)):
            layer.attrs["findings"] = (*layer.attrs.get("findings", ()), *before)
        return layer
    if not hasattr(layer, "geometry"):
        raise click.UsageError(f"--source-datum {name}={said[name]}: {name} have no coordinates.")
    if names := ", ".join(sorted({str(f.ids[0]) for f in converted_before(source)})):
        raise click.UsageError(
            f"{source} was made from {names} that were converted to WGS 84: --source-datum {name}={said[name]} would "
            "shift it once more. Leave it out."
        )
    layer = to_wgs84(layer, said[name])
    cure = "Converted to WGS 84, and so is what is made of it: do not convert that again."
    told = Finding("datum-converted", "info", (name,), said[name], None, cure)
    layer.attrs["findings"] = (*layer.attrs.get("findings", ()), told)
    return layer


def _parted(pair: str) -> tuple[str, str]:
    """
    Layer and datum of a pair, the datum as we spell it.

    Examples
    --------
    >>> _parted("units=GCJ-02"), _parted("units=bd_09")
    (('units', 'gcj02'), ('units', 'bd09'))
    """
    layer, _, datum = pair.partition("=")
    return layer, datum.strip().lower().replace("-", "").replace("_", "").replace(" ", "")


def converted_before(source: str) -> tuple[Finding, ...]:
    """
    Layers that were converted when a file of ours was made, whichever they were, or files it was made of.

    What is made of several layers lies where the converted ones do, or they would not have fitted together.
    """
    from gridopt.io.tables import has_layer, read_table, split_layer

    path, _ = split_layer(source)
    if path.suffix.lower() != ".gpkg" or not has_layer(path, "findings"):
        return ()
    table = read_table(f"{path}:findings", what="findings", may_be_empty=True)
    if not {"code", "ids", "value"}.issubset(table.columns):
        return ()
    table = table[table["code"] == "datum-converted"]
    pairs = sorted(set(zip(table["ids"].astype(str), table["value"].astype(str))))
    cure = f"Converted to WGS 84 before {path.name} was made: do not convert that again."
    return tuple(Finding("datum-converted", "info", (name,), datum, None, cure) for name, datum in pairs)
