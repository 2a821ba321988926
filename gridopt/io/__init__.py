"""Files: vector layers and tables, METIS graphs and partitions, plans. One format per file."""

from gridopt.io.gal import read_gal, write_gal
from gridopt.io.gerrychain import read_gerrychain, write_gerrychain
from gridopt.io.metis import MetisGraph, read_graph, read_partition, write_graph, write_partition
from gridopt.io.plan_file import PlanFile, read_plan, write_plan
from gridopt.io.tables import read_layer, read_table, read_units
from gridopt.io.write import write_table, write_workbook

__all__ = [
    "MetisGraph",
    "PlanFile",
    "read_gal",
    "read_gerrychain",
    "read_graph",
    "read_layer",
    "read_partition",
    "read_plan",
    "read_table",
    "read_units",
    "write_gal",
    "write_gerrychain",
    "write_graph",
    "write_partition",
    "write_plan",
    "write_table",
    "write_workbook",
]
