"""A script uses the parameters of its rule, all of them and no others."""

import ast
import re

import pytest

from learnability.study.cells import resolve_autoencoder
from learnability.study.entries import as_encoder, recorded, unrecorded
from learnability.workflow.job_work import GPU_RULES
from learnability.workflow.jobs import whole
from tests.conftest import CHECKOUT
from tests.published import PUBLISHED

SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in (CHECKOUT / "workflow/scripts").glob("*.py")}
RULES = "\n".join(path.read_text(encoding="utf-8") for path in sorted((CHECKOUT / "workflow/rules").glob("*.smk")))
# What only makes a job run again: the digest of its code where its script needs none, and what else modules read.
TRIGGERS = {"code", "published", "page", "weights"}


def blocks() -> dict[str, str]:
    """The text of every rule with a script, by its name; a rule that is used again has its base's script."""
    found = {}
    for block in re.split(r"^(?=rule |use rule )", RULES, flags=re.MULTILINE)[1:]:
        name = re.match(r"rule (\w+):|use rule \w+ as (\w+) with:", block)
        found[name[1] or name[2]] = block
    return found


def script_of(name: str, rules: dict[str, str]) -> str | None:
    """The script of a rule: its own, or that of the rule that it uses again."""
    if script := re.search(r'"\.\./scripts/(\w+\.py)"', rules[name]):
        return script[1]
    base = re.match(r"use rule (\w+) as", rules[name])
    return script_of(base[1], rules) if base else None


def params_of(name: str, rules: dict[str, str]) -> set[str]:
    """The names of a rule's parameters, its own or those of the rule that it uses again."""
    section = re.search(r"^    params:\n((?:        .*\n|\n)*)", rules[name], flags=re.MULTILINE)
    base = re.match(r"use rule (\w+) as", rules[name])
    if base and not section:
        return params_of(base[1], rules)
    return set(re.findall(r"^        (\w+)=", section[1], flags=re.MULTILINE)) if section else set()


def resource_of(name: str, resource: str, rules: dict[str, str]) -> str | None:
    """How much of a resource a rule asks for, itself or through the rule that it uses again."""
    section = re.search(r"^    resources:\n((?:        .*\n)*)", rules[name], flags=re.MULTILINE)
    base = re.match(r"use rule (\w+) as", rules[name])
    if base and not section:
        return resource_of(base[1], resource, rules)
    asked = re.search(rf"^        {resource}=(\w+),", section[1] if section else "", flags=re.MULTILINE)
    return asked and asked[1]


def names_read(script: str) -> set[str]:
    """The parameters that a script reads, as `params.name` or `snakemake.params.name`."""
    found = set()
    for node in ast.walk(ast.parse(script)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("params", "snakemake.params"):
            found.add(node.attr)
    return found


def test_no_script_reads_the_configuration():
    assert [name for name, text in SCRIPTS.items() if "snakemake.config" in text] == []
    assert len(SCRIPTS) > 25


def test_a_rule_asks_for_a_gpu_where_its_script_takes_one_and_the_plan_counts_it():
    rules = blocks()
    asking = {name for name in rules if resource_of(name, "gpu", rules) == "1"}
    taking = {name for name in rules if "choose_device(" in SCRIPTS.get(script_of(name, rules), "")}
    assert asking == taking == set(GPU_RULES)


def test_every_parameter_is_read_by_the_script_and_no_other():
    rules, compared = blocks(), []
    for name in rules:
        script = script_of(name, rules)
        if script is None:
            continue
        given, read = params_of(name, rules), names_read(SCRIPTS[script])
        compared.append((name, sorted(given - read - TRIGGERS), sorted(read - given)))
    assert len(compared) > 25
    assert [found for found in compared if found[1] or found[2]] == []


@pytest.mark.parametrize("section", ["datasets", "autoencoders", "pretrained"])
def test_the_two_parameters_of_an_entry_are_the_whole_of_it(section):
    for name, entry in PUBLISHED[section].items():
        if section == "autoencoders":
            entry = as_encoder(resolve_autoencoder(PUBLISHED, name))
        assert whole(recorded(entry), unrecorded(entry)) == entry, name
        assert not recorded(entry).keys() & {"root", "label", "licence"}


def test_an_entry_that_there_is_not_stays_none():
    assert whole(None, None) is None
