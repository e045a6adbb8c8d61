"""`make bench` can print its table: every part exists, and a part gives ratios of two figures."""

import ast
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def functions_of(name):
    tree = ast.parse((BENCHMARKS / f"{name}.py").read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_part_of_the_table_is_a_module_with_ratios():
    tree = ast.parse((BENCHMARKS / "bench.py").read_text(encoding="utf-8"))
    (parts,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PARTS"
    )
    assert len(parts) > 4
    for part in parts:
        ratios = functions_of(part)["ratios"]
        assert len(ratios.args.defaults) == len(ratios.args.args), f"{part}.ratios must run without arguments"
