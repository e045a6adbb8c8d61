"""The cells of the published study's tables, and the checks of a configuration."""

import re

import pytest
import yaml

from learnability.errors import InputError
from learnability.study.cells import (
    cells,
    cells_of_gaps,
    columns,
    controls_of_curve,
    controls_of_grids,
    decomposed,
    efficiency,
    efficiency_run,
    gaps_of_curve,
    recipes_of_gaps,
    resolve_autoencoder,
    rows_of_table4,
)
from learnability.study.encodings import encodings, finetuned_pairs, fold_suffix, tuned_per_fold
from learnability.study.entries import recorded
from learnability.study.paths import ACROSS, files_of_run, space_of_job
from learnability.study.presentation import finetuning_notes, footnotes
from learnability.study.refusals import check_study
from learnability.study.sources import is_folder
from tests.published import PUBLISHED, STUDIES, message_of, published

ALL = PUBLISHED["study"]["autoencoders"]


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
def test_a_folder_of_this_machine_is_not_recorded(source):
    assert is_folder(source)
    entry = {"class": "AutoencoderKL", "source": source, "channels": 4}
    assert recorded(entry) == {"class": "AutoencoderKL", "channels": 4}
    assert entry["source"] == source  # the entry itself is left as it is


def test_a_folder_of_a_class_of_ones_own_that_reads_as_a_hub_id_is_refused_by_its_key():
    entry = {"label": "Mine", "class": "mine:Mine", "source": "weights/mine", "channels": 4, "factor": 8}
    message = r"autoencoders\.mine\.source is 'weights/mine', .* begin it with \./ \(\./weights/mine\)"
    with pytest.raises(InputError, match=message):
        check_study(published(autoencoders={"mine": entry}))
    check_study(published(autoencoders={"mine": entry | {"source": "./weights/mine"}}))
    del entry["source"]
    check_study(published(autoencoders={"mine": entry}))


def test_a_hub_id_is_recorded_and_where_data_lie_or_what_they_are_called_is_not():
    assert (
        recorded(PUBLISHED["autoencoders"]["flux2"]).items()
        >= {
            "source": "black-forest-labs/FLUX.2-dev",
            "subfolder": "vae",
            "role": "family",
        }.items()
    )
    assert not {"label", "licence", "gated"} & recorded(PUBLISHED["autoencoders"]["flux2"]).keys()
    dataset = PUBLISHED["datasets"]["isic2019"] | {"max_bad_images": 3}
    assert dataset.keys() - recorded(dataset).keys() == {"root", "label", "max_bad_images", "shareable"}


def test_a_fine_tuned_autoencoder_takes_class_and_layout_from_its_base():
    entry = resolve_autoencoder(PUBLISHED, "medvae_ft")
    assert (entry["class"], entry["channels"], entry["factor"]) == ("MedVAE", 3, 4)
    assert (entry["label"], entry["finetune"]["steps"]) == ("MedVAE-FT", 20000)


