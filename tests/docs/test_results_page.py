"""results/README.md against the contracts; tests/demo compares it with every file of a finished study."""

import pandas as pd

from learnability.diagnostics.encoding import DIAGNOSTICS, SPECTRUM
from learnability.significance.decomposition import GAP_COLUMNS
from learnability.significance.frequency import FREQUENCY_COLUMNS
from learnability.significance.groups import GROUP_COLUMNS
from learnability.significance.remedies import REMEDY_COLUMNS
from learnability.significance.rows import TEST_COLUMNS
from learnability.storage.contracts import CELL, FIDELITY, FOLDS, PREDICTIONS, SAMPLES, SCORES, write_json
from learnability.study.study_lists import study_lists
from learnability.tables.frames import SCORE_COLUMNS
from learnability.tables.learning_curve import CURVE_COLUMNS
from learnability.tables.probes import INFORMATION_COLUMNS
from learnability.tables.table6 import TABLE6_COLUMNS
from learnability.training.engine import OUTPUTS
from tests.documented import RUN, agree, documented_columns, documented_files, undocumented
from tests.published import published

COLUMNS_OF = documented_columns()


def test_columns_are_those_of_the_contracts():
    assert COLUMNS_OF["datasets/{dataset}/samples.parquet"] == SAMPLES
    assert COLUMNS_OF["folds/{dataset}.parquet"] == FOLDS
    assert COLUMNS_OF["encodings/{dataset}/{autoencoder}/fidelity.parquet"] == FIDELITY
    assert COLUMNS_OF["diagnostics/{dataset}/{autoencoder}.csv"] == DIAGNOSTICS
    assert COLUMNS_OF["diagnostics/{dataset}/{autoencoder}_spectrum.csv"] == SPECTRUM
    assert COLUMNS_OF[f"{RUN}/predictions.parquet"][:2] == PREDICTIONS[:2]
    assert {*CELL, *SCORES} <= set(COLUMNS_OF[f"{RUN}/metrics.json"])
    assert set(COLUMNS_OF["study.json"]) == {*study_lists(published()), "labels"}
    for test in ("wilcoxon", "ablation", "latent_vs_reconstruction"):
        assert COLUMNS_OF[f"significance/{test}.csv"] == TEST_COLUMNS
    assert COLUMNS_OF["significance/group_level.csv"] == COLUMNS_OF["significance/study_level.csv"] == GROUP_COLUMNS
    for table, columns in (
        ("table1", SCORE_COLUMNS),
        ("probes", SCORE_COLUMNS),
        ("information", INFORMATION_COLUMNS),
        ("learning_curve", CURVE_COLUMNS),
        ("table6", TABLE6_COLUMNS),
        ("gap_by_frequency", FREQUENCY_COLUMNS),
    ):
        assert sorted(COLUMNS_OF[f"tables/{table}.csv"]) == sorted(columns)
    assert sorted(COLUMNS_OF["significance/remedies.csv"]) == sorted(REMEDY_COLUMNS)
    assert sorted(COLUMNS_OF["significance/gap_decomposition.csv"]) == sorted(GAP_COLUMNS)
    assert COLUMNS_OF["significance/gap_by_share.csv"] == COLUMNS_OF["significance/gap_decomposition.csv"]


def test_the_files_of_a_run_are_listed():
    assert {f"{RUN}/{name}" for name in OUTPUTS} <= set(documented_files())


def test_what_is_not_said_is_found(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/table1.tex").touch()
    (tmp_path / "tables/table9.tex").touch()
    pd.DataFrame({"sample_id": ["a"], "fold": [0], "group": ["b"]}).to_csv(tmp_path / "x.csv")
    (tmp_path / "folds").mkdir()
    pd.DataFrame({"sample_id": ["a"], "fold": [0], "group": ["b"]}).to_parquet(tmp_path / "folds/clinic.parquet")
    write_json({"repository": "a/b", "revision": "c", "files": {}}, tmp_path / "weights/sd14/source.json")
    found = undocumented(tmp_path)
    assert [line.split(":")[0] for line in found] == ["folds/clinic.parquet", "tables/table9.tex", "x.csv", "x.csv"]
    assert found[0].startswith("folds/clinic.parquet: columns ['sample_id', 'fold', 'group']")


def test_a_column_that_is_missing_is_found_and_classes_are_any():
    assert not agree(["sample_id"], FOLDS)
    assert agree([*PREDICTIONS, "nevus", "melanoma"], [*PREDICTIONS, "{class}"])
    assert not agree(["sample_id", "split", "nevus"], [*PREDICTIONS, "{class}"])
