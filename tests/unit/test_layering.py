"""Who may import what, read from the syntax tree: cheap jobs start without torch, and the parts stay apart."""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2] / "workflow"
SOURCE = ROOT / "src"
FILES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((SOURCE / "learnability").rglob("*.py"))
}
SCRIPTS = {path.stem: path for path in sorted((ROOT / "scripts").glob("*.py"))}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
HEAVY = {"torch", "torchvision", "timm", "diffusers", "safetensors", "huggingface_hub"}
COMPUTED = ("significance", "tables", "figures", "paper", "summary")  # from predictions
LIGHT_MODULES = ("storage.contracts", "storage.arrays", "datasets.folds", "training.metrics", "errors", "registry")
LIGHT = [
    name
    for name in FILES
    if name.split(".")[1:2]
    and (name.split(".")[1] in ("study", *COMPUTED) or name[len("learnability.") :] in LIGHT_MODULES)
]
# The rooms from the ground up: each imports from those below it alone.
ROOMS = (
    "errors", "registry", "storage", "study", "datasets", "autoencoders", "classifiers", "training", "diagnostics",
    "significance", "tables", "figures", "efficiency", "workflow", "generation", "commands", "planning", "paper",
    "summary", "export", "cli",
)  # fmt: skip
CHEAP = (
    "prepare_dataset", "make_folds", "make_table1", "make_table2", "make_table3", "make_table4",
    "make_table5", "make_ablation_controls", "test_significance", "test_groups", "test_ablation", "test_diagnostics",
    "decompose_gap", "record_study",
    "make_decoder_depth", "make_across_spaces", "test_remedies", "make_table6", "make_gap_by_frequency",
    "judge_claims", "compare_published", "show_tests", "write_summary",
    "make_probes", "make_information", "make_learning_curve",
)  # fmt: skip


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def import_nodes(node: ast.AST, inside_functions: bool):
    """The imports that run when the module is imported, or all; those for type checkers never run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not is_type_checking(child) and (inside_functions or not isinstance(child, FUNCTIONS)):
            yield from import_nodes(child, inside_functions)


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imports(name: str, path: Path, inside_functions: bool) -> set[str]:
    """Full names of what a module imports, with the packages above each, which Python imports too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in import_nodes(tree_of(path), inside_functions):
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


def importing(names: Iterable[str], unwanted: set[str], inside_functions: bool) -> dict[str, set[str]]:
    """Unwanted modules that these modules import themselves; modules that import none are left out."""
    found = {name: imports(name, FILES[name], inside_functions) & unwanted for name in names}
    return {name: these for name, these in found.items() if these}


def reaching(names: Iterable[str], unwanted: set[str], inside_functions: bool) -> dict[str, set[str]]:
    """The same for modules or scripts, including imports through other modules of this package."""
    found = {name: reach(name, (FILES | SCRIPTS)[name], inside_functions) & unwanted for name in names}
    return {name: these for name, these in found.items() if these}


def test_the_imports_are_seen():
    """Otherwise every test below could pass without a check."""
    direct = imports("learnability.training.engine", FILES["learnability.training.engine"], inside_functions=False)
    assert {"torch", "learnability.training.losses", "learnability.classifiers.classifier"} <= direct
    through = reach("learnability.training.engine", FILES["learnability.training.engine"], inside_functions=False)
    assert {"learnability.study.grid", "learnability.storage.arrays"} <= through - direct
    lazy = "learnability.classifiers.classifier"
    assert "timm" in imports(lazy, FILES[lazy], True) - imports(lazy, FILES[lazy], False)
    light = {name.removeprefix("learnability.") for name in LIGHT}
    assert {*LIGHT_MODULES, "significance", "study.cells", "tables"} <= light
    assert {"significance.gap", "tables.formats", "figures.style"} <= light


def test_the_package_never_imports_snakemake():
    assert importing(FILES, {"snakemake"}, inside_functions=True) == {}


def test_importing_a_light_module_imports_nothing_heavy():
    assert reaching(LIGHT, HEAVY, inside_functions=False) == {}


def test_what_is_computed_from_predictions_never_needs_torch():
    computed = [name for name in LIGHT if name.split(".")[1] in COMPUTED or name == "learnability.training.metrics"]
    assert {name.split(".")[1] for name in computed} == {*COMPUTED, "training"}
    assert reaching(computed, HEAVY, inside_functions=True) == {}


def test_the_scripts_of_cheap_rules_start_without_torch():
    drawing = [name for name in SCRIPTS if name.startswith("draw_")]
    assert len(drawing) > 5
    assert reaching([*CHEAP, *drawing], HEAVY, inside_functions=False) == {}


def test_what_the_snakefile_imports_starts_without_torch():
    names = (
        "commands.missing", "study.cells", "workflow.provenance", "storage.contracts", "workflow.hub", "registry",
        "autoencoders.families.own_class", "workflow.job_requests",
    )  # fmt: skip
    assert reaching([f"learnability.{name}" for name in names], HEAVY, inside_functions=False) == {}


def test_diffusers_and_timm_are_imported_inside_functions():
    assert importing(FILES, {"diffusers", "timm"}, inside_functions=False) == {}


def test_no_room_imports_from_one_above_it():
    rooms = [f"learnability.{room}" for room in ROOMS]
    assert {".".join(name.split(".")[:2]) for name in FILES} == {"learnability", *rooms}
    for height, room in enumerate(rooms):
        members = [name for name in FILES if name == room or name.startswith(f"{room}.")]
        assert importing(members, {*rooms[height + 1 :]}, inside_functions=True) == {}, room


def test_datasets_autoencoders_and_classifiers_do_not_import_each_other():
    parts = {f"learnability.{part}" for part in ("datasets", "autoencoders", "classifiers")}
    for part in parts:
        members = [name for name in FILES if name.startswith(part)]
        assert len(members) > 2, part
        assert importing(members, parts - {part}, inside_functions=True) == {}


def test_a_recipe_needs_nothing_but_its_errors():
    recipe = "learnability.study.recipe"
    assert reach(recipe, FILES[recipe], inside_functions=True) & set(FILES) == {
        "learnability", "learnability.errors",
    }  # fmt: skip


def test_no_script_reaches_what_reads_the_configuration():
    """So no job runs again when a check that is made while the graph is built changes."""
    names = ("study.recipes", "study.search_space", "study.cells", "study.options", "study.presentation")
    reading = {f"learnability.{name}" for name in names}
    assert reading <= set(FILES)
    assert reaching(SCRIPTS, reading, inside_functions=True) == {}


def test_a_script_is_a_short_call_into_the_package():
    texts = {name: path.read_text(encoding="utf-8") for name, path in SCRIPTS.items()}
    assert len(texts) > 25
    assert [name for name, text in texts.items() if len(text.splitlines()) > 40] == []
    kinds = (*FUNCTIONS, ast.ClassDef)
    trees = {name: ast.walk(tree_of(path)) for name, path in SCRIPTS.items()}
    assert [name for name, nodes in trees.items() if any(isinstance(node, kinds) for node in nodes)] == []


def test_tables_and_significance_leave_torch_unloaded():
    code = (
        "import sys, learnability.tables.table1, learnability.tables.tests, learnability.significance.gap;"
        "print({*sys.argv[1:]} & {*sys.modules})"
    )
    environment = {"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", code, *HEAVY, "numpy"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'numpy'}"