@pytest.mark.parametrize(
    ("name", "base", "message"),
    [
        ("nowhere", None, "autoencoders.nowhere: not defined; known are ['area_downsample_8', 'enciphered_4', "),
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
        ({"study": {"recipes": {"table1": ["image", "nowhere"]}}}, "study.recipes.table1: ['nowhere'] not defined"),
        ({"study": {"n_splits": 2, "folds": [0]}}, "study.n_splits is 2; at least 3"),
        ({"study": {"folds": [0, 5]}}, "study.folds: [5] outside 0..4"),
        ({"study": {"folds": [-1]}}, "study.folds: [-1] outside 0..4"),
        ({"image_size": 500}, "image_size 500 is not a multiple of classifier_size 256"),
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
    (everything,), (rows,) = finetuning_notes(PUBLISHED, ALL), finetuning_notes(published(**PER_FOLD), ALL)
    assert everything.startswith("MedVAE-FT: fine-tuned on all images of the dataset, test folds included")
    assert rows.startswith("MedVAE-FT: fine-tuned for each fold on its training images alone")
    assert "no test image is ever seen" in rows
    assert finetuning_notes(PUBLISHED, ["sd14", "medvae"]) == []
    other = PUBLISHED["autoencoders"]["medvae_ft"] | {"label": "Other"}
    both = published(
        autoencoders={**PER_FOLD["autoencoders"], "other": other}, study={"autoencoders": ["medvae_ft", "other"]}
    )
    assert finetuning_notes(both, [*ALL, "other"]) == [rows, everything.replace("MedVAE-FT", "Other")]


def cells_of(config, table):
    return {tuple(cell.values()) for cell in cells(config, table)}  # dataset, autoencoder, space, recipe, fold


def test_a_searched_recipe_has_a_footnote_in_every_table_that_shows_it():
    tables = {"table1": ["image", "tuned"], "ablation_controls": ["matched", "matched_tuned"]}
    config = published(study={"recipes": tables}, recipes={"tuned": {"search": {"scope": "fold0"}}})
    notes = {name: [note for note in footnotes(config, name) if "searches/" in note] for name in (*tables, "table4")}
    assert notes["ablation_controls"] == [
        "matched tuned, searched in each fold and space on training and validation rows: 3 trials, lr 0.0003 or 0.001 "
        "or 0.003; the values found are in searches/."
    ]
    (note,) = notes["table1"]
    assert note.startswith(
        "tuned, searched in each space on fold 0, whose validation rows are test rows of another fold: "
    )
    (note,) = notes["table4"]
    assert note.startswith("⋆ + HP opt.: 20 trials, lr from 0.0001 to 0.001 (logarithmic); mask 0 or 0.2; ")
    assert not [note for table in tables for note in footnotes(PUBLISHED, table) if "searches/" in note]


def test_each_space_of_a_recipe_has_a_search_of_its_own_and_that_of_latents_is_where_it_was():
    cell = {"dataset": "cardium", "recipe": "matched_tuned", "fold": 3}
    found = {}
    for autoencoder, space in (("original", "image"), ("flux2", "latent"), ("flux2", "reconstruction")):
        run = cell | {"autoencoder": autoencoder, "space": space}
        found[space] = files_of_run(PUBLISHED, (), run)["best"]
        assert "best" not in files_of_run(PUBLISHED, (), run, is_search=True)
    assert found == {
        "image": "searches/cardium/original/matched_tuned/fold3/best.json",
        "latent": "searches/cardium/flux2/matched_tuned/fold3/best.json",
        "reconstruction": "searches/cardium/flux2@reconstruction/matched_tuned/fold3/best.json",
    }
    for space, path in found.items():  # which the rule reads back from the path
        autoencoder, of_space = re.fullmatch(r"searches/cardium/(\w+)(@\w+|)/matched_tuned/.*", path).groups()
        assert space_of_job({"autoencoder": autoencoder, "of_space": of_space}) == space


def test_scores_across_spaces_go_by_the_run_in_reconstruction_space():
    names = re.findall(r"{(\w+)}", ACROSS)
    assert space_of_job(dict.fromkeys(names, "flux2")) == "reconstruction"
    assert space_of_job(dict.fromkeys(names, "flux2") | {"space": "latent"}) == "latent"


def test_table_4_is_of_flux_2_and_adds_60_runs_to_table_1():
    runs = cells_of(PUBLISHED, "table4")
    assert len(runs) == 100
    assert len(runs - cells_of(PUBLISHED, "table1")) == 60
    assert {(run[1], run[2], run[3]) for run in runs} == {
        ("flux2", "reconstruction", "image"),
        *(("flux2", "latent", recipe) for recipe in ("latent", "distilled", "tuned", "noise_conditioned")),
    }


def test_a_table_is_limited_to_what_it_names_in_the_order_of_the_study():
    limits = {"table4": {"autoencoders": ["medvae", "sd14"], "datasets": ["cardium"]}}
    config = published(study={"limited_to": limits})
    assert list(dict.fromkeys(name for name, *_ in columns(config, "table4"))) == ["sd14", "medvae"]
    assert {cell["dataset"] for cell in cells(config, "table4")} == {"cardium"}
    assert cells(config) == cells(PUBLISHED)


def test_of_what_is_not_in_the_study_nothing_is_run():
    config = published(study={"autoencoders": ["sd14"]})  # the three tables are limited to flux2
    assert [cells(config, table) for table in ("table4", "gap_decomposition", "ablation_controls")] == [[], [], []]
    assert cells_of_gaps(config) == []
    assert efficiency(config) is None
    check_study(config)


def test_what_cannot_decode_is_not_in_tables_that_compare_with_reconstructions():
    names = {"autoencoders": ["flux2", "random_init_8"]}
    both = published(study=names | {"limited_to": {"table4": names, "gap_decomposition": names}})
    for table in ("table4", "gap_decomposition"):
        assert cells(both, table) == cells(published(study={"autoencoders": ["flux2"]}), table)


def test_a_table_without_limits_takes_all_of_the_study():
    config = published(study={"limited_to": {"table4": {"autoencoders": ["flux2", "sd14"]}}})
    del config["study"]["limited_to"]["table4"]
    assert len(cells(config, "table4")) == 5 * 100


def test_a_table_that_lists_no_recipe_has_no_runs_and_needs_none():
    config = published(study={"recipes": {"table4": [], "gap_decomposition": [], "ablation_controls": []}})
    check_study(config)
    assert cells_of(config, "gap_decomposition") == cells_of(config, "table4") == set()
    assert recipes_of_gaps(config)["matched"] == {}
    assert rows_of_table4(config) == {}
    del config["study"]["recipes"]["gap_decomposition"]  # the schema asks for those of Table 1 alone
    check_study(config)
    assert recipes_of_gaps(config)["matched"] == {}


def test_rows_of_table_4_begin_with_reconstruction_and_have_the_names_of_the_latent_recipes():
    rows = {name: ("latent", name) for name in ("latent", "distilled", "tuned", "noise_conditioned")}
    assert list(rows_of_table4(PUBLISHED).items()) == [("reconstruction", ("reconstruction", "image")), *rows.items()]


def test_the_gap_is_decomposed_with_the_lossless_control_of_the_grid():
    assert columns(PUBLISHED, "gap_decomposition") == [
        ("original", "image", "matched"),
        ("flux2", "latent", "matched"),
        ("flux2", "reconstruction", "matched"),
        ("pixel_unshuffle_8", "latent", "matched"),
    ]
    assert len(cells(PUBLISHED, "gap_decomposition")) == 80
    assert controls_of_grids(PUBLISHED) == {"flux2": "pixel_unshuffle_8"}
    both = published(study={"limited_to": {"gap_decomposition": {"autoencoders": ["flux2", "medvae_ft", "sd14"]}}})
    assert controls_of_grids(both) == {
        "sd14": "pixel_unshuffle_8", "flux2": "pixel_unshuffle_8", "medvae_ft": "pixel_unshuffle_4",
    }  # fmt: skip
    added = columns(both, "gap_decomposition")[-2:]
    assert added == [("pixel_unshuffle_8", "latent", "matched"), ("pixel_unshuffle_4", "latent", "matched")]


def test_a_grid_without_a_lossless_control_gets_none():
    config = published()
    del config["autoencoders"]["pixel_unshuffle_8"]
    assert controls_of_grids(config) == {}
    assert [name for name, *_ in columns(config, "gap_decomposition")] == ["original", "flux2", "flux2"]
    average = published(autoencoders={"pixel_unshuffle_8": {"class": "area_downsample"}})  # on the grid, not lossless
    assert controls_of_grids(average) == {}


def test_the_gap_of_a_learning_curve_has_a_control_where_the_curve_has_it():
    def curve(*autoencoders: str, **study) -> tuple[list, dict]:
        limits = {"learning_curve": {"autoencoders": list(autoencoders)}}
        names = [*PUBLISHED["study"]["autoencoders"], "pixel_unshuffle_8", "pixel_unshuffle_4"]
        recipes = {"learning_curve": ["share_10", "matched_cross_entropy"]}
        config = published(study={"recipes": recipes, "autoencoders": names, "limited_to": limits} | study)
        found = controls_of_curve(config)
        return gaps_of_curve(config), {name: found[name] for name in autoencoders if name in found}

    eight, four = "pixel_unshuffle_8", "pixel_unshuffle_4"
    assert curve("flux2", eight) == (["flux2"], {"flux2": eight, eight: eight})
    assert curve("flux2", "medvae_ft") == (["flux2", "medvae_ft"], {})
    assert curve("flux2", four) == (["flux2"], {four: four})  # of another grid, and of no autoencoder a row
    assert curve(eight) == ([], {eight: eight})
    assert gaps_of_curve(PUBLISHED) == []
    assert curve("flux2", eight, spaces=["latent"])[0] == []
    assert curve("flux2", eight, spaces=["latent", "reconstruction"]) == (["flux2"], {eight: eight})


def test_two_lossless_controls_on_the_grid_of_a_gap_are_refused():
    mine = PUBLISHED["autoencoders"]["pixel_unshuffle_8"] | {"label": "Mine"}
    said = "autoencoders: pixel_unshuffle_8 and mine are both of class pixel_unshuffle and factor 8; expected one"
    assert said in message_of(check_study, published(autoencoders={"mine": mine}))
    coarse = mine | {"channels": 3 * 32**2, "factor": 32}
    check_study(published(autoencoders={"mine": coarse, "ours": coarse}))  # no autoencoder has this grid
    curve = {"learning_curve": ["share_10", "matched_cross_entropy"], "gap_decomposition": []}
    names = ["flux2", "pixel_unshuffle_8", "mine"]
    study = {"recipes": curve, "autoencoders": names, "controls": [], "efficiency": None}
    assert said in message_of(check_study, published(study=study, autoencoders={"mine": mine}))
    check_study(published(study=study | {"autoencoders": names[:2]}, autoencoders={"mine": mine}))  # one in the curve


def test_a_control_that_is_in_the_study_is_not_trained_twice():
    names = ["flux2", "pixel_unshuffle_8"]
    config = published(study={"autoencoders": names, "limited_to": {"gap_decomposition": {"autoencoders": names}}})
    found = columns(config, "gap_decomposition")
    assert len(found) == len(set(found)) == 5


def test_the_gaps_are_those_of_table_1_beside_the_matched_one():
    matched = {"matched": ["matched"]}
    assert recipes_of_gaps(PUBLISHED) == {"image": "image", "latent": "latent", "matched": matched}
    runs = {tuple(cell.values()) for cell in cells_of_gaps(PUBLISHED)}
    table1 = {run for run in cells_of(PUBLISHED, "table1") if run[1] == "flux2"}
    assert runs == cells_of(PUBLISHED, "gap_decomposition") | table1
    assert len(cells_of_gaps(PUBLISHED)) == len(runs) == 80 + 40


def test_a_run_that_is_in_table_1_and_in_the_decomposition_is_read_once():
    config = published(study={"recipes": {"table1": ["matched"]}})
    runs = [tuple(cell.values()) for cell in cells_of_gaps(config)]
    assert len(runs) == len(set(runs)) == 80


@pytest.mark.parametrize(
    ("study", "datasets", "autoencoders"),
    [
        ({"spaces": ["latent", "reconstruction"], "recipes": {"table1": ["matched"]}, "controls": []}, [], []),
        ({"recipes": {"gap_decomposition": []}}, [], []),
        (
            {"recipes": {"table1": ["matched"]}, "limited_to": {"gap_decomposition": {"datasets": ["isic2019"]}}},
            ["isic2019"],
            ["flux2"],
        ),
    ],
)
def test_a_gap_is_decomposed_where_all_its_runs_are(study, datasets, autoencoders):
    config = published(study=study)
    assert decomposed(config) == {"datasets": datasets, "autoencoders": autoencoders}
    runs = cells_of(config, "table1") | cells_of(config, "gap_decomposition")
    for dataset in datasets:
        needed = {(dataset, "original", "image"), (dataset, "flux2", "reconstruction"), (dataset, "flux2", "latent")}
        needed.add((dataset, "pixel_unshuffle_8", "latent"))
        assert needed <= {run[:3] for run in runs if run[3] == "matched"}


def test_recipes_that_differ_in_their_replicate_alone_are_one_of_the_gaps_and_each_is_trained():
    again = {"again": {"base": "matched", "replicate": 1}, "tuned_again": {"base": "matched_tuned", "replicate": 3}}
    names = ["matched_tuned", "matched", "again", "tuned_again"]
    config = published(study={"recipes": {"gap_decomposition": names}}, recipes=again)
    check_study(config)
    matched = {"matched_tuned": ["matched_tuned", "tuned_again"], "matched": ["matched", "again"]}
    assert recipes_of_gaps(config)["matched"] == matched
    for name in names:
        cells = {run[:3] for run in cells_of(config, "gap_decomposition") if run[3] == name}
        assert {cell[1:] for cell in cells} == {
            ("original", "image"), ("flux2", "latent"), ("flux2", "reconstruction"), ("pixel_unshuffle_8", "latent"),
        }  # fmt: skip
    config["recipes"]["again"]["replicate"] = 0
    assert "again has the seeds of matched; give it another `replicate`" in message_of(check_study, config)


def test_the_controls_of_the_ablation_are_compared_in_every_space_of_their_recipes():
    found = columns(PUBLISHED, "ablation_controls")
    assert found == [
        ("original", "image", "image"),
        ("original", "image", "image_convnext"),
        *(("flux2", "latent", name) for name in ("latent", "latent_random_init", "latent_resnet50")),
        ("flux2", "latent", "latent_convnext_small"),
        ("flux2", "reconstruction", "image"),
        ("flux2", "reconstruction", "image_convnext"),
    ]
    new = cells_of(PUBLISHED, "ablation_controls") - cells_of(PUBLISHED, "table1")
    assert len(new) == 4 * 5 * (3 + 2)


def test_table_3_is_there_where_its_autoencoder_is_in_the_study():
    assert efficiency(PUBLISHED) == PUBLISHED["study"]["efficiency"]
    assert efficiency(published(study={"autoencoders": ["sd14"]})) is None
    config = published()
    config["study"]["efficiency"] = None
    assert efficiency(config) is None
    check_study(config)


def test_each_row_of_table_3_is_one_run():
    runs = {row: efficiency_run(PUBLISHED, row) for row in PUBLISHED["study"]["efficiency"]["rows"]}
    assert {(run["dataset"], run["autoencoder"], run["fold"]) for run in runs.values()} == {("imagenet", "flux2", 0)}
    assert {row: (run["space"], run["recipe"]) for row, run in runs.items()} == {
        "image": ("reconstruction", "timed_image"),
        "image_cached": ("reconstruction", "timed_image_cached"),
        "latent": ("latent", "timed_latent"),
        "latent_distilled": ("latent", "timed_distilled"),
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "imagenot"}, "study.efficiency.dataset: 'imagenot' is not defined under datasets"),
        ({"fold": 5}, "study.efficiency.fold: 5 outside 0..4"),
        ({"rows": {"latent": "nowhere"}}, "recipes.nowhere: not defined"),
        (
            {"rows": {"latent": "latent"}},
            "study.efficiency.rows: Table 3 compares at one budget; recipes' budget_seconds",
        ),
        ({"rows": dict.fromkeys(("image", "image_cached", "latent", "latent_distilled"), "latent")}, "at one budget"),
    ],
)
def test_a_table_3_that_cannot_work_is_refused_with_its_key(changes, message):
    config = published(study={"efficiency": changes})
    assert message in message_of(check_study, config)


