"""Plan: a complete assignment of units to grids."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import as_array, frozen
from gridopt.errors import InputError, name_ids
from gridopt.model.graph import components, first_places
from gridopt.model.problem import Problem
from gridopt.model.problem import grid_ids as default_ids

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Plan"]


@dataclass(frozen=True, eq=False)
class Plan:
    """
    Labels over a problem: grid ``labels[u]`` of each unit ``u``. Whether it is sound, `verify` says.

    Parameters
    ----------
    problem : Problem
        Row ``j`` of its limits is that of grid ``j``. Where grids are interchangeable, the rows are put in the order
        of the labels: a grid's limits are those of the region it lies in.
    labels : ndarray of int32, shape (n,)
        Grid of each unit, in ``[0, k)``.
    grid_ids : ndarray of object (text), shape (k,)
        Text id of each grid, no two alike; default ``G001 …``. Ids belong to grids, not to rows of an array: a plan in
        force keeps them through renumbering, files and rebalancing.

    Attributes
    ----------
    loads : ndarray of int64, shape (k, a)
        Load of each grid, in work units.
    sizes : ndarray of int64, shape (k,)
        Number of units of each grid.

    Raises
    ------
    InputError
        If labels are not one for each unit, or outside ``[0, k)``; if ids are not text, or not one for each grid.

    Examples
    --------
    >>> import gridopt as go
    >>> graph = go.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)])
    >>> plan = go.Plan(go.build_problem(graph, workload=[1, 2, 2, 1], n_grids=2), [0, 0, 1, 1])
    >>> plan.loads[:, 0].tolist()
    [3, 3]
    >>> go.Plan(plan.problem, plan.labels, ["G002", "G007"]).to_series().tolist()
    ['G002', 'G002', 'G007', 'G007']

    """

    problem: Problem
    labels: NDArray[np.int32]
    grid_ids: NDArray[Any] = None  # type: ignore[assignment]
    loads: NDArray[np.int64] = field(init=False)
    sizes: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        labels = frozen(self.labels, np.int32)
        n, k = self.problem.n_units, self.problem.n_grids
        if labels.shape != (n,):
            raise InputError(f"labels have shape {labels.shape}; give one for each of the {n} units.")
        bad = np.flatnonzero((labels < 0) | (labels >= k))
        if len(bad):
            raise InputError(
                f"{len(bad)} labels lie outside 0 … {k - 1} (first: unit {name_ids(self.problem.graph.ids[bad[:1]])} "
                f"has {labels[bad[0]]}). A label is the number of a grid."
            )
        if self.problem.interchangeable:
            object.__setattr__(self, "problem", _rows_as_labelled(self.problem, labels))
        loads = np.zeros((k, self.problem.n_attributes), dtype=np.int64)
        np.add.at(loads, labels, self.problem.workload)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "grid_ids", default_ids(k) if self.grid_ids is None else _as_names(self.grid_ids, k))
        object.__setattr__(self, "loads", frozen(loads, np.int64))
        object.__setattr__(self, "sizes", frozen(np.bincount(labels, minlength=k), np.int64))

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"Plan({self.problem.n_units} units in {self.problem.n_grids} grids)"

    def to_series(self) -> pd.Series[Any]:
        """
        Text id of the grid of each unit, indexed by unit id.

        Examples
        --------
        >>> import gridopt as go
        >>> graph = go.Graph.from_edges(2, [(0, 1)], ids=["a", "b"])
        >>> go.Plan(go.build_problem(graph, workload=[1, 1], n_grids=2), [0, 1]).to_series().to_dict()
        {'a': 'G001', 'b': 'G002'}

        """
        import pandas as pd

        index = pd.Index(self.problem.graph.ids, name="unit")
        return pd.Series(self.grid_ids[self.labels], index=index, name="grid")

    def pieces(self) -> NDArray[np.int64]:
        """Number of connected pieces of each grid, shape (k,); 1 everywhere when the plan is contiguous."""
        edges = self.problem.graph.edges
        inside = self.labels[edges[:, 0]] == self.labels[edges[:, 1]]
        piece = components(self.problem.n_units, edges[inside])
        first = first_places(piece, int(piece.max(initial=-1)) + 1)
        return np.bincount(self.labels[first], minlength=self.problem.n_grids)

    def moved(self, other: Plan) -> NDArray[np.bool_]:
        """Whether each unit is in another grid than in `other`, a plan of the same units, shape (n,)."""
        if not np.array_equal(self.problem.graph.ids, other.problem.graph.ids):
            raise InputError("the two plans are about different units; match the units first.")
        return self.labels != other.labels

    def relabelled(self, order: Any) -> Plan:
        """Return the same plan with its grids renumbered: new grid ``j`` is the old ``order[j]``, limits, id, all."""
        order = np.asarray(order, dtype=np.int64)
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return Plan(self.problem.permuted(order), back[self.labels], self.grid_ids[order])

    def canonical(self) -> Plan:
        """
        Return the same plan with its grids numbered by their smallest unit position, where nothing names a grid.

        Examples
        --------
        >>> import gridopt as go
        >>> graph = go.Graph.from_edges(3, [(0, 1), (1, 2)])
        >>> go.Plan(go.build_problem(graph, workload=[1, 1, 1], n_grids=2), [1, 0, 0]).canonical().labels.tolist()
        [0, 1, 1]
        """
        if not self.problem.interchangeable:
            return self
        first = first_places(self.labels, self.problem.n_grids)  # empty grids come last
        return self.relabelled(np.argsort(first, kind="stable"))


def _as_names(values: Any, k: int) -> NDArray[Any]:
    """Text ids of grids, frozen, after checking that there is one for each."""
    names = frozen(as_array(values, "grid ids", object), object)
    if names.shape != (k,):
        raise InputError(f"grid ids have shape {names.shape}; give one for each of the {k} grids.")
    odd = [name for name in names if not isinstance(name, str) or not name or name != name.strip()]
    if odd:
        raise InputError(
            f"{len(odd)} grid ids are not text, or have blanks around it (first: {odd[0]!r}). Give ids such as 'G001'."
        )
    if len(set(names)) < k:
        twice = sorted({name for name in names if (names == name).sum() > 1})
        raise InputError(f"{len(twice)} grid ids occur more than once ({name_ids(twice)}). Give each grid its own.")
    return names


def _rows_as_labelled(problem: Problem, labels: NDArray[np.int32]) -> Problem:
    """Put the rows of the limits in the order of the labels; unchanged where grids do not fit the regions."""
    first = first_places(labels, problem.n_grids)
    nesting = problem.nesting
    if first.max(initial=-1) == len(labels):
        return problem
    lies_in = nesting.region[first]
    if np.array_equal(lies_in, nesting.grid_region):
        return problem
    wanted, have = np.argsort(lies_in, kind="stable"), np.argsort(nesting.grid_region, kind="stable")
    if not np.array_equal(lies_in[wanted], nesting.grid_region[have]):
        return problem
    order = np.empty_like(wanted)
    order[wanted] = have
    return problem.permuted(order)
