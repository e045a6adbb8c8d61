"""The jobs of studies merged over the published one: shorter lists, one search, weights per fold, no decoder."""

import pytest

from tests.graph.test_graph import FIGURES, PAGES, TABLE1
from tests.jobs import Plan, planned

PER_FOLD = "autoencoders: {medvae_ft: {finetune: {images: train_rows_per_fold}}}\n"


def test_all_of_a_study_of_table_1_adds_table_2_and_the_tests_and_no_training(checkout, study):
    lists = "study: {recipes: {table4: [], gap_decomposition: [], ablation_controls: []}, efficiency: null}\n"
    counts = planned(*study(lists), "all", folder=checkout).counts()
    assert {rule: counts[rule] for rule in TABLE1} == TABLE1
    assert counts == TABLE1 | PAGES | {
        "make_table1": 1, "make_table2": 1, "make_gap": 1, "test_significance": 1, "test_groups": 1, "record_study": 1,
        "test_diagnostics": 1, "make_table5": 1, "make_gap_by_frequency": 1,
        "all": 1, "finetune_autoencoder": 4, "fetch_weights": 7, "diagnose_encoding": 20, **dict.fromkeys(FIGURES, 1),
    }  # fmt: skip


def test_one_search_for_all_folds_is_that_of_the_first_and_workers_share_it(checkout, study):
    shared = study("recipes: {tuned: {search: {scope: fold0, workers: 3}}}\n")
    paths = [f"results/runs/cardium/latent/flux2/tuned/fold{fold}/metrics.json" for fold in (2, 3)]
    plan = planned(*shared, *paths, folder=checkout)
    counts = plan.counts()
    assert (counts["search_recipe"], counts["assist_search"], counts["compute_teacher_logits"]) == (1, 2, 3)
    search = "searches/cardium/flux2/tuned/fold0"
    for fold in "23":
        assert f"{search}/best.json" in plan.waits(
            plan.job("train_classifier", "cardium", "latent", "flux2", "tuned", fold)
        )
    (searching,) = (plan.waits(job) for job in plan.jobs if job.rule == "search_recipe")
    assert {file for file in searching if "searches" in file} == {f"{search}/worker1.json", f"{search}/worker2.json"}
    assert "runs/cardium/reconstruction/flux2/image/fold0/teacher_logits.npy" in searching


@pytest.fixture(scope="module")
def per_fold(checkout, tmp_path_factory) -> Plan:
    """The study whose MedVAE-FT is fine-tuned on the training rows of each fold."""
    path = tmp_path_factory.mktemp("study") / "per_fold.yaml"
    path.write_text(PER_FOLD)
    targets = ("table1", "table2", "significance", "figures")
    return planned("--configfile", str(path), "--", *targets, folder=checkout)


def test_fine_tuned_per_fold_it_is_20_fine_tunings_and_36_encodings(per_fold):
    counts = per_fold.counts("table1", "table2", "significance")
    assert {rule: counts[rule] for rule in TABLE1} == TABLE1 | {"encode_dataset": 36}
    assert counts["finetune_autoencoder"] == 20


def test_figures_wait_for_the_encoding_of_every_fold(per_fold):
    drawn = {rule: count for rule, count in per_fold.counts("figures").items() if rule.startswith("draw_")}
    assert drawn == dict.fromkeys((*FIGURES, "draw_noise_levels", "draw_gap_decomposition"), 1)
    waits = per_fold.waits(per_fold.job("draw_figure3"))
    assert {f"encodings/cardium/medvae_ft@fold{fold}/reconstructions.npy" for fold in range(5)} <= waits


def test_a_run_waits_for_the_weights_of_its_own_fold(per_fold):
    path = "runs/cardium/latent/medvae_ft/latent/fold3/metrics.json"
    counts = per_fold.counts(path)
    assert (counts["finetune_autoencoder"], counts["encode_dataset"], counts["make_folds"]) == (1, 1, 1)
    made = {made for job in per_fold.of(path) for made in job.output}
    assert "encodings/cardium/medvae_ft@fold3/latents.npy" in made
    assert "weights/cardium/medvae_ft@fold3/diffusion_pytorch_model.safetensors" in made


def test_only_the_folds_that_are_run_are_fine_tuned(checkout, study):
    counts = planned(*study(PER_FOLD + "study: {folds: [0, 1]}\n"), "table1", folder=checkout).counts()
    assert (counts["finetune_autoencoder"], counts["encode_dataset"]) == (4 * 2, 16 + 4 * 2)


def test_weights_in_a_folder_are_fetched_from_nowhere(checkout, study):
    local = "autoencoders: {flux2: {source: /weights/flux2}}\npretrained: {convnext_tiny: {source: ./mine}}\n"
    counts = planned(*study(local), "train/isic2019/latent/flux2", folder=checkout).counts()
    assert counts["train_classifier"] == 5
    assert "fetch_weights" not in counts


def test_an_autoencoder_without_a_decoder_has_a_latent_space_and_nothing_else(checkout, study):
    floor = study("study: {autoencoders: [sd14, random_init_8, area_downsample_8]}\n")
    counts = planned(*floor, "all", folder=checkout).counts()
    assert counts["encode_latents"] == 4
    assert counts["encode_dataset"] == 8
    assert counts["train_classifier"] == 4 * 5 * (1 + 2 + 1 + 2)


def test_a_study_without_any_decoder_has_no_fidelity_to_show_and_all_else(checkout, study):
    counts = planned(*study("study: {autoencoders: [random_init_8]}\n"), "all", folder=checkout).counts()
    assert counts["train_classifier"] == 4 * 5 * (1 + 1)
    assert "make_table2" not in counts
    drawn = {rule for rule in counts if rule.startswith("draw_")}
    assert drawn == {*FIGURES} - {"draw_figure2"}
    assert {rule: counts[rule] for rule in (*PAGES, "make_table1", "test_significance")} == dict.fromkeys(
        (*PAGES, "make_table1", "test_significance"), 1
    )


@pytest.mark.parametrize("study", ["demo", "ham10000", "open", "own_small", "remedies"])
def test_the_shipped_studies_have_a_graph(checkout, study):
    counts = planned("--configfile", f"workflow/studies/{study}.yaml", folder=checkout).counts()
    trainings = {
        "demo": 88 + 12 + 8 + 3 + 6 + 12 + 16,  # twelve of the probes and the learning curve, sixteen of the remedies
        "ham10000": 45 + 3 * 50 + 75 + 30,
        "open": 464 - 4,
        "own_small": 25 + 20 + 10,  # Table 1, decomposed gap, controls
        "remedies": 463 + 5 * 2 * 20 + 1320 - 80 - 160,  # five autoencoders more, Table 6; no run twice, no blocks
    }
    assert counts["train_classifier"] == trainings[study]
