"""The digest of a job's code: what reruns a job, and what does not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from learnability import registry
from learnability.study.recipes import resolve_recipe
from learnability.workflow import provenance
from tests.published import PUBLISHED
from tests.recipes import recipe_of


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of package and scripts that the digest reads, to be edited."""
    source = provenance.PACKAGE
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, tmp_path / "src" / source.name, ignore=skip)
    shutil.copytree(provenance.SCRIPTS, tmp_path / "scripts", ignore=skip)
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "src" / source.name)
    monkeypatch.setattr(provenance, "SCRIPTS", tmp_path / "scripts")
    return tmp_path / "src" / source.name


BODY = """
@dataclass
class Kept:
    size: int
    share: float = 0.5

    @cached_property
    def whole(self) -> int:
        return self.size


def work(x: int, more: int = 1) -> int:
    total: int = number + x + more
    if total > 3:
        print(f"more than {total}", flush=True)
        raise InputError(f"{total}: more than 3; take less")
    assert total, "nothing"
    return total
"""
MODULE = '"""What a does."""\n\nfrom .sub.b import number\n\n' + BODY


@pytest.fixture
def invented(tmp_path, monkeypatch):
    """A package `p` of four modules: the script imports `a`, `a` imports `b`, and nobody imports `lonely`."""
    package = tmp_path / "src/p"
    (package / "sub").mkdir(parents=True)
    (tmp_path / "scripts").mkdir()
    write(tmp_path / "scripts/rule.py", "from p.a import work\nwork(snakemake)\n")
    write(package / "__init__.py", "")
    write(package / "a.py", MODULE)
    write(package / "sub/__init__.py", "")
    write(package / "sub/b.py", "number = 1\n\n\ndef other():\n    return 2\n")
    write(package / "lonely.py", "number = 7\n")
    write(package / "registry.py", "NAMES = {'lonely': 'lonely'}\n")
    monkeypatch.setattr(provenance, "PACKAGE", package)
    monkeypatch.setattr(provenance, "SCRIPTS", tmp_path / "scripts")
    return package


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def edit(path: Path) -> None:
    write(path, path.read_text(encoding="utf-8") + "\nedited = 1\n")


def changes_digest(rule: str, path: Path, text: str) -> bool:
    before = provenance.code_digest(rule)
    write(path, text)
    return provenance.code_digest(rule) != before


def covers(rule: str, path: Path) -> bool:
    """Whether an edit of `path` reruns the jobs of `rule`."""
    return changes_digest(rule, path, path.read_text(encoding="utf-8") + "\nedited = 1\n")


NOTHING = {
    "comment": ("def work", "# A comment.\ndef work"),
    "docstring": ("    total: int =", '    """Explained."""\n    total: int ='),
    "docstring of the module": ("What a does", "What it is for"),
    "docstring of a class": ("    size: int", '    """Kept."""\n\n    size: int'),
    "layout": ("number + x + more", "(\n        number\n        + x + more\n    )"),
    "annotation of an argument": ("x: int,", "x: float,"),
    "annotation gone": ("x: int,", "x,"),
    "annotation of what is returned": ("-> int:\n    total", "-> float:\n    total"),
    "annotation of a variable": ("total: int =", "total ="),
    "annotation of a field": ("size: int", "size: float"),
    "wording of an error": ("take less", "take fewer"),
    "what an error names": ('f"{total}: more', 'f"{x}: more'),
    "wording of a printed line": ("more than {total}", "above {total}"),
    "wording of an assertion": ('"nothing"', '"none"'),
    "an import line of the standard library": ("from .sub.b", "import json\nfrom .sub.b"),
    "an import in another form": ("from .sub.b import number", "from p.sub.b import number"),
    "an import for type checkers": (
        "from .sub.b",
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import torch\n\nfrom .sub.b",
    ),
}


