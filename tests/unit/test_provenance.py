"""The digest of a rule's code: what reruns a job, and what does not."""

import shutil
from pathlib import Path

import pytest

from learnability import provenance


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


@pytest.fixture
def invented(tmp_path, monkeypatch):
    """A package `p` of four modules: the script imports `a`, `a` imports `b`, and nobody imports `lonely`."""
    package = tmp_path / "src/p"
    (package / "sub").mkdir(parents=True)
    (tmp_path / "scripts").mkdir()
    write(tmp_path / "scripts/rule.py", "from p.a import work\nwork(snakemake)\n")
    write(package / "__init__.py", "")
    write(
        package / "a.py", '"""What a does."""\n\nfrom .sub.b import number\n\n\ndef work(x):\n    return number + 1\n'
    )
    write(package / "sub/__init__.py", "")
    write(package / "sub/b.py", "number = 1\n")
    write(package / "lonely.py", "number = 1\n")
    monkeypatch.setattr(provenance, "PACKAGE", package)
    monkeypatch.setattr(provenance, "SCRIPTS", tmp_path / "scripts")
    return package


def write(path: Path, text: str) -> None:
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


@pytest.mark.parametrize(
    "text",
    [
        '"""Other words."""\n\nfrom .sub.b import number\n\n\ndef work(x):\n    return number + 1\n',
        "# A comment.\nfrom .sub.b import number\n\n\ndef work(x):\n    return number + 1  # and another\n",
        'from .sub.b import number\n\ndef work(x):\n    """Explained."""\n    return (\n        number + 1\n    )\n',
    ],
)
def test_comments_docstrings_and_layout_rerun_nothing(invented, text):
    assert not changes_digest("rule", invented / "a.py", text)


@pytest.mark.parametrize("expression", ["number + 2", "number + x", "'text'"])
def test_an_edit_of_code_changes_the_digest(invented, expression):
    text = (invented / "a.py").read_text().replace("number + 1", expression)
    assert changes_digest("rule", invented / "a.py", text)


def test_a_string_that_is_no_docstring_counts(invented):
    write(invented / "a.py", 'NAME = "one"\n')
    assert changes_digest("rule", invented / "a.py", 'NAME = "two"\n')


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


TRAINING = ["training", "losses", "augmentation", "metrics", "batches", "checkpoints", "store", "contracts"]
CLASSIFIERS = ["classifiers/__init__", "classifiers/classifier", "classifiers/grid", "classifiers/weights"]
AFTERWARDS = ["tables/__init__", "significance/__init__", "check", "cli", "launch", "provenance"]


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        (
            "train_classifier",
            [*TRAINING, *CLASSIFIERS],
            [*AFTERWARDS, "fidelity", "autoencoders/encode", "datasets/table"],
        ),
        (
            "encode_dataset",
            ["autoencoders/encode", "autoencoders/controls", "autoencoders/diffusers_family", "fidelity", "store"],
            [*AFTERWARDS, "training", "losses", "autoencoders/finetuning", "autoencoders/tiny", "datasets/table"],
        ),
        (
            "finetune_autoencoder",
            [f"autoencoders/{name}" for name in ("finetuning", "adversarial", "perceptual", "diffusers_family")],
            [*AFTERWARDS, "training", "losses", "autoencoders/encode", "datasets/table"],
        ),
        ("prepare_dataset", ["datasets/prepare", "datasets/table", "datasets/phantom"], [*AFTERWARDS, "training"]),
        ("make_folds", ["folds", "contracts"], [*AFTERWARDS, "training", "datasets/prepare"]),
        (
            "make_table1",
            ["tables/__init__", "tables/formats", "contracts"],
            [*TRAINING[:-2], *CLASSIFIERS, "significance/__init__", "fidelity"],
        ),
        (
            "test_significance",
            ["significance/__init__", "significance/gap", "macro"],
            ["tables/__init__", "training", "losses"],
        ),
    ],
)
def test_a_rule_depends_on_its_modules_and_on_no_other(copied, rule, inside, outside):
    digests = [provenance.code_digest(rule)]
    for name in inside:
        edit(copied / f"{name}.py")
        digests.append(provenance.code_digest(rule))
    assert [name for i, name in enumerate(inside) if digests[i] == digests[i + 1]] == []
    for name in outside:
        edit(copied / f"{name}.py")
    assert provenance.code_digest(rule) == digests[-1]
