"""Who may import what, read from the syntax tree: cheap jobs start without torch, and the parts stay apart."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "workflow"
SOURCE = ROOT / "src"
FILES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((SOURCE / "learnability").rglob("*.py"))
}
SCRIPTS = {path.stem: path for path in sorted((ROOT / "scripts").glob("*.py"))}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
HEAVY = {"torch", "torchvision", "timm", "diffusers", "safetensors", "huggingface_hub"}
COMPUTED = ("metrics", "significance", "tables", "figures", "claims", "summary")  # from predictions
STARTS_FAST = ("contracts", "study", "folds", "store", "macro", *COMPUTED)
LIGHT = [name for name in (name.removeprefix("learnability.") for name in FILES) if name.split(".")[0] in STARTS_FAST]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def import_nodes(node: ast.AST, inside_functions: bool):
    """The imports that run when the module is imported, or all; those for type checkers never run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not is_type_checking(child) and (inside_functions or not isinstance(child, FUNCTIONS)):
            yield from import_nodes(child, inside_functions)


def imports(name: str, path: Path, inside_functions: bool) -> set[str]:
    """Full names of what a module imports, with the packages above each, which Python imports too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in import_nodes(ast.parse(path.read_text(encoding="utf-8")), inside_functions):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
            continue
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return {".".join(full.split(".")[: i + 1]) for full in found for i in range(full.count(".") + 1)}


def reach(name: str, path: Path, inside_functions: bool) -> set[str]:
    """Everything a module imports, directly or through modules of this package."""
    found, waiting = set(), [(name, path)]
    while waiting:
        new = imports(*waiting.pop(), inside_functions) - found
        found |= new
        waiting += [(module, FILES[module]) for module in new if module in FILES]
    return found


def test_the_imports_are_seen():
    """Else every test below passes for nothing."""
    direct = imports("learnability.training", FILES["learnability.training"], inside_functions=False)
    assert {"torch", "learnability.losses", "learnability.classifiers.classifier"} <= direct
    through = reach("learnability.training", FILES["learnability.training"], inside_functions=False)
    assert {"learnability.classifiers.grid", "learnability.store"} <= through - direct
    lazy = "learnability.classifiers.classifier"
    assert "timm" in imports(lazy, FILES[lazy], True) - imports(lazy, FILES[lazy], False)
    assert {"contracts", "folds", "metrics", "significance", "study", "tables"} <= set(LIGHT)
    assert {"significance.gap", "tables.formats", "figures.style"} <= set(LIGHT)


@pytest.mark.parametrize("name", FILES)
def test_the_package_never_imports_snakemake(name):
    assert "snakemake" not in imports(name, FILES[name], inside_functions=True)


@pytest.mark.parametrize("name", LIGHT)
def test_importing_a_light_module_imports_nothing_heavy(name):
    name = f"learnability.{name}"
    assert reach(name, FILES[name], inside_functions=False) & HEAVY == set()


@pytest.mark.parametrize("name", [name for name in LIGHT if name.split(".")[0] in COMPUTED])
def test_what_is_computed_from_predictions_never_needs_torch(name):
    name = f"learnability.{name}"
    assert reach(name, FILES[name], inside_functions=True) & HEAVY == set()


@pytest.mark.parametrize("script", ["prepare_dataset", "make_folds", "make_table1", "make_table2", "make_table3",
                                    "make_table4", "make_ablation_controls", "test_significance", "test_ablation",
                                    "decompose_gap", "record_study", "judge_claims", "compare_published", "show_tests",
                                    "write_summary",
                                    *(name for name in SCRIPTS if name.startswith("draw_"))])  # fmt: skip
def test_the_scripts_of_cheap_rules_start_without_torch(script):
    assert reach(script, SCRIPTS[script], inside_functions=False) & HEAVY == set()


@pytest.mark.parametrize("name", ["check", "study", "provenance", "contracts", "hub", "autoencoders.own_class"])
def test_what_the_snakefile_imports_starts_without_torch(name):
    name = f"learnability.{name}"
    assert reach(name, FILES[name], inside_functions=False) & HEAVY == set()


@pytest.mark.parametrize("name", FILES)
def test_diffusers_and_timm_are_imported_inside_functions(name):
    assert imports(name, FILES[name], inside_functions=False) & {"diffusers", "timm"} == set()


def test_a_recipe_needs_nothing_but_its_errors():
    assert reach("learnability.recipe", FILES["learnability.recipe"], inside_functions=True) & set(FILES) == {
        "learnability", "learnability.contracts", "learnability.store",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["training", "tuning", "losses", "fold_data", "evaluation", "efficiency", "teacher"])
def test_what_trains_takes_a_recipe_and_reads_no_configuration(name):
    """So that a change of what is checked while the graph is built runs no training again."""
    name = f"learnability.{name}"
    found = reach(name, FILES[name], inside_functions=True)
    assert found & {f"learnability.{part}" for part in ("recipes", "search_space", "study", "configuration")} == set()


@pytest.mark.parametrize("part", ["datasets", "autoencoders", "classifiers"])
def test_datasets_autoencoders_and_classifiers_do_not_import_each_other(part):
    others = {"learnability.datasets", "learnability.autoencoders", "learnability.classifiers"} - {
        f"learnability.{part}"
    }
    members = [name for name in FILES if name.startswith(f"learnability.{part}")]
    assert len(members) > 2
    assert {name for name in members if imports(name, FILES[name], inside_functions=True) & others} == set()


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_a_short_call_into_the_package(script):
    text = SCRIPTS[script].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40
    assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, (*FUNCTIONS, ast.ClassDef))]


def test_tables_and_significance_leave_torch_unloaded():
    code = "import sys, learnability.tables, learnability.significance as s; print({*sys.argv[1:]} & {*sys.modules})"
    environment = {"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", code, *HEAVY, "numpy"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'numpy'}"