@pytest.mark.parametrize("what", NOTHING)
def test_what_cannot_change_a_result_reruns_nothing(invented, what):
    old, new = NOTHING[what]
    text = MODULE.replace(old, new)
    assert text != MODULE
    assert not changes_digest("rule", invented / "a.py", text)


SOMETHING = {
    "a number": ("total > 3", "total > 4"),
    "an operator": ("number + x", "number - x"),
    "a default argument": ("more: int = 1", "more: int = 2"),
    "a field's default": ("share: float = 0.5", "share: float = 0.25"),
    "a field": ("    size: int\n", "    size: int\n    depth: int\n"),
    "a field gone": ("    size: int\n", ""),
    "a field that is none any more": ("share: float = 0.5", "share = 0.5"),
    "a decorator": ("@dataclass", "@dataclass(frozen=True)"),
    "a decorator gone": ("    @cached_property\n", ""),
    "a text that is no docstring": ("    return total\n", "    return 'total'\n"),
    "which error it is": ("raise InputError(", "raise ValueError("),
    "whether there is an error": ('        raise InputError(f"{total}: more than 3; take less")\n', ""),
    "an assertion": ("assert total,", "assert total > 1,"),
}


@pytest.mark.parametrize("what", SOMETHING)
def test_what_can_change_a_result_changes_the_digest(invented, what):
    old, new = SOMETHING[what]
    text = MODULE.replace(old, new)
    assert text != MODULE
    assert changes_digest("rule", invented / "a.py", text)


def test_a_module_that_is_moved_with_its_importers_reruns_nothing(invented):
    before = provenance.code_digest("rule")
    write(invented / "room/deep/c.py", (invented / "sub/b.py").read_text())
    (invented / "sub/b.py").unlink()
    for name in ("room/__init__.py", "room/deep/__init__.py"):
        write(invented / name, '"""A room."""\n')
    write(invented / "a.py", MODULE.replace(".sub.b", ".room.deep.c"))
    assert provenance.code_digest("rule") == before


def test_a_function_that_moves_to_another_module_of_the_job_reruns_nothing(invented):
    before = provenance.code_digest("rule")
    write(invented / "sub/b.py", "number = 1\n")
    write(invented / "a.py", MODULE + "\n\ndef other():\n    return 2\n")
    assert provenance.code_digest("rule") == before


def test_a_module_that_a_value_names_counts_and_the_registry_does_not(invented):
    write(invented / "a.py", "from .registry import NAMES\n" + MODULE)
    plain, named = provenance.code_digest("rule"), provenance.code_digest("rule", ["lonely"])
    assert plain != named
    edit(invented / "registry.py")
    assert (provenance.code_digest("rule"), provenance.code_digest("rule", ["lonely"])) == (plain, named)
    edit(invented / "lonely.py")
    assert provenance.code_digest("rule") == plain
    assert provenance.code_digest("rule", ["lonely"]) != named


def test_the_packages_above_a_named_module_count(invented):
    write(invented / "room/__init__.py", "")
    write(invented / "room/named.py", "x = 1\n")
    before = provenance.code_digest("rule", ["room.named"])
    edit(invented / "room/__init__.py")
    assert provenance.code_digest("rule", ["room.named"]) != before


@pytest.mark.parametrize("name", ["sub/b.py", "sub/__init__.py", "__init__.py", "../../scripts/rule.py"])
def test_what_is_imported_indirectly_counts(invented, name):
    assert covers("rule", invented / name)


def test_what_is_not_imported_does_not_count(invented):
    assert not covers("rule", invented / "lonely.py")


@pytest.mark.parametrize(
    "line",
    [
        "from . import lonely",
        "from .lonely import number",
        "from p import lonely",
        "from p.lonely import number",
        "import p.lonely",
        "import p.lonely as other",
        "def later():\n    from . import lonely",
    ],
)
def test_every_way_to_import_is_seen(invented, line):
    write(invented / "a.py", line + "\n")
    assert covers("rule", invented / "lonely.py")


