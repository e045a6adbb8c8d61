"""One number is changed in each function that a job of the demo reaches: the jobs that use it run again."""

import ast
import random
import shutil
from pathlib import Path

import pytest

from learnability import registry
from learnability.study.cells import all_cells, resolve_autoencoder
from learnability.study.configuration import read_config
from learnability.study.entries import as_encoder
from learnability.study.recipes import resolve_recipe
from learnability.workflow import provenance
from tests.conftest import CHECKOUT

NUMBER = 30
# Scripts without values of their own that compute; those that only present are left out.
ENCODING = ("encode_dataset", "diagnose_encoding")
PLAIN = ("make_folds", "test_significance", "test_groups", "test_ablation", "decompose_gap", "make_information",
         "make_learning_curve")  # fmt: skip


def jobs_of_demo() -> set[tuple[str, tuple[str, ...]]]:
    """(script, modules that its values name) of every job of the demo that computes."""
    config = read_config(CHECKOUT / "workflow/studies/demo.yaml")
    study, jobs = config["study"], {(script, ()) for script in PLAIN}
    for name in study["datasets"]:
        jobs.add(("prepare_dataset", (registry.find("datasets.*.format", config["datasets"][name]["format"]),)))
    for name in {cell["autoencoder"] for cell in all_cells(config)} - {"original"}:
        entry = resolve_autoencoder(config, name)
        jobs |= {(script, (registry.module_of_class(as_encoder(entry)),)) for script in ENCODING}
        if "finetune" in entry:
            jobs.add(("finetune_autoencoder", (registry.module_of_class(entry),)))
    for name in {cell["recipe"] for cell in all_cells(config)}:
        recipe = resolve_recipe(config, name)
        script = "train_with_decoder" if recipe.runs_decoder else "train_classifier"
        jobs.add((script, tuple(registry.modules_of_training(recipe))))
        if recipe.search:
            jobs.add(("search_recipe", tuple(registry.modules_of_training(recipe))))
        if recipe.noise:
            jobs.add(("trace_noise_curve", tuple(registry.modules_of_network(recipe))))
        for script in ("compute_teacher_logits", "score_across_spaces"):
            jobs.add((script, tuple(registry.modules_of_network(recipe))))
    return jobs


def numbers_in(function: ast.AST) -> list[ast.Constant]:
    """The numbers of a function; not those of what it prints or says in an error."""
    found, waiting = [], [function]
    while waiting:
        node = waiting.pop(0)
        is_print = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            found.append(node)
        if not is_print and not isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr):
            waiting.extend(ast.iter_child_nodes(node))
    return found


def functions_with_numbers(path: Path) -> list[tuple[str, ast.Constant]]:
    """Every function of a file that has a number, and its first one; annotations hold none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [(node.name, numbers[0]) for node in functions if (numbers := numbers_in(node))]


def changed(text: str, number: ast.Constant) -> str:
    """The file with this one number greater by one."""
    lines = text.encode().split(b"\n")
    line = lines[number.lineno - 1]
    lines[number.lineno - 1] = b"".join(
        [line[: number.col_offset], str(number.value + 1).encode(), line[number.end_col_offset :]]
    )
    return b"\n".join(lines).decode()


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of package and scripts to be changed, and what the digests are read from while the tests run."""
    folder, source = tmp_path_factory.mktemp("mutated"), provenance.PACKAGE
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, folder / "src" / source.name, ignore=skip)
    shutil.copytree(provenance.SCRIPTS, folder / "scripts", ignore=skip)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "PACKAGE", folder / "src" / source.name)
        patch.setattr(provenance, "SCRIPTS", folder / "scripts")
        yield


def test_a_number_changed_in_any_function_reruns_the_jobs_that_use_it(copied):
    jobs = sorted(jobs_of_demo())
    closures = {job: provenance.closure(*job) for job in jobs}
    before = {job: provenance.code_digest(*job) for job in jobs}
    files = sorted({path for paths in closures.values() for path in paths if path.is_relative_to(provenance.PACKAGE)})
    places = [(path, name, number) for path in files for name, number in functions_with_numbers(path)]
    assert len(places) > 3 * NUMBER
    missed = []
    for path, name, number in random.Random(0).sample(places, NUMBER):
        text = path.read_text(encoding="utf-8")
        path.write_text(changed(text, number), encoding="utf-8")
        missed += [(path.name, name, job) for job in jobs if path in closures[job] and unchanged(job, before)]
        path.write_text(text, encoding="utf-8")
    assert missed == []


def unchanged(job: tuple, before: dict) -> bool:
    return provenance.code_digest(*job) == before[job]
