"""Tables: long frames with full precision, and their rendering in the paper's layout."""

from .ablation import ablation_controls, render_ablation_controls, render_table4, table4
from .efficiency import render_table3, table3
from .fidelity import render_table2, table2
from .labels import Labels, labels_of
from .scores import render_table1, table1

__all__ = [
    "Labels",
    "ablation_controls",
    "labels_of",
    "render_ablation_controls",
    "render_table1",
    "render_table2",
    "render_table3",
    "render_table4",
    "table1",
    "table2",
    "table3",
    "table4",
]
