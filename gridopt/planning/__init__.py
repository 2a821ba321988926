"""Planning: plans in use, kept alive while streets, people and boundaries change."""

from gridopt.planning.compare import Comparison, compare
from gridopt.planning.lineage import Lineage, Record
from gridopt.planning.moves import Move
from gridopt.planning.rebalance import rebalance
from gridopt.planning.rebalanced import Rebalanced
from gridopt.planning.trade import trade_off

__all__ = ["Comparison", "Lineage", "Move", "Rebalanced", "Record", "compare", "rebalance", "trade_off"]
