"""Dry runs: how many jobs of each rule a command would start, without data, weights or a cluster."""

import pytest

from tests.conftest import CHECKOUT, job_counts, snakemake

TABLE1 = {"train_classifier": 220, "encode_dataset": 20, "prepare_dataset": 4, "make_folds": 4}


def jobs(*arguments: str, **options) -> dict[str, int]:
    return job_counts(snakemake("-n", *arguments, **options))


def test_the_published_study_is_220_trainings_and_20_encodings(checkout):
    counts = jobs("table1", folder=checkout)
    assert {rule: counts[rule] for rule in TABLE1} == TABLE1
    assert counts["finetune_autoencoder"] == 4


def test_all_adds_table_2_and_the_tests_and_no_training(checkout):
    counts = jobs(folder=checkout)
    assert {rule: counts[rule] for rule in TABLE1} == TABLE1
    assert counts["make_table2"] == counts["test_significance"] == counts["record_study"] == 1


@pytest.fixture(scope="module")
def per_fold(tmp_path_factory) -> tuple[str, str]:
    """The study whose MedVAE-FT is fine-tuned on the training rows of each fold."""
    path = tmp_path_factory.mktemp("study") / "per_fold.yaml"
    path.write_text("autoencoders: {medvae_ft: {finetune: {images: train_rows_per_fold}}}\n")
    return ("--configfile", str(path), "--")


def test_fine_tuned_per_fold_it_is_20_fine_tunings_and_36_encodings(checkout, per_fold):
    counts = jobs(*per_fold, "table1", "table2", "significance", folder=checkout)
    assert {rule: counts[rule] for rule in TABLE1} == TABLE1 | {"encode_dataset": 36}
    assert counts["finetune_autoencoder"] == 20


def test_only_the_folds_that_are_run_are_fine_tuned(checkout, per_fold, tmp_path):
    folds = tmp_path / "folds.yaml"
    folds.write_text("study: {folds: [0, 1]}\n")
    counts = jobs(*per_fold[:2], str(folds), "--", "table1", folder=checkout)
    assert (counts["finetune_autoencoder"], counts["encode_dataset"]) == (4 * 2, 16 + 4 * 2)


def test_a_run_waits_for_the_weights_of_its_own_fold(checkout, per_fold):
    path = "results/runs/cardium/latent/medvae_ft/latent/fold3/metrics.json"
    output = snakemake("-n", *per_fold, path, folder=checkout)
    counts = job_counts(output)
    assert (counts["finetune_autoencoder"], counts["encode_dataset"], counts["make_folds"]) == (1, 1, 1)
    assert "results/encodings/cardium/medvae_ft@fold3/latents.npy" in output
    assert "results/weights/cardium/medvae_ft@fold3/diffusion_pytorch_model.safetensors" in output


@pytest.mark.parametrize(
    "name", ["encodings/cardium/medvae_ft{}/latents.npy", "weights/cardium/medvae_ft{}/history.csv"]
)
def test_weights_of_no_fold_or_of_a_fold_follow_the_config(checkout, per_fold, name):
    message = "`@fold` goes with finetune.images train_rows_per_fold, and only with it"
    assert message in snakemake("-n", *per_fold, f"results/{name.format('')}", folder=checkout, code=None)
    assert message in snakemake("-n", f"results/{name.format('@fold1')}", folder=checkout, code=None)


def test_one_dataset_is_a_quarter_of_the_study(checkout):
    counts = jobs("train/isic2019", folder=checkout)
    assert counts == {
        "train_classifier": 55, "encode_dataset": 5, "prepare_dataset": 1, "make_folds": 1,
        "finetune_autoencoder": 1, "fetch_weights": 7, "train/isic2019": 1,
    }  # fmt: skip


def test_one_cell_needs_its_own_encoding_only(checkout):
    counts = jobs("train/isic2019/latent/flux2", folder=checkout)
    assert counts["train_classifier"] == 5
    assert counts["encode_dataset"] == 1
    assert "finetune_autoencoder" not in counts


def test_one_file_is_one_training(checkout):
    path = "results/runs/isic2019/latent/flux2/latent/fold3/metrics.json"
    assert jobs(path, folder=checkout)["train_classifier"] == 1


def test_only_the_weights_that_a_run_uses_are_fetched(checkout):
    assert jobs("train/isic2019/latent/flux2", folder=checkout)["fetch_weights"] == 2  # FLUX.2 and ConvNeXt-Tiny
    assert jobs("train/isic2019/image/original", folder=checkout)["fetch_weights"] == 1


