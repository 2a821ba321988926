"""
The oracle of everything: every contiguous plan of a small territory, one after the other, in plain Python.

Nothing here calls `gridopt.solvers`, `gridopt.rules` or the kernels: objects are only read. For ten or so nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations, product
from typing import Any

MILLION = 10**6
EXEMPT = ("dedicated", "frozen", "heavy", "light")


@dataclass(frozen=True)
class Best:
    """What enumeration found: the cheapest sound plan, and the plan of least violation (cheapest of those)."""

    labels: tuple[int, ...] | None
    cost: int | None
    least: int | None
    least_cost: int | None
    least_labels: tuple[int, ...] | None
    n_plans: int

    @property
    def feasible(self) -> bool:
        return self.labels is not None


# ---- partitions of a graph ---------------------------------------------------------------------------------------


def neighbours(n: int, edges: Sequence[Sequence[int]]) -> list[set[int]]:
    """Neighbours of each node."""
    near: list[set[int]] = [set() for _ in range(n)]
    for u, v in edges:
        near[int(u)].add(int(v))
        near[int(v)].add(int(u))
    return near


def is_connected(nodes: Sequence[int], near: list[set[int]]) -> bool:
    """Whether `nodes`, at least one, hang together."""
    left = set(nodes)
    if not left:
        return False
    todo = [left.pop()]
    while todo:
        reached = near[todo.pop()] & left
        left -= reached
        todo.extend(reached)
    return not left


def connected_sets(root: int, free: frozenset[int], near: list[set[int]]) -> Iterator[frozenset[int]]:
    """Yield each connected set with `root` within `free`, once."""

    def grow(inside: frozenset[int], banned: frozenset[int]) -> Iterator[frozenset[int]]:
        border = sorted(v for u in inside for v in near[u] if v in free and v not in inside and v not in banned)
        if not border:
            yield inside
            return
        yield from grow(inside | {border[0]}, banned)
        yield from grow(inside, banned | {border[0]})

    yield from grow(frozenset([root]), frozenset())


def partitions(n: int, edges: Sequence[Sequence[int]], k: int) -> Iterator[tuple[int, ...]]:
    """
    Yield every partition of nodes ``0 … n - 1`` into `k` connected non-empty parts, once, as labels.

    Labels are canonical: a part is numbered when its smallest node comes (restricted growth strings).
    """
    near = neighbours(n, edges)
    labels = [-1] * n

    def fill(part: int, free: frozenset[int]) -> Iterator[tuple[int, ...]]:
        if part == k:
            if not free:
                yield tuple(labels)
            return
        if len(free) < k - part:
            return
        for nodes in connected_sets(min(free), free, near):
            for u in nodes:
                labels[u] = part
            yield from fill(part + 1, free - nodes)

    yield from fill(0, frozenset(range(n)))


def canonical(labels: Sequence[int]) -> tuple[int, ...]:
    """Renumber parts in the order of their smallest node."""
    new: dict[int, int] = {}
    return tuple(new.setdefault(int(label), len(new)) for label in labels)


# ---- measures shared by both levels ------------------------------------------------------------------------------


def loads_of(labels: Sequence[int], workload: Any, k: int) -> list[list[int]]:
    """Sum of workload of each part and attribute."""
    width = len(workload[0]) if len(workload) else 0
    total = [[0] * width for _ in range(k)]
    for u, label in enumerate(labels):
        for a in range(width):
            total[label][a] += int(workload[u][a])
    return total


def violation_of(loads: list[list[int]], lo: Any, hi: Any, target: Any) -> int:
    """Excess over the limits as a share of the target, in whole millionths, summed over parts and attributes."""
    total = 0
    for j, row in enumerate(loads):
        for a, load in enumerate(row):
            excess = max(0, int(lo[j][a]) - load, load - int(hi[j][a]))
            total += _millionths(excess, target[j][a])
    return total


def imbalance_of(loads: list[list[int]], target: Any) -> int:
    """Distance from the target as a share of it, in whole millionths, summed over parts and attributes."""
    total = 0
    for j, row in enumerate(loads):
        for a, load in enumerate(row):
            total += _millionths(abs(load - target[j][a]), target[j][a])
    return total


def _millionths(excess: Any, target: Any) -> int:
    return int(excess * MILLION // target) if excess else 0


def _keep_best(candidates: Iterator[tuple[tuple[int, ...], int, int]]) -> Best:
    """Return the best of (labels, violation, cost), ties to the first."""
    best: tuple[int, tuple[int, ...]] | None = None
    least: tuple[int, int, tuple[int, ...]] | None = None
    n_plans = 0
    for labels, violation, cost in candidates:
        n_plans += 1
        if violation == 0 and (best is None or cost < best[0]):
            best = (cost, labels)
        if least is None or (violation, cost) < least[:2]:
            least = (violation, cost, labels)
    return Best(
        labels=best[1] if best else None,
        cost=best[0] if best else None,
        least=least[0] if least else None,
        least_cost=least[1] if least else None,
        least_labels=least[2] if least else None,
        n_plans=n_plans,
    )


# ---- pieces -------------------------------------------------------------------------------------------------------


def piece_edges(piece: Any) -> list[tuple[int, int, int]]:
    """Edges (u, v, weight) of a piece, each once."""
    found = []
    for u in range(len(piece.indptr) - 1):
        for e in range(int(piece.indptr[u]), int(piece.indptr[u + 1])):
            v = int(piece.indices[e])
            if u < v:
                found.append((u, v, int(piece.weights[e])))
    return found


def piece_conflicts(piece: Any) -> list[tuple[int, int]]:
    """Pairs of nodes that must lie apart, each once."""
    found = []
    for u in range(len(piece.apart_indptr) - 1):
        for e in range(int(piece.apart_indptr[u]), int(piece.apart_indptr[u + 1])):
            v = int(piece.apart_indices[e])
            if u < v:
                found.append((u, v))
    return found


def piece_cost(piece: Any, labels: Sequence[int]) -> int:
    """Price of a plan of a piece: cut, unit costs, leaving home, imbalance. Inertia is refused."""
    if int(piece.inertia_weight):
        raise ValueError("the oracle knows no inertia")
    k = len(piece.lo)
    cost = sum(w for u, v, w in piece_edges(piece) if labels[u] != labels[v])
    for u, label in enumerate(labels):
        if len(piece.unit_cost):
            cost += int(piece.unit_cost[u][label])
        if int(piece.home[u]) >= 0 and int(piece.home[u]) != label:
            cost += int(piece.away_cost[u])
    if int(piece.imbalance_weight):
        target = [[int(t) for t in row] for row in piece.target]
        cost += int(piece.imbalance_weight) * imbalance_of(loads_of(labels, piece.workload, k), target)
    return cost


def piece_violation(piece: Any, labels: Sequence[int]) -> int:
    """Violation of a contiguous plan of a piece: excess in millionths, and a million for each broken pair."""
    k = len(piece.lo)
    target = [[int(t) for t in row] for row in piece.target]
    broken = sum(labels[u] == labels[v] for u, v in piece_conflicts(piece))
    return violation_of(loads_of(labels, piece.workload, k), piece.lo, piece.hi, target) + MILLION * broken


def piece_plans(piece: Any) -> Iterator[tuple[int, ...]]:
    """Every contiguous plan of a piece that keeps its fixed nodes; one of each class of equivalent ones."""
    n, k = len(piece.indptr) - 1, len(piece.lo)
    fixed = [int(f) for f in piece.fixed]
    rows = [tuple(tuple(int(x) for x in m[j]) for m in (piece.lo, piece.hi, piece.target)) for j in range(k)]
    alike = len(set(rows)) <= 1 and max(fixed, default=-1) < 0 and not len(piece.unit_cost)
    alike = alike and all(int(h) < 0 for h in piece.home)
    orders = [tuple(range(k))] if alike else list(permutations(range(k)))
    for parts in partitions(n, [(u, v) for u, v, _ in piece_edges(piece)], k):
        for order in orders:
            labels = tuple(order[p] for p in parts)
            if all(f < 0 or f == label for f, label in zip(fixed, labels)):
                yield labels


def solve_piece(piece: Any) -> Best:
    """The best plan of a piece, by looking at all of them."""
    return _keep_best((p, piece_violation(piece, p), piece_cost(piece, p)) for p in piece_plans(piece))


def is_sound_piece(piece: Any, labels: Sequence[int]) -> bool:
    """Whether labels are a plan of the piece that breaks nothing."""
    n, k = len(piece.indptr) - 1, len(piece.lo)
    labels = [int(x) for x in labels]
    if len(labels) != n or set(labels) != set(range(k)):
        return False
    near = neighbours(n, [(u, v) for u, v, _ in piece_edges(piece)])
    if not all(is_connected([u for u in range(n) if labels[u] == j], near) for j in range(k)):
        return False
    if any(int(f) not in (-1, label) for f, label in zip(piece.fixed, labels)):
        return False
    return piece_violation(piece, labels) == 0


# ---- problems -----------------------------------------------------------------------------------------------------


def problem_plans(problem: Any) -> Iterator[tuple[int, ...]]:
    """
    Every plan that is contiguous, nested in the regions and keeps units fixed and together; limits and apart may break.

    Where grids of a region are alike (equal rows of limits and targets, named by no lock, incumbent or unit cost)
    only one order of them is given.
    """
    n, k = problem.n_units, problem.n_grids
    edges = [(int(u), int(v)) for u, v in problem.graph.edges]
    region = [int(r) for r in problem.nesting.region]
    grid_region = [int(r) for r in problem.nesting.grid_region]
    named = problem.unit_cost is not None or problem.incumbent is not None or any(int(f) >= 0 for f in problem.fixed)
    choices = []
    for r in sorted(set(region)):
        units = [u for u in range(n) if region[u] == r]
        place = {u: i for i, u in enumerate(units)}
        grids = [g for g in range(k) if grid_region[g] == r]
        inside = [(place[u], place[v]) for u, v in edges if u in place and v in place]
        rows = {
            tuple(
                (int(problem.lo[g][a]), int(problem.hi[g][a]), float(problem.target[g][a]))
                for a in range(problem.n_attributes)
            )
            for g in grids
        }
        orders = list(permutations(grids)) if named or len(rows) > 1 else [tuple(grids)]
        found = [
            [(u, o[p]) for u, p in zip(units, parts)]
            for parts in partitions(len(units), inside, len(grids))
            for o in orders
        ]
        choices.append(found)
    if set(grid_region) - set(region):
        return
    for pick in product(*choices):
        labels = [0] * n
        for part in pick:
            for u, g in part:
                labels[u] = g
        if _keeps_locks(problem, labels):
            yield tuple(labels)


def _keeps_locks(problem: Any, labels: Sequence[int]) -> bool:
    grid_of: dict[int, int] = {}
    for u, label in enumerate(labels):
        if int(problem.fixed[u]) not in (-1, label):
            return False
        c = int(problem.together[u])
        if c >= 0 and grid_of.setdefault(c, label) != label:
            return False
    return True


def broken_pairs(problem: Any, labels: Sequence[int]) -> int:
    """How many pairs that must lie apart share a grid; pairs between the same two compounds are one."""
    own = [("unit", u) if int(c) < 0 else ("compound", int(c)) for u, c in enumerate(problem.together)]
    return len({frozenset((own[int(u)], own[int(v)])) for u, v in problem.apart if labels[int(u)] == labels[int(v)]})


def rows_of(problem: Any, labels: Sequence[int]) -> list[int]:
    """Row of the limits that binds each grid: its own, or, where grids may swap names, the first of its region."""
    rows = list(range(problem.n_grids))
    if problem.interchangeable:
        grid_region = [int(r) for r in problem.nesting.grid_region]
        for u in range(problem.n_units - 1, -1, -1):
            rows[labels[u]] = grid_region.index(int(problem.nesting.region[u]))
    return rows


def whole_targets(problem: Any) -> list[list[int]]:
    """Targets as whole work units, at least 1."""
    return [[max(1, round(float(t))) for t in row] for row in problem.target]


def problem_violation(problem: Any, labels: Sequence[int]) -> int:
    """Excess of the grids over their limits, in millionths of their targets."""
    loads, rows = loads_of(labels, problem.workload, problem.n_grids), rows_of(problem, labels)
    target = whole_targets(problem)
    return violation_of(loads, *([m[j] for j in rows] for m in (problem.lo, problem.hi, target)))


def problem_cost(problem: Any, labels: Sequence[int]) -> int:
    """The weighted sum of terms, from their definitions."""
    weight = dict(problem.objective)
    cost = weight["inertia"] * problem_inertia(problem, labels) if weight.get("inertia") else 0
    for e, (u, v) in enumerate(problem.graph.edges):
        if labels[int(u)] != labels[int(v)]:
            cost += weight.get("cut", 0) * int(problem.graph.cost[e])
            if problem.edge_cost is not None:
                cost += weight.get("edge_cost", 0) * int(problem.edge_cost[e])
    for u, label in enumerate(labels):
        if problem.unit_cost is not None:
            cost += weight.get("unit_cost", 0) * int(problem.unit_cost[u][label])
        if problem.incumbent is not None and int(problem.incumbent[u]) not in (-1, label):
            cost += weight.get("moved", 0) * int(problem.workload[u][0])
    if weight.get("imbalance"):
        loads, rows = loads_of(labels, problem.workload, problem.n_grids), rows_of(problem, labels)
        target = whole_targets(problem)
        exempt = [problem.nesting.reason[int(r)] in EXEMPT for r in problem.nesting.grid_region]
        bound = [g for g in range(problem.n_grids) if not exempt[rows[g]]]
        cost += weight["imbalance"] * imbalance_of([loads[g] for g in bound], [target[rows[g]] for g in bound])
    return cost


def problem_inertia(problem: Any, labels: Sequence[int]) -> int:
    """Sum over grids of ``sum w d^2`` to the mean centre, in fractions, each rounded up to a whole number."""
    total = 0
    for g in range(problem.n_grids):
        units = [u for u in range(problem.n_units) if labels[u] == g]
        mass = {u: int(problem.workload[u][0]) for u in units}
        whole = sum(mass.values())
        if not whole:
            continue
        spread = Fraction(0)
        for axis in (0, 1):
            at = {u: round(float(problem.graph.xy[u][axis])) for u in units}
            middle = Fraction(sum(mass[u] * at[u] for u in units), whole)
            spread += sum(mass[u] * (at[u] - middle) ** 2 for u in units)
        total += -(-spread.numerator // spread.denominator)
    return total


def is_sound(problem: Any, labels: Sequence[int]) -> bool:
    """Whether labels are a plan that breaks no rule of the problem: the oracle's own reading of `verify`."""
    n, k, nesting = problem.n_units, problem.n_grids, problem.nesting
    labels = [int(x) for x in labels]
    if len(labels) != n or set(labels) != set(range(k)):
        return False
    near = neighbours(n, problem.graph.edges)
    region_of_grid = []
    for g in range(k):
        units = [u for u in range(n) if labels[u] == g]
        regions = {int(nesting.region[u]) for u in units}
        if not is_connected(units, near) or len(regions) > 1:
            return False
        region_of_grid.append(regions.pop())
    wanted = [int(r) for r in nesting.grid_region]
    if problem.interchangeable:
        region_of_grid, wanted = sorted(region_of_grid), sorted(wanted)
    if region_of_grid != wanted or not _keeps_locks(problem, labels) or broken_pairs(problem, labels):
        return False
    return problem.soft or problem_violation(problem, labels) == 0


def solve_problem(problem: Any) -> Best:
    """The best plan of a problem, by looking at all of them; a broken pair counts a million millionths."""
    return _keep_best(
        (p, problem_violation(problem, p) + MILLION * broken_pairs(problem, p), problem_cost(problem, p))
        for p in problem_plans(problem)
    )
