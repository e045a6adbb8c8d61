"""A study may grow, never shrink, while its tables exist; the content of study.json."""

import pytest

from learnability.contracts import read_json, write_json, write_text
from learnability.growth import check_growth, content
from tests.published import PUBLISHED, message_of, published


@pytest.fixture
def results(tmp_path):
    """A folder of the published study with its study.json and a table."""
    write_json(content(PUBLISHED), tmp_path / "study.json")
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
    message = message_of(check_growth, published(study={key: kept}), results)
    expected = [
        f"{results}/study.json: ",
        f"without {gone} rows would vanish",
        "--config results=",
        f"{results}/tables",
    ]
    assert [part for part in expected if part not in message] == [], message


def test_a_study_may_grow_and_change_its_order(results):
    check_growth(PUBLISHED, results)
    check_growth(
        published(study={"autoencoders": [*PUBLISHED["study"]["autoencoders"][::-1], "pixel_unshuffle_8"]}), results
    )


def test_a_study_without_tables_may_become_anything(results, tmp_path):
    smaller = published(study={"datasets": ["cardium"], "folds": [0]})
    (tmp_path / "tables/table1.csv").unlink()
    check_growth(smaller, results)
    check_growth(smaller, str(tmp_path / "new"))


def test_the_content_of_a_study_has_a_digest_that_follows_its_lists():
    same, other = published(image_size=256), published(study={"folds": [0, 1, 2, 3]})
    assert content(same) == content(PUBLISHED)
    assert content(other)["digest"] != content(PUBLISHED)["digest"]
