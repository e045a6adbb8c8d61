"""docs/api.md, the list of what others may rely on, against the code."""

import argparse
import importlib
import inspect
import re
import sys

import pytest
import torch

from learnability import cli
from learnability.autoencoders.interface import load_autoencoder
from learnability.planning.hours import HOURS_COLUMNS
from learnability.planning.totals import PLAN_COLUMNS
from learnability.study.configuration import ROOT
from tests.documented import RUN, documented_columns, names_of
from tests.pages import commands_of, words

PAGE = ROOT / "docs/api.md"
PROMISED_CARDS = ("study.json", "metrics.json", "model.json")
OWN = """import torch

CALLS = []


class Own:
    def __init__(self, *folder, **options):
        CALLS.append((folder, options))

    def encode(self, x):
        CALLS.append(x)
        return x[:, :2, ::8, ::8]
"""


def rows(section: str) -> list[list[str]]:
    """The cells of the table of a section, without its head."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def called(name: str) -> str:
    """The signature of a function or class, without types."""
    module, _, function = name.rpartition(".")
    signature = inspect.signature(getattr(importlib.import_module(module), function))
    parameters = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


@pytest.mark.parametrize(("name", "call"), rows("Python"))
def test_a_function_is_called_as_promised(name, call):
    assert called(name.strip("`")) == call.strip("`")


def test_commands_and_their_arguments_are_those_of_the_list():
    (commands,) = [
        action for action in cli.build_parser()._actions if isinstance(action, argparse._SubParsersAction)
    ]  # argparse has no public way to ask
    found = {
        name: {
            action.option_strings[-1] if action.option_strings else action.metavar or action.dest
            for action in parser._actions
            if action.dest != "help"
        }
        for name, parser in commands.choices.items()
    }
    assert {command.strip("`"): set(names_of(arguments)) for command, arguments in rows("Commands")} == found


def test_targets_are_those_of_the_list():
    """The commands of the page are dry-run by test_commands.py."""
    asked = [words(command)[1:] for command in commands_of(PAGE) if command.startswith("snakemake")]
    targets = {word for command in asked for word in command if re.fullmatch(r"[a-z_0-9]+|train/.+", word)}
    rules = (ROOT / "workflow/rules/targets.smk").read_text(encoding="utf-8")
    named = set(re.findall(r"^rule (\w+):", rules, flags=re.MULTILINE))
    tables = re.findall(r'^    "(\w+)": \w', (ROOT / "workflow/rules/tables.smk").read_text(), flags=re.MULTILINE)
    assert len(tables) >= 5
    there = named | {*tables, "claims", "published"}
    assert {target for target in targets - {"slurm"} if not target.startswith("train/")} == there


def test_files_and_columns_are_those_of_the_list():
    """And results/README.md's are those that a finished study has (tests/runs, tests/demo)."""
    listed = {
        path.replace("runs/…", RUN): names_of(columns) for files, columns in rows("Files") for path in names_of(files)
    }
    promised = {
        path: columns
        for path, columns in documented_columns().items()
        if path.endswith((".csv", ".parquet")) or path.rpartition("/")[2] in PROMISED_CARDS
    }
    assert len(promised) > 25
    assert listed == promised


def test_columns_of_what_commands_write_are_those_of_the_list():
    named = {"hours": HOURS_COLUMNS, "plan": PLAN_COLUMNS}
    listed = {command: names_of(columns) for file, columns in rows("Files of commands") for command in names_of(file)}
    assert {command: listed[command] for command in named} == named
    of_filter = [*listed["filter"], *listed["{out}_acceptance.csv"]]
    code = (ROOT / "workflow/src/learnability/generation/filtering.py").read_text(encoding="utf-8")
    assert [name for name in of_filter if f'"{name}"' not in code] == []


@pytest.mark.parametrize("source", [None, "weights"])
def test_a_class_of_ones_own_is_called_as_promised(tmp_path, monkeypatch, source):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "promised.py").write_text(OWN)
    (tmp_path / "weights").mkdir()
    entry = {"class": "promised:Own", "factor": 8, "options": {"kept": 2}}
    entry |= {"source": str(tmp_path / source)} if source else {}
    found = load_autoencoder(entry, torch.device("cpu"))
    made, *images = sys.modules.pop("promised").CALLS
    assert made == ((tmp_path / source,) if source else (), {"kept": 2})
    assert (found.channels, found.factor, found.decodes) == (2, 8, False)
    assert found.encode(torch.zeros(2, 3, 32, 32)).shape == (2, 2, 4, 4)
    for x in images:
        assert (x.dtype, x.shape[1], x.requires_grad) == (torch.float32, 3, False)
        assert x.abs().max() <= 1


def test_the_interface_has_a_number_and_a_version_that_is_not_to_come():
    number, since = re.search(r"Interface \*\*(\d+)\*\*, since version ([\d.]+)\.", PAGE.read_text("utf-8")).groups()
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)[1]
    assert int(number) >= 1
    assert [int(part) for part in since.split(".")] <= [int(part) for part in version.split(".")]
