"""Every page that gives the false positive rate of the paper's own test gives that of the page of error rates."""

import re

from learnability.study.configuration import ROOT
from learnability.tables.tests import NOTES

TOLD = ["docs/limits.md", "docs/protocol.md", "results/README.md", "workflow/src/learnability/significance/gap.py"]


def test_signed_ranks_over_pairs_are_wrong_as_often_as_the_simulations_say():
    page = (ROOT / "docs/measurements/error_rates.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| signed ranks of 20 pairs, two-sided \|(.*)\|$", page, re.MULTILINE)
    rates = [float(rate.strip(" *")) for rate in row.split("|")]
    told = f"{min(rates):.0f} to {max(rates):.0f} %"
    assert told in NOTES["wilcoxon"]
    assert [path for path in TOLD if told not in (ROOT / path).read_text(encoding="utf-8")] == []
