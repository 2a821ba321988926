"""Units to parents where layers were digitised apart: the parent with the largest share, and the doubtful listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import as_ids, is_null, nearest_names
from gridopt.errors import Finding, InputError
from gridopt.territory._layers import POLYGONS, as_layer, check_layer
from gridopt.territory.crs import to_same_metric
from gridopt.territory.shift import tell_shift

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = ["Parents", "assign_parents"]

SHIFTED = 0.3
"""Share of doubtful units above which it is worth looking for a shift between the layers."""

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Parents:
    """
    The parent of each unit.

    Parameters
    ----------
    table : DataFrame
        One row per unit, in their order: ``parent``, ``share`` (of the unit's area that lies in it), ``second`` and
        ``second_share`` (the next best), ``outside`` (share in no parent), ``is_doubtful``.
    threshold : float
        Units with a smaller share are doubtful.
    findings : tuple of Finding

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> units = gpd.GeoSeries(shapely.box([0, 10], 0, [10, 20], 10), index=["a", "b"], crs="EPSG:3826")
    >>> wards = gpd.GeoSeries(shapely.box([0, 9], 0, [9, 20], 10), index=["west", "east"], crs="EPSG:3826")
    >>> assign_parents(units, wards).doubtful[["parent", "share", "second"]].values.tolist()
    [['west', 0.9, 'east']]
    """

    table: pd.DataFrame
    threshold: float
    findings: tuple[Finding, ...]

    @property
    def parent_of(self) -> pd.Series:
        """Parent id of each unit, by unit id: what ``build_problem(parent=)`` takes."""
        series: pd.Series = self.table["parent"]
        return series

    @property
    def doubtful(self) -> pd.DataFrame:
        """Rows of the doubtful units, the smallest share first."""
        rows = self.table[self.table["is_doubtful"]]
        return rows.sort_values("share", kind="stable").drop(columns="is_doubtful")


def assign_parents(
    units: gpd.GeoDataFrame | gpd.GeoSeries,
    parents: gpd.GeoDataFrame | gpd.GeoSeries,
    *,
    id_column: str | None = None,
    threshold: float = 0.95,
    crs: Any = None,
) -> Parents:
    """
    Give each unit the parent that has the largest share of its area.

    Parameters
    ----------
    units : GeoDataFrame or GeoSeries
        Polygons; the index holds their ids.
    parents : GeoDataFrame or GeoSeries
        Polygons of communities, villages, wards; several rows of one id are one parent in pieces.
    id_column : str, optional
        Column of parent ids; default the index.
    threshold : float
        In [0, 1]. Units with a smaller share in their parent are listed as doubtful.
    crs : optional
        Projected system in metres to measure in; default that of `units`, or the local UTM zone for degrees.

    Returns
    -------
    Parents
        Of equal shares the parent that comes first. A unit in no parent goes to the nearest one, with share 0.

    Raises
    ------
    GeometryError
        If a unit is null, empty, invalid or no polygon; if a parent has no polygon.
    InputError
        If `id_column` does not exist or has no value somewhere, or `threshold` is out of range.

    Notes
    -----
    Parents with invalid rings are measured as ``make_valid`` has them, which is told. Where three units in ten are
    doubtful, a constant shift between the layers is looked for (`gridopt.territory.shift.find_shift`).

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> units = gpd.GeoSeries(shapely.box([0, 10], 0, [10, 20], 10), index=["a", "b"], crs="EPSG:3826")
    >>> wards = gpd.GeoSeries(shapely.box([0, 9], 0, [9, 20], 10), index=["west", "east"], crs="EPSG:3826")
    >>> assign_parents(units, wards).parent_of.to_dict()
    {'a': 'west', 'b': 'east'}
    """
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number) or not 0 <= threshold <= 1:
        raise InputError(f"threshold={threshold!r} must be a share in [0, 1], such as 0.95.")
    given = {"units": as_layer(units, "units", crs), "parents": as_layer(parents, "parents", crs)}
    for name, layer in given.items():
        check_layer(layer, name, POLYGONS)
    layers, _, said = to_same_metric(given, crs)
    check_layer(layers["units"], "units", POLYGONS, valid=True)
    ids = as_ids(layers["units"].index)
    names = _parent_ids(layers["parents"], id_column)
    shapes, told = _valid(layers["parents"], names)
    table = _largest_shares(np.asarray(layers["units"].geometry), shapes, names, ids, threshold)
    told += _tell(table, threshold, names)
    if table["is_doubtful"].mean() > SHIFTED:
        told += tell_shift(layers, "units", "parents")
    return Parents(table, float(threshold), (*said, *told))


def _parent_ids(parents: Any, id_column: str | None) -> Array:
    """Id of each row of the parents, as given."""
    if id_column is None:
        values = parents.index
    elif parents.ndim == 2 and id_column in parents.columns:
        values = parents[id_column]
    else:
        columns = [str(c) for c in parents.columns] if parents.ndim == 2 else []
        raise InputError(f"parents have no column {id_column!r}. {nearest_names(id_column, columns)}")
    ids = np.empty(len(values), dtype=object)
    ids[:] = values.tolist()
    none = is_null(ids)
    if none.any():
        raise InputError(
            f"{int(none.sum())} of {len(ids)} parents have no id (first: row {int(np.flatnonzero(none)[0]) + 1}). "
            "Fill the column, or drop the rows.",
            [Finding("null-id", "error", (), int(none.sum()), None, "Fill the column.")],
        )
    return ids


def _valid(parents: Any, names: Array) -> tuple[Array, list[Finding]]:
    """Shapes of the parents, valid; and which were not."""
    import shapely

    shapes = np.asarray(parents.geometry).copy()
    bad = ~shapely.is_valid(shapes)
    if not bad.any():
        return shapes, []
    shapes[bad] = shapely.make_valid(shapes[bad], method="structure", keep_collapsed=False)
    cure = "Shares are measured with their rings mended (make_valid); repair the layer to see what changes."
    return shapes, [Finding("parent-mended", "warning", tuple(names[bad].tolist()), int(bad.sum()), None, cure)]


def _largest_shares(units: Array, shapes: Array, names: Array, ids: Array, threshold: float) -> pd.DataFrame:
    """One row per unit, as in `Parents`."""
    import pandas as pd
    import shapely

    code, parent_ids = pd.factorize(names)
    n, whole = len(units), shapely.area(units)
    tree = shapely.STRtree(units)
    shapely.prepare(shapes)
    j, i = tree.query(shapes, predicate="intersects")
    inside = np.isin(j * n + i, np.array([n, 1]) @ tree.query(shapes, predicate="covers"))
    area = np.where(inside, whole[i], 0.0)
    area[~inside] = shapely.area(shapely.intersection(units[i[~inside]], shapes[j[~inside]]))
    pairs = pd.DataFrame({"unit": i, "parent": code[j], "area": area})
    pairs = pairs.groupby(["unit", "parent"], sort=True)["area"].sum().reset_index()
    pairs = pairs[pairs["area"] > 0].sort_values(
        ["unit", "area", "parent"], ascending=[True, False, True], kind="stable"
    )
    rank = pairs.groupby("unit").cumcount()
    best, second = pairs[rank == 0].set_index("unit"), pairs[rank == 1].set_index("unit")
    parent = best["parent"].reindex(range(n), fill_value=-1).to_numpy(copy=True)
    share = np.minimum(best["area"].reindex(range(n), fill_value=0.0).to_numpy() / whole, 1.0)
    lost = np.flatnonzero(parent < 0)
    if len(lost):
        unit, row = shapely.STRtree(shapes).query_nearest(units[lost], all_matches=True)
        order = np.lexsort((row, unit))
        parent[lost] = code[row[order][np.unique(unit[order], return_index=True)[1]]]
    next_best = second["parent"].reindex(range(n), fill_value=-1).to_numpy()
    covered = pairs.groupby("unit")["area"].sum().reindex(range(n), fill_value=0.0).to_numpy() / whole
    columns = {
        "parent": parent_ids[parent],
        "share": share,
        "second": pd.Series([parent_ids[p] if p >= 0 else None for p in next_best], index=ids, dtype=object),
        "second_share": second["area"].reindex(range(n), fill_value=0.0).to_numpy() / whole,
        "outside": np.maximum(1 - covered, 0.0),
        "is_doubtful": share < threshold,
    }
    return pd.DataFrame(columns, index=pd.Index(ids, name="unit"))


def _tell(table: pd.DataFrame, threshold: float, names: Array) -> list[Finding]:
    said = []
    lost = table.index[table["share"] == 0]
    doubtful = table[table["is_doubtful"]].sort_values("share", kind="stable")
    if len(doubtful):
        cure = "They lie across boundaries of parents and went to the largest share; the table of parents lists both."
        value = f"{len(doubtful):,} of {len(table):,}"
        said.append(Finding("doubtful-parent", "warning", tuple(doubtful.index.tolist()), value, threshold, cure))
    if len(lost):
        cure = "They lie in no parent and went to the nearest."
        said.append(Finding("outside-parents", "warning", tuple(lost.tolist()), len(lost), None, cure))
    empty = [p for p in dict.fromkeys(names.tolist()) if p not in set(table["parent"])]
    if empty:
        cure = "No unit has its largest share in these parents: they get no grids."
        said.append(Finding("parent-without-units", "warning", tuple(empty), len(empty), None, cure))
    return said
