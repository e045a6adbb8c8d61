"""docs/rules.md is the graph that Snakemake draws now, with fewer arrows and nothing lost."""

from docs.pages.rules import describe_rules, reachable, reduced, rules_by_file
from learnability.study.configuration import ROOT

PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")


def test_the_page_is_current():
    assert describe_rules() == PAGE, "make pages"


def test_what_is_left_out_is_implied():
    edges = [("a", "b"), ("b", "c"), ("a", "c"), ("c", "b"), ("c", "c"), ("c", "d"), ("a", "d"), ("d", "all"),
             ("record_study", "d")]  # fmt: skip
    kept = reduced(edges)
    assert kept == [("a", "c"), ("b", "c"), ("c", "b"), ("c", "d")]
    for start in "abcd":
        assert reachable(start, kept) == reachable(start, [e for e in edges if not {"all", "record_study"} & {*e}])


def test_every_rule_is_in_the_box_of_its_file():
    rules = rules_by_file()
    assert list(rules["datasets.smk"]) == ["prepare_dataset", "make_folds"]
    assert "assist_search" in rules["classifiers.smk"]  # a `use rule`
    assert "`make_table1` | `tables.smk` | Table 1: the learnability gap |" in PAGE
    assert "{wildcards" not in PAGE
    box = PAGE.split("  subgraph weights\n")[1].split("  end")[0]
    assert box.split() == ["fetch_weights"]