def test_a_table_3_of_unlike_budgets_is_refused():
    message = message_of(check_study, published(recipes={"timed_latent": {"budget_seconds": 60}}))
    assert "study.efficiency.rows" in message
    assert "'timed_image': 86400, 'timed_image_cached': 86400, 'timed_latent': 60, 'timed_distilled': 60" in message


@pytest.mark.parametrize(
    ("study", "message"),
    [
        (
            {"limited_to": {"table4": {"autoencoders": ["flux3"]}}},
            "study.limited_to.table4.autoencoders: ['flux3'] not",
        ),
        ({"limited_to": {"table4": {"datasets": ["isic"]}}}, "study.limited_to.table4.datasets: ['isic'] not defined"),
        ({"recipes": {"table4": ["image", "latent", "mine"]}}, "study.recipes.table4: ['mine'] not defined"),
        (
            {"recipes": {"gap_decomposition": ["matched", "latent"]}},
            "study.recipes.gap_decomposition is ['matched', 'latent']; expected recipes of all three spaces, and",
        ),
        (
            {"recipes": {"gap_decomposition": ["latent"]}},
            "gap_decomposition is ['latent']; expected recipes of all three spaces, and latent is used in ['latent']",
        ),
        (
            {"recipes": {"gap_decomposition": ["matched", "image_again"]}},
            "expected recipes of all three spaces, and image_again is used in ['image']",
        ),
        (
            {"recipes": {"table1": ["latent"]}},
            "study.recipes.table1 is ['latent']; the gap's decomposition needs its reconstruction and latent runs",
        ),
    ],
)
def test_a_table_that_cannot_be_made_is_refused_with_its_key(study, message):
    assert message in message_of(check_study, published(study=study))


def test_without_one_of_the_spaces_there_is_no_gap_to_decompose():
    config = published(study={"spaces": ["latent", "reconstruction"]})
    check_study(config)
    assert cells(config, "gap_decomposition") == []
    assert len(cells(config, "table4")) == 100
