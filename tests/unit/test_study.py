"""What a study is: the cells of the published study's tables, and the checks of a configuration."""

import pytest
import yaml

from learnability.study import (
    cells,
    cells_of_gaps,
    check_study,
    columns,
    controls_of_grids,
    efficiency,
    efficiency_run,
    encodings,
    finetuned_pairs,
    finetuning_notes,
    fold_suffix,
    is_folder,
    recipes_of_gaps,
    resolve_autoencoder,
    rows_of_table4,
    science,
    tuned_per_fold,
)
from tests.published import PUBLISHED, STUDIES, message_of, published


def test_the_published_study_has_220_runs_of_table1():
    runs = cells(PUBLISHED)
    assert len(runs) == 220
    assert len({tuple(run.values()) for run in runs}) == 220
    assert sum(run["space"] == "image" for run in runs) == 20
    assert {run["fold"] for run in runs} == {0, 1, 2, 3, 4}
    assert {run["dataset"] for run in runs} == {"ct_rate", "isic2019", "mimic_cxr_lt", "cardium"}


def test_image_space_goes_with_original_and_each_space_with_its_recipe():
    for run in cells(PUBLISHED):
        assert (run["space"] == "image") == (run["autoencoder"] == "original")
        assert run["recipe"] == ("latent" if run["space"] == "latent" else "image")


def test_columns_are_image_then_latent_and_reconstruction_of_each_autoencoder():
    expected = [("original", "image", "image")]
    for name in ("sd14", "flux1", "flux2", "medvae", "medvae_ft"):
        expected += [(name, "latent", "latent"), (name, "reconstruction", "image")]
    assert columns(PUBLISHED, "table1") == expected


def test_the_order_of_recipes_does_not_change_the_order_of_columns():
    turned = published(study={"recipes": {"table1": ["latent", "image"]}})
    assert columns(turned, "table1") == columns(PUBLISHED, "table1")


def test_spaces_that_are_not_run_have_no_cells():
    runs = cells(published(study={"spaces": ["image", "reconstruction"], "folds": [3]}))
    assert len(runs) == 4 * 6
    assert {run["space"] for run in runs} == {"image", "reconstruction"}


@pytest.mark.parametrize("source", ["/data/vae", "./vae", "../vae", "~/vae", "${VAE}", "a/b/c"])
def test_a_folder_of_this_machine_is_no_science(source):
    assert is_folder(source)
    entry = {"class": "AutoencoderKL", "source": source, "channels": 4}
    assert science(entry) == {"class": "AutoencoderKL", "channels": 4}
    assert entry["source"] == source  # the entry itself is left as it is


def test_a_hub_id_is_science_and_where_data_lie_or_what_they_are_called_is_not():
    assert (
        science(PUBLISHED["autoencoders"]["flux2"]).items()
        >= {
            "source": "black-forest-labs/FLUX.2-dev",
            "subfolder": "vae",
            "role": "family",
        }.items()
    )
    assert not {"label", "licence", "gated"} & science(PUBLISHED["autoencoders"]["flux2"]).keys()
    dataset = PUBLISHED["datasets"]["isic2019"] | {"max_bad_images": 3}
    assert dataset.keys() - science(dataset).keys() == {"root", "label", "max_bad_images"}


def test_a_fine_tuned_autoencoder_takes_class_and_layout_from_its_base():
    entry = resolve_autoencoder(PUBLISHED, "medvae_ft")
    assert (entry["class"], entry["channels"], entry["factor"]) == ("MedVAE", 3, 4)
    assert (entry["label"], entry["finetune"]["steps"]) == ("MedVAE-FT", 20000)


@pytest.mark.parametrize(
    ("name", "base", "message"),
    [
        ("nowhere", None, "autoencoders.nowhere: not defined; known are ['area_downsample_8', 'flux1', "),
        ("medvae_ft", "nowhere", "autoencoders.medvae_ft.base is 'nowhere'; name an autoencoder that has its own"),
        ("medvae_ft", "medvae_ft", "autoencoders.medvae_ft.base is 'medvae_ft'; name an autoencoder"),
    ],
)
def test_an_autoencoder_without_weights_of_its_own_or_of_a_base_is_named(name, base, message):
    config = published(autoencoders={"medvae_ft": {"base": base}} if base else {})
    assert message in message_of(resolve_autoencoder, config, name)


