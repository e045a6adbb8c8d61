"""Tables in LaTeX compile and parse; those of a whole study in tests/demo."""

import pytest

from learnability.tables.labels import Labels
from learnability.tables.table1 import render_table1, table1
from tests.latex import assert_good_latex
from tests.scored_runs import scored_runs

CELLS = [("original", "image", "image"), ("sd14", "latent", "latent"), ("sd14", "reconstruction", "image")]
LABELS = Labels(
    datasets={"ct_rate": "CT_RATE & 50% ± ∞ ⋆⋄†", "isic2019": "#1 ~ <x>"}, autoencoders={"sd14": "SD {1.4}"}
)


def tables() -> list[str]:
    table = table1(scored_runs(CELLS, datasets=["ct_rate", "isic2019"]), range(5))
    return [render_table1(table, LABELS, ["Mean ± sd; × ≤ ≥ − –"])["tex"]]


def test_a_table_parses_and_compiles(tmp_path):
    assert_good_latex(tables(), tmp_path)


@pytest.mark.parametrize(
    "slip", [("\\bottomrule", "\\botomrule"), ("\\end{tabular}", ""), ("\\%", "%"), ("\\caption{", "\\caption")]
)
def test_a_slip_is_seen(tmp_path, slip):
    (text,) = tables()
    assert slip[0] in text
    with pytest.raises(AssertionError):
        assert_good_latex([text.replace(*slip)], tmp_path)
