"""docs/rules.md: the rules of the workflow and what waits for what, in Mermaid, which GitHub draws."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable

from learnability.errors import InputError
from learnability.study.configuration import ROOT

RULES = ROOT / "workflow" / "rules"
LEFT_OUT = {"all", "record_study"}  # the one waits for every table, for the other every table waits
Edge = tuple[str, str]

PAGE = """\
<!-- Written by `make pages` from `snakemake --rulegraph mermaid-js`: change the rules
instead. -->
# The rules, and what waits for what

This is the graph of the published study; each box of rules is a file in `workflow/rules`. It leaves out arrows that
others imply, `all`, and `record_study` (the lists of the study, for which every table waits). A training may wait for
other trainings: for its teacher, or for the weights it starts from.

```mermaid
{graph}
```

| rule | file | what it does |
| --- | --- | --- |
{rows}
"""


def describe_rules() -> str:
    """The page, in Markdown. Asks Snakemake for the graph, which takes some seconds; InputError where it refuses."""
    graph, rules = rule_graph(), rules_by_file()
    nodes = sorted({name for edge in graph for name in edge})
    rows = [
        f"| `{name}` | `{file}` | {message} |"
        for file, said in rules.items()
        for name, message in said.items()
        if name in nodes
    ]
    return PAGE.format(graph=drawn(graph, nodes, rules), rows="\n".join(rows))


def rule_graph() -> list[Edge]:
    """(rule, the rule that waits for it), sorted, without what others imply."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--rulegraph", "mermaid-js"]
    with tempfile.TemporaryDirectory() as nowhere:  # where nothing is done yet
        done = subprocess.run(command, cwd=nowhere, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"Snakemake draws no graph:\n{done.stderr.strip()[-4000:]}")
    names = dict(re.findall(r"^\s*(id\d+)\[(.+)\]$", done.stdout, flags=re.MULTILINE))
    found = re.findall(r"^\s*(id\d+) --> (id\d+)$", done.stdout, flags=re.MULTILINE)
    return reduced((names[before], names[after]) for before, after in found)


def reduced(edges: Iterable[Edge]) -> list[Edge]:
    """The edges without those of LEFT_OUT, from a rule to itself, and those that a longer way implies."""
    kept = sorted({edge for edge in edges if edge[0] != edge[1] and not LEFT_OUT & {*edge}})
    for edge in list(kept):
        others = [other for other in kept if other != edge]
        if edge[1] in reachable(edge[0], others):
            kept = others
    return kept


def reachable(start: str, edges: list[Edge]) -> set[str]:
    found, waiting = set(), [start]
    while waiting:
        rule = waiting.pop()
        new = {after for before, after in edges if before == rule} - found
        found |= new
        waiting += new
    return found


def rules_by_file() -> dict[str, dict[str, str]]:
    """The rules of every file with their messages, in the order of the Snakefile and of the file."""
    snakefile = (ROOT / "Snakefile").read_text(encoding="utf-8")
    included = re.findall(r'^include: "workflow/rules/(\w+\.smk)"', snakefile, flags=re.MULTILINE)
    return {file: messages_in((RULES / file).read_text(encoding="utf-8")) for file in included}


def messages_in(text: str) -> dict[str, str]:
    """The message of each rule, by its name; one without a message has an empty one."""
    _, *parts = re.split(r"^(?:rule|use rule \w+ as) (\w+)(?: with)?:\n", text, flags=re.MULTILINE)
    found = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        message = re.search(r'^    message:\n        "(.+)"$', body, flags=re.MULTILINE)
        found[name] = message[1].replace("{wildcards.", "{") if message else ""
    return found


def drawn(graph: list[Edge], nodes: list[str], rules: dict[str, dict[str, str]]) -> str:
    """The graph in Mermaid, the rules of a file in one box."""
    lines = ["flowchart LR"]
    for file, said in rules.items():
        if inside := [name for name in said if name in nodes]:
            lines += [f"  subgraph {file.removesuffix('.smk')}", *(f"    {name}" for name in inside), "  end"]
    return "\n".join([*lines, *(f"  {before} --> {after}" for before, after in graph)])


if __name__ == "__main__":
    print(describe_rules(), end="")