def test_other_packages_and_modules_of_the_same_name_do_not_count(invented):
    write(invented / "a.py", "import json\nfrom lonely import number\nfrom numpy import lonely\n")
    assert not covers("rule", invented / "lonely.py")


def test_a_circle_of_imports_ends(invented):
    write(invented / "sub/b.py", "from ..a import work\n")
    assert covers("rule", invented / "sub/b.py")


def test_the_place_of_the_checkout_does_not_count(copied):
    rules = ["train_classifier", "make_table1"]
    here = [provenance.code_digest(rule) for rule in rules]
    moved = copied.parents[1] / "elsewhere"
    (moved / "src").mkdir(parents=True)
    copied.rename(moved / "src" / copied.name)
    provenance.SCRIPTS.rename(moved / "scripts")
    provenance.PACKAGE, provenance.SCRIPTS = moved / "src" / copied.name, moved / "scripts"
    assert [provenance.code_digest(rule) for rule in rules] == here
    assert here[0] != here[1]


LATENT = resolve_recipe(PUBLISHED, "latent")
TRAINING = [
    "training/engine",
    "training/metrics",
    "storage/batches",
    "storage/checkpoints",
    "storage/arrays",
    "storage/contracts",
    "study/recipe",
    "training/losses/__init__",
]
CLASSIFIERS = ["classifiers/__init__", "classifiers/classifier", "study/grid", "classifiers/weights"]
READING = [
    "study/cells",
    "study/encodings",
    "study/recipes",
    "study/search_space",
    "study/entries",
    "study/configuration",
    "study/options",
]  # of the configuration
AFTERWARDS = [
    "tables/__init__",
    "significance/__init__",
    "commands/missing",
    "cli",
    "workflow/launch",
    "workflow/warm_snakemake",
    "workflow/provenance",
    "registry",
    *READING,
]
OTHER_LOSSES = [
    "training/losses/cross_entropy",
    "training/losses/distillation",
    "classifiers/heads/cosine",
    "classifiers/film",
]


@pytest.mark.parametrize(
    ("rule", "modules", "inside", "outside"),
    [
        (
            "train_classifier",
            registry.modules_of_training(LATENT),
            [*TRAINING, *CLASSIFIERS, "training/losses/ldam_drw", "classifiers/heads/linear", "training/masking"],
            [
                *AFTERWARDS,
                *OTHER_LOSSES,
                "classifiers/noise/edm",
                "training/augmentation",
                "autoencoders/fidelity",
                "autoencoders/encode",
            ],
        ),
        (
            "encode_dataset",
            ["autoencoders.families.diffusers_family"],
            [
                "autoencoders/encode",
                "autoencoders/families/diffusers_family",
                "autoencoders/families/diffusers_weights",
                "autoencoders/fidelity",
            ],
            [
                *AFTERWARDS,
                "training/engine",
                "autoencoders/finetuning/tuning",
                "autoencoders/controls/pixel_unshuffle",
                "autoencoders/families/medvae",
                "autoencoders/families/medvae_keys",
                "autoencoders/families/custom",
                "datasets/formats/table",
            ],
        ),
        (
            "encode_dataset",
            ["autoencoders.controls.pixel_unshuffle"],
            ["autoencoders/encode", "autoencoders/controls/pixel_unshuffle", "storage/arrays"],
            ["autoencoders/families/diffusers_family", "autoencoders/controls/random_init"],
        ),
        (
            "finetune_autoencoder",
            ["autoencoders.families.medvae"],
            [
                f"autoencoders/finetuning/{name}"
                for name in ("tuning", "adversarial", "perceptual", "equivariance", "parts")
            ]
            + ["autoencoders/families/medvae", "autoencoders/families/medvae_keys"],
            [
                *AFTERWARDS,
                "training/engine",
                "training/losses/ldam_drw",
                "autoencoders/encode",
                "datasets/formats/table",
            ],
        ),
        (
            "prepare_dataset",
            ["datasets.formats.phantom"],
            ["datasets/prepare", "datasets/formats/phantom"],
            [
                *AFTERWARDS,
                "training/engine",
                "datasets/formats/table",
                "datasets/formats/cardium",
                "datasets/formats/medmnist",
            ],
        ),
        (
            "make_folds",
            [],
            ["datasets/folds", "storage/contracts"],
            [*AFTERWARDS, "training/engine", "datasets/prepare"],
        ),
        (
            "make_table1",
            [],
            ["tables/table1", "tables/formats", "storage/contracts"],
            [
                *TRAINING[:-4],
                *CLASSIFIERS,
                "significance/gap",
                "autoencoders/fidelity",
                "tables/table4",
                "tables/table3",
            ],
        ),
        (
            "test_significance",
            [],
            ["significance/__init__", "significance/gap", "significance/rows"],
            ["tables/__init__", "training/engine", "training/losses/ldam_drw"],
        ),
    ],
)
def test_a_job_depends_on_its_modules_and_on_no_other(copied, rule, modules, inside, outside):
    digests = [provenance.code_digest(rule, modules)]
    for name in inside:
        edit(copied / f"{name}.py")
        digests.append(provenance.code_digest(rule, modules))
    assert [name for i, name in enumerate(inside) if digests[i] == digests[i + 1]] == []
    for name in outside:
        edit(copied / f"{name}.py")
    assert provenance.code_digest(rule, modules) == digests[-1]


