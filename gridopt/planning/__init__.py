"""Planning: plans in use, kept alive while streets, people and boundaries change."""

from gridopt.planning.moves import Move
from gridopt.planning.rebalance import rebalance
from gridopt.planning.rebalanced import Rebalanced
from gridopt.planning.trade import trade_off

__all__ = ["Move", "Rebalanced", "rebalance", "trade_off"]
