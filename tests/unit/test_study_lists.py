"""A study may grow, never shrink, while its tables exist; the content of study.json."""

import pytest

from learnability.errors import InputError
from learnability.storage.contracts import write_json, write_text
from learnability.study.study_file import SCHEMA
from learnability.study.study_lists import refuse_smaller_study, study_lists
from learnability.summary.controls import controls_of
from tests.published import PUBLISHED, message_of, published


@pytest.fixture
def results(tmp_path):
    """A folder of the published study with its study.json and a table."""
    write_json(study_lists(PUBLISHED), tmp_path / "study.json")
    write_text("dataset\n", tmp_path / "tables/table1.csv")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("key", "kept", "gone"),
    [
        ("datasets", ["isic2019"], "datasets 'ct_rate', datasets 'mimic_cxr_lt', datasets 'cardium'"),
        ("autoencoders", ["sd14", "flux1", "flux2", "medvae"], "autoencoders 'medvae_ft'"),
        ("spaces", ["image", "latent"], "spaces 'reconstruction'"),
        ("folds", [0, 1, 2, 3], "folds 4"),
        ("recipes", {"table1": ["image"]}, "recipe 'latent' of table1"),
    ],
)
def test_a_smaller_study_is_refused_while_its_tables_exist(results, key, kept, gone):
    message = message_of(refuse_smaller_study, published(study={key: kept}), results)
    expected = [
        f"{results}/study.json: ",
        f"without {gone} rows would vanish",
        "--config results=",
        f"{results}/tables",
    ]
    assert [part for part in expected if part not in message] == [], message


def test_a_study_may_grow_and_change_its_order(results):
    refuse_smaller_study(PUBLISHED, results)
    refuse_smaller_study(
        published(study={"autoencoders": [*PUBLISHED["study"]["autoencoders"][::-1], "pixel_unshuffle_8"]}), results
    )


def test_a_study_without_tables_may_become_anything(results, tmp_path):
    smaller = published(study={"datasets": ["cardium"], "folds": [0]})
    (tmp_path / "tables/table1.csv").unlink()
    refuse_smaller_study(smaller, results)
    refuse_smaller_study(smaller, str(tmp_path / "new"))


def test_the_content_of_a_study_has_a_digest_that_follows_its_lists():
    same, other = published(image_size=256), published(study={"folds": [0, 1, 2, 3]})
    assert study_lists(same) == study_lists(PUBLISHED)
    assert study_lists(other)["digest"] != study_lists(PUBLISHED)["digest"]


def test_a_table_is_listed_where_it_has_rows():
    tables = study_lists(PUBLISHED)["tables"]
    assert {"table1", "table4", "gap_decomposition"} <= {*tables}
    assert "gap_decomposition" not in study_lists(published(study={"spaces": ["image", "latent"]}))["tables"]


@pytest.mark.parametrize(
    ("study", "gone"),
    [
        ({"recipes": {"table4": ["image", "latent", "tuned", "noise_conditioned"]}}, "recipe 'distilled' of table4"),
        ({"recipes": {"gap_decomposition": []}}, "recipe 'matched' of gap_decomposition"),
        ({"limited_to": {"table4": {"autoencoders": ["sd14"]}}}, "table4 of flux2"),
        ({"limited_to": {"table4": {"autoencoders": []}}}, "table4 of flux2"),
        (
            {"limited_to": {"gap_decomposition": {"datasets": ["isic2019", "cardium"]}}},
            "gap_decomposition of ct_rate, gap_decomposition of mimic_cxr_lt",
        ),
        ({"limited_to": {"table1": {"datasets": ["isic2019", "cardium", "ct_rate"]}}}, "table1 of mimic_cxr_lt"),
        ({"efficiency": {"dataset": "isic2019"}}, "table3 of imagenet"),
        ({"efficiency": {"autoencoder": "sd14"}}, "table3 of flux2"),
    ],
)
def test_rows_of_the_other_tables_do_not_vanish_either(results, study, gone):
    assert f"without {gone} rows would vanish" in message_of(refuse_smaller_study, published(study=study), results)


def test_table_3_does_not_vanish(results):
    config = published()
    config["study"]["efficiency"] = None
    assert "without table3 of imagenet, table3 of flux2 rows" in message_of(refuse_smaller_study, config, results)


def test_table_5_does_not_vanish_where_it_was_made(results, tmp_path):
    config = published()
    assert "table5" in study_lists(config)["tables"]
    config["study"]["diagnostics"] = None
    assert study_lists(config)["digest"] == study_lists(PUBLISHED)["digest"]
    refuse_smaller_study(config, results)
    write_text("dataset\n", tmp_path / "tables/table5.csv")
    refuse_smaller_study(PUBLISHED, results)
    message = message_of(refuse_smaller_study, config, results)
    assert "without table5, which study.diagnostics makes, rows would vanish" in message


def test_information_is_listed_with_the_probes():
    probes = published(study={"recipes": {"probes": ["probe_linear"]}})
    assert "information" in study_lists(probes)["tables"]
    assert "information" not in study_lists(PUBLISHED)["tables"]


def test_what_left_the_study_is_not_named_again_for_each_table(results):
    config = published(study={"autoencoders": ["sd14", "flux1", "medvae", "medvae_ft"]})
    message = message_of(refuse_smaller_study, config, results)
    assert "without autoencoders 'flux2', table3 of imagenet, table3 of flux2 rows would vanish" in message
    assert "table4 of flux2" not in message


def test_the_other_tables_may_grow(results):
    limits = {"table4": {"autoencoders": ["sd14", "flux2"]}, "gap_decomposition": {"autoencoders": ["flux1", "flux2"]}}
    rows = [*PUBLISHED["study"]["recipes"]["table4"], "noise_augmented"]
    refuse_smaller_study(published(study={"limited_to": limits, "recipes": {"table4": rows}}), results)
    without = published()
    del without["study"]["limited_to"]["ablation_controls"]  # all of the study
    refuse_smaller_study(without, results)
    refuse_smaller_study(published(study={"efficiency": {"batch_sizes": [1, 2], "repeats": 1}}), results)


def test_a_study_that_had_no_table_3_may_get_one(tmp_path):
    small = published()
    small["study"]["efficiency"] = None
    write_json(study_lists(small), tmp_path / "study.json")
    write_text("dataset\n", tmp_path / "tables/table1.csv")
    refuse_smaller_study(PUBLISHED, str(tmp_path))


def test_a_study_json_of_a_newer_schema_is_refused_by_all_that_read_it(results, tmp_path):
    """This holds even if nothing would vanish: files written now would have the older schema, beside newer tables."""
    write_json(study_lists(PUBLISHED) | {"schema": SCHEMA + 1}, tmp_path / "study.json")
    said = f"{results}/study.json: schema {SCHEMA + 1}, written by a newer version"
    assert said in message_of(refuse_smaller_study, PUBLISHED, results)
    with pytest.raises(InputError, match="Take the newer version"):
        controls_of(tmp_path)
    (tmp_path / "tables/table1.csv").unlink()
    assert said in message_of(refuse_smaller_study, PUBLISHED, results)