def test_the_modules_of_a_recipe_follow_from_its_values():
    assert registry.modules_of_training(recipe_of(augment=[], mask=0)) == [
        "classifiers.heads.linear", "training.losses.ldam_drw",
    ]  # fmt: skip
    changed = recipe_of(loss="cross_entropy", head="cosine", mask=0.1)
    assert registry.modules_of_training(changed) == [
        "classifiers.heads.cosine", "training.augmentation", "training.losses.cross_entropy", "training.masking",
    ]  # fmt: skip
    noisy = resolve_recipe(PUBLISHED, "noise_conditioned")
    assert registry.modules_of_network(noisy) == [
        "classifiers.film", "classifiers.heads.linear", "classifiers.noise.edm",
    ]  # fmt: skip


def test_the_modules_of_a_search_are_those_of_all_that_it_may_choose():
    space = {"mask": {"low": 0, "high": 0.3}, "head": {"choices": ["linear", "cosine"]}}
    search = {"space": space, "trials": 2, "workers": 1, "scope": "fold"}
    found = registry.modules_of_training(recipe_of(augment=[], mask=0, search=search))
    assert found == [
        "classifiers.heads.cosine",
        "classifiers.heads.linear",
        "training.losses.ldam_drw",
        "training.masking",
    ]


def test_every_module_that_a_value_may_name_is_there():
    named = {module for modules in registry.MODULES.values() for module in modules.values()}
    missing = [name for name in named if not provenance.PACKAGE.joinpath(*name.split(".")).with_suffix(".py").is_file()]
    assert missing == []


def test_what_is_kept_of_the_modules_changes_no_digest(tmp_path):
    code = "from learnability.workflow.provenance import code_digest; print(code_digest('make_table1'))"

    def digest():
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout

    kept = tmp_path / ".snakemake" / "learnability_modules.json"
    alone = digest()
    assert not kept.exists()  # there is no folder of Snakemake's
    kept.parent.mkdir()
    assert digest() == alone
    content = json.loads(kept.read_text())
    assert digest() == alone
    for damaged in ("{", json.dumps(content | {"state": "another version", "modules": {}})):
        kept.write_text(damaged)
        assert digest() == alone
        assert json.loads(kept.read_text()) == content
    content["modules"] = {key: [["changed"], []] for key in content["modules"]}
    kept.write_text(json.dumps(content))
    assert digest() != alone  # it was read