def test_only_the_first_stage_of_medvae_is_fine_tuned():
    config = published(autoencoders={"medvae": {"latent_stage": 2}})
    message = "autoencoders.medvae_ft.base is 'medvae', which has latent_stage 2; only stage 1 is fine-tuned"
    assert message in message_of(resolve_autoencoder, config, "medvae_ft")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"study": {"datasets": ["isic2019", "isic"]}},
            "study.datasets: ['isic'] not defined under datasets; known are",
        ),
        ({"study": {"autoencoders": ["flux3"]}}, "study.autoencoders: ['flux3'] not defined"),
        ({"study": {"recipes": {"table1": ["image", "nowhere"]}}}, "recipes.nowhere: not defined"),
        ({"study": {"n_splits": 2, "folds": [0]}}, "study.n_splits is 2; at least 3"),
        ({"study": {"folds": [0, 5]}}, "study.folds: [5] outside 0..4"),
        ({"study": {"folds": [-1]}}, "study.folds: [-1] outside 0..4"),
        ({"image_size": 500}, "image_size must be a multiple of classifier_size"),
        (
            {"image_size": 516, "classifier_size": 258},
            "image_size 516 is not a multiple of autoencoders.sd14.factor, 8",
        ),
        ({"autoencoders": {"medvae_ft": {"base": "x"}}}, "autoencoders.medvae_ft.base is 'x'"),
    ],
)
def test_a_study_that_cannot_work_is_refused_with_its_key(changes, message):
    assert message in message_of(check_study, published(**changes))


@pytest.mark.parametrize("path", [None, *STUDIES], ids=lambda path: path.stem if path else "published")
def test_the_studies_of_the_repository_can_work(path):
    config = published(**yaml.safe_load(path.read_text(encoding="utf-8")) if path else {})
    check_study(config)
    assert cells(config)


def test_fine_tuned_pairs_need_both_sides_in_the_study():
    assert finetuned_pairs(PUBLISHED) == [("medvae_ft", "medvae")]
    assert finetuned_pairs(published(study={"autoencoders": ["sd14", "medvae_ft"]})) == []
    assert finetuned_pairs(published(study={"autoencoders": ["sd14", "medvae"]})) == []


PER_FOLD = {"autoencoders": {"medvae_ft": {"finetune": {"images": "train_rows_per_fold"}}}}


def test_the_published_study_reads_20_encodings_and_one_tuned_per_fold_36():
    assert len(encodings(PUBLISHED)) == 20
    assert "cardium/medvae_ft" in encodings(PUBLISHED)
    found = encodings(published(**PER_FOLD))
    assert len(found) == len(set(found)) == 36
    assert [name for name in found if name.startswith("cardium/medvae_ft")] == [
        f"cardium/medvae_ft@fold{fold}" for fold in range(5)
    ]
    assert encodings(
        published(**PER_FOLD, study={"folds": [3], "datasets": ["cardium"], "autoencoders": ["medvae_ft"]})
    ) == ["cardium/medvae_ft@fold3"]


def test_only_what_is_tuned_per_fold_has_a_fold_in_its_name():
    config = published(**PER_FOLD)
    assert [fold_suffix(config, name, 2) for name in ("medvae", "medvae_ft", "pixel_unshuffle_8")] == ["", "@fold2", ""]
    assert tuned_per_fold(config, "medvae_ft")
    assert not tuned_per_fold(PUBLISHED, "medvae_ft")


def test_the_footnote_says_which_images_fine_tuning_saw():
    (everything,), (rows,) = finetuning_notes(PUBLISHED), finetuning_notes(published(**PER_FOLD))
    assert everything.startswith("MedVAE-FT: fine-tuned on all images of the dataset, test folds included")
    assert rows.startswith("MedVAE-FT: fine-tuned for each fold on its training images alone")
    assert "no test image is ever seen" in rows
    assert finetuning_notes(published(study={"autoencoders": ["sd14", "medvae"]})) == []
    other = PUBLISHED["autoencoders"]["medvae_ft"] | {"label": "Other"}
    both = published(
        autoencoders={**PER_FOLD["autoencoders"], "other": other}, study={"autoencoders": ["medvae_ft", "other"]}
    )
    assert finetuning_notes(both) == [rows, everything.replace("MedVAE-FT", "Other")]