def test_weights_in_a_folder_are_fetched_from_nowhere(checkout, tmp_path):
    local = tmp_path / "local.yaml"
    local.write_text("autoencoders: {flux2: {source: /weights/flux2}}\npretrained: {convnext_tiny: {source: ./mine}}\n")
    assert "fetch_weights" not in jobs("train/isic2019/latent/flux2", "--configfile", str(local), folder=checkout)


def test_an_autoencoder_without_a_decoder_has_a_latent_space_and_nothing_else(checkout, tmp_path):
    floor = tmp_path / "floor.yaml"
    floor.write_text("study: {autoencoders: [sd14, random_init_8, area_downsample_8]}\n")
    counts = jobs("--configfile", str(floor), folder=checkout)
    assert counts["encode_latents"] == 4
    assert counts["encode_dataset"] == 8
    assert counts["train_classifier"] == 4 * 5 * (1 + 2 + 1 + 2)
    refused = snakemake(
        "-n", "--configfile", str(floor), "--", "results/encodings/isic2019/random_init_8/reconstructions.npy",
        folder=checkout, code=None,
    )  # fmt: skip
    assert "MissingRuleException" in refused


def test_a_run_whose_weights_are_fine_tuned_waits_for_them(checkout):
    assert jobs("train/cardium/latent/medvae_ft", folder=checkout)["finetune_autoencoder"] == 1


@pytest.mark.parametrize(
    "profile",
    [("--profile", "slurm"), ("--workflow-profile", "slurm"), ("--profile", "profiles/slurm")],
    ids=lambda words: " ".join(words),
)
def test_every_spelling_of_the_slurm_profile_works(checkout, profile):
    assert jobs(*profile, "--", "train/cardium/image/original", folder=checkout)["train_classifier"] == 5


@pytest.mark.parametrize("profile", ["profiles/local", "profiles/slurm_site"])
def test_the_other_profiles_are_read(checkout, profile):
    output = snakemake("--profile", profile, "-n", "table2", folder=checkout)
    assert "encode" in output


def test_the_workflow_runs_from_another_directory(checkout, tmp_path):
    counts = jobs("-s", str(checkout / "Snakefile"), "--directory", str(tmp_path), "table1", folder=checkout)
    assert counts["train_classifier"] == 220


@pytest.mark.parametrize("study", ["demo", "ham10000", "open"])
def test_the_other_studies_have_a_graph(checkout, study):
    counts = jobs("--configfile", f"workflow/studies/{study}.yaml", folder=checkout)
    assert counts["train_classifier"] == {"demo": 88, "ham10000": 35, "open": 220}[study]


def test_an_unknown_key_stops_before_the_graph(checkout):
    output = snakemake("-n", "--config", "sead=1", folder=checkout, code=None)
    assert "sead" in output


def test_an_image_run_of_an_autoencoder_is_refused(checkout):
    path = "results/runs/isic2019/image/flux2/image/fold3/metrics.json"
    assert "image space goes with `original`" in snakemake("-n", path, folder=checkout, code=None)


def test_a_fold_beyond_the_last_is_refused(checkout):
    path = "results/runs/isic2019/image/original/image/fold7/metrics.json"
    assert "folds count from 0" in snakemake("-n", path, folder=checkout, code=None)


def test_what_is_missing_is_said_in_one_message_before_the_first_job(checkout):
    """No data, no weights: both datasets of the planned jobs are named, and nothing is left behind."""
    output = snakemake(
        "--cores", "1", "train/isic2019/image/original", "train/cardium/image/original",
        folder=checkout, code=None, HF_HUB_OFFLINE="1",
    )  # fmt: skip
    assert "datasets.isic2019" in output
    assert "ISIC2019_ROOT" in output
    assert "CARDIUM_ROOT" in output
    assert "MIMIC" not in output
    assert "pretrained.resnet50: timm/resnet50.tv_in1k is not in the local cache and the hub is switched" in output
    assert not (checkout / "results" / "datasets").exists()


def test_every_rule_that_computes_has_a_log_and_an_environment():
    for path in (CHECKOUT / "workflow" / "rules").glob("*.smk"):
        for block in path.read_text().split("\nrule ")[1:]:
            if "script:" in block:
                assert "log:" in block, block
                assert "conda:" in block, block
