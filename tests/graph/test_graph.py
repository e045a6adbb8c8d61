"""Dry runs: which jobs a command would start and what they wait for, without data, weights or a cluster."""

import re

import pytest

from tests.conftest import CHECKOUT, job_counts, snakemake

WEIGHTS = "model.safetensors"
FIGURES = ("draw_figure2", "draw_figure3", "draw_gaps", "draw_class_recall", "draw_training_curves")
TABLE1 = {"train_classifier": 220, "encode_dataset": 20, "prepare_dataset": 4, "make_folds": 4}
PAGES = {"judge_claims": 1, "compare_published": 1, "show_tests": 1, "write_summary": 1}


def jobs(*arguments: str, **options) -> dict[str, int]:
    return job_counts(snakemake("-n", *arguments, **options))


def test_the_published_study_is_220_trainings_and_20_encodings(checkout):
    counts = jobs("table1", folder=checkout)
    assert {rule: counts[rule] for rule in TABLE1} == TABLE1
    assert counts["finetune_autoencoder"] == 4


def waits_for(output: str) -> dict[str, set[str]]:
    """What each job of a dry run waits for from the others, by the job's message; paths without `results/`."""
    found = re.findall(
        r"^Job \d+: (.+)\nReason: .*Input files updated by another job: (.+)$", output, flags=re.MULTILINE
    )
    return {message: set(files.replace("results/", "").split(", ")) for message, files in found}


def study_file(folder, content: str) -> tuple[str, str, str]:
    """A study merged over the published one, as arguments."""
    path = folder / "study.yaml"
    path.write_text(content)
    return "--configfile", str(path), "--"


def test_all_of_a_study_of_table_1_adds_table_2_and_the_tests_and_no_training(checkout, tmp_path):
    lists = "study: {recipes: {table4: [], gap_decomposition: [], ablation_controls: []}, efficiency: null}\n"
    counts = jobs(*study_file(tmp_path, lists)[:2], folder=checkout)
    assert {rule: counts[rule] for rule in TABLE1} == TABLE1
    assert counts == TABLE1 | PAGES | {
        "make_table1": 1, "make_table2": 1, "test_significance": 1, "record_study": 1, "all": 1,
        "finetune_autoencoder": 4, "fetch_weights": 7, **dict.fromkeys(FIGURES, 1),
    }  # fmt: skip


def test_all_of_the_published_study_is_every_table_and_test(checkout):
    assert jobs(folder=checkout) == PAGES | {
        "prepare_dataset": 5, "make_folds": 5,  # ImageNet too
        "encode_dataset": 20 + 4 + 1,  # the lossless control on each dataset, and ImageNet
        "finetune_autoencoder": 4,
        "fetch_weights": 8,  # ConvNeXt-Small too
        "train_classifier": 220 + 60 + 80 + 100 + 3,  # Tables 1 and 4, the gap's decomposition, controls, Table 3
        "train_with_decoder": 1,  # Table 3's image row
        "search_recipe": 20,
        "compute_teacher_logits": 20 + 1,  # of Table 4, and of Table 3's distilled row
        "trace_noise_curve": 20,
        "measure_efficiency": 4,
        "make_table1": 1, "make_table2": 1, "make_table3": 1, "make_table4": 1, "make_ablation_controls": 1,
        "test_significance": 1, "test_ablation": 1, "decompose_gap": 1, "record_study": 1, "all": 1,
        **dict.fromkeys((*FIGURES, "draw_noise_levels"), 1),
    }  # fmt: skip


def test_the_last_row_of_table_4_waits_for_the_others_of_its_fold(checkout):
    output = snakemake("-n", "table4", folder=checkout)
    assert job_counts(output) == {
        "train_classifier": 100, "search_recipe": 20, "compute_teacher_logits": 20, "trace_noise_curve": 20,
        "encode_dataset": 4, "prepare_dataset": 4, "make_folds": 4, "fetch_weights": 3, "test_ablation": 1,
        "record_study": 1, "make_table4": 1, "table4": 1,
    }  # fmt: skip
    waits = {
        name.split(" on ")[0]: files for name, files in waits_for(output).items() if re.search("cardium.*fold 3$", name)
    }
    logits = "runs/cardium/reconstruction/flux2/image/fold3/teacher_logits.npy"
    best, tuned = "searches/cardium/flux2/tuned/fold3/best.json", "runs/cardium/latent/flux2/tuned/fold3"
    built = {name: {file for file in files if file.startswith(("runs", "searches"))} for name, files in waits.items()}
    assert {name: files for name, files in built.items() if files} == {
        "Teacher logits of image": {logits.replace("teacher_logits.npy", name) for name in ("model.json", WEIGHTS)},
        "Training distilled": {logits},
        "Searching tuned": {logits},
        "Training tuned": {logits, best},
        "Training noise_conditioned": {f"{tuned}/{WEIGHTS}"},
        "Scores of noise_conditioned over the noise level, cardium (flux2), fold 3": {
            f"{tuned.replace('tuned', 'noise_conditioned')}/{name}" for name in ("model.json", WEIGHTS)
        },
    }
    pretrained = "weights/convnext_tiny/source.json"
    assert {name for name in waits if pretrained in waits[name]} == {
        "Training latent", "Training distilled", "Searching tuned", "Training tuned",
    }  # fmt: skip


def test_one_search_for_all_folds_is_that_of_the_first_and_workers_share_it(checkout, tmp_path):
    shared = study_file(tmp_path, "recipes: {tuned: {search: {scope: fold0, workers: 3}}}\n")
    paths = [f"results/runs/cardium/latent/flux2/tuned/fold{fold}/metrics.json" for fold in (2, 3)]
    output = snakemake("-n", *shared, *paths, folder=checkout)
    counts = job_counts(output)
    assert (counts["search_recipe"], counts["assist_search"], counts["compute_teacher_logits"]) == (1, 2, 3)
    waits, search = waits_for(output), "searches/cardium/flux2/tuned/fold0"
    of_fold = {name: files for name, files in waits.items() if name.startswith("Training tuned")}
    assert len(of_fold) == 2
    assert all(f"{search}/best.json" in files for files in of_fold.values())
    (searching,) = (files for name, files in waits.items() if name.startswith("Searching"))
    assert {file for file in searching if "searches" in file} == {f"{search}/worker1.json", f"{search}/worker2.json"}
    assert "runs/cardium/reconstruction/flux2/image/fold0/teacher_logits.npy" in searching


def test_a_part_by_target_is_its_own_runs_and_a_noise_curve_is_one_of_any_latent_run(checkout):
    curve = "results/runs/cardium/latent/flux2/latent/fold3/noise_curve.parquet"
    counts = jobs("gap_decomposition", curve, folder=checkout)
    assert counts["train_classifier"] == 80 + 40  # the matched runs, and those of Table 1 with FLUX.2
    assert (counts["encode_dataset"], counts["decompose_gap"], counts["trace_noise_curve"]) == (8, 1, 1)
    assert "search_recipe" not in counts


def test_table_3_is_four_trainings_on_imagenet_and_decodes_what_its_first_row_sees(checkout):
    output = snakemake("-n", "table3", folder=checkout)
    counts = job_counts(output)
    assert counts == {
        "train_classifier": 3, "train_with_decoder": 1, "measure_efficiency": 4, "compute_teacher_logits": 1,
        "encode_dataset": 1, "prepare_dataset": 1, "make_folds": 1, "fetch_weights": 2, "make_table3": 1,
        "record_study": 1, "table3": 1,
    }  # fmt: skip
    waits = waits_for(output)
    on_the_fly = waits["Training timed_image on imagenet, reconstructions decoded on the fly (flux2), fold 0"]
    cached = waits["Training timed_image_cached on imagenet, reconstruction space (flux2), fold 0"]
    encoding = "encodings/imagenet/flux2"
    assert {f"{encoding}/latents.npy", "weights/flux2/source.json"} <= on_the_fly
    assert f"{encoding}/reconstructions.npy" in cached
    assert {f"{encoding}/reconstructions.npy"} & on_the_fly == {f"{encoding}/latents.npy"} & cached == set()


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


def test_figures_wait_for_the_encoding_of_every_fold(checkout, per_fold):
    output = snakemake("-n", *per_fold, "figures", folder=checkout)
    drawn = {rule: count for rule, count in job_counts(output).items() if rule.startswith("draw_")}
    assert drawn == dict.fromkeys((*FIGURES, "draw_noise_levels"), 1)
    waits = waits_for(output)["Figure 3: originals, reconstructions and differences"]
    assert {f"encodings/cardium/medvae_ft@fold{fold}/reconstructions.npy" for fold in range(5)} <= waits


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


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("table4", "limited_to.table4 names no dataset or autoencoder of it"),
        ("gap_decomposition", "limited_to.gap_decomposition names no dataset or autoencoder of it"),
        ("table3", "efficiency names no dataset or autoencoder of it"),
        ("table2", "autoencoders names none with a decoder"),
    ],
)
def test_a_table_that_nothing_of_the_study_is_in_is_refused(checkout, tmp_path, target, why):
    arguments = study_file(tmp_path, "study: {autoencoders: [random_init_8]}\n")
    output = snakemake("-n", *arguments, target, folder=checkout, code=None)
    assert f"Nothing of this study is in it: study.{why}" in output


def test_a_study_without_any_decoder_has_no_fidelity_to_show_and_all_else(checkout, tmp_path):
    counts = jobs(*study_file(tmp_path, "study: {autoencoders: [random_init_8]}\n")[:2], folder=checkout)
    assert counts["train_classifier"] == 4 * 5 * (1 + 1)
    assert "make_table2" not in counts
    drawn = {rule for rule in counts if rule.startswith("draw_")}
    assert drawn == {*FIGURES} - {"draw_figure2"}
    assert {rule: counts[rule] for rule in (*PAGES, "make_table1", "test_significance")} == dict.fromkeys(
        (*PAGES, "make_table1", "test_significance"), 1
    )


def test_a_run_whose_weights_are_fine_tuned_waits_for_them(checkout):
    assert jobs("train/cardium/latent/medvae_ft", folder=checkout)["finetune_autoencoder"] == 1


@pytest.mark.parametrize(
    "profile",
    [("--profile", "slurm"), ("--workflow-profile", "slurm"), ("--profile", "profiles/slurm")],
    ids=lambda words: " ".join(words),
)
def test_every_spelling_of_the_slurm_profile_works(checkout, profile):
    assert jobs(*profile, "--", "train/cardium/image/original", folder=checkout)["train_classifier"] == 5


@pytest.mark.parametrize(
    "profiles", [["profiles/local"], ["slurm", "profiles/slurm_site"], ["slurm", "profiles/slurm_site_gres"]]
)
def test_the_other_profiles_are_read(checkout, profiles):
    options = [word for profile in profiles for word in ("--profile", profile)]
    output = snakemake(*options, "-n", "table2", folder=checkout)
    assert "encode" in output


def test_the_folds_of_a_cell_are_one_group(checkout):
    """Of each of the 20 + 20 + 4 cells, and no fold of another cell in it."""
    output = snakemake("--profile", "slurm", "-n", "table1", folder=checkout)
    groups = re.findall(r"Group job (\S+) \(jobs in lexicogr. order\):\n(.*?)(?=\n\[|\Z)", output, flags=re.DOTALL)
    assert len(groups) == 44
    for name, jobs_of_group in groups:
        dataset, space, autoencoder, recipe = name.split(".")
        told = re.findall(r"Training (\S+) on (\S+), (\S+) space \((\S+)\), fold (\d)", jobs_of_group)
        assert sorted(told) == [(recipe, dataset, space, autoencoder, str(fold)) for fold in range(5)]


def test_the_workflow_runs_from_another_directory(checkout, tmp_path):
    counts = jobs("-s", str(checkout / "Snakefile"), "--directory", str(tmp_path), "table1", folder=checkout)
    assert counts["train_classifier"] == 220


@pytest.mark.parametrize("study", ["demo", "ham10000", "open"])
def test_the_other_studies_have_a_graph(checkout, study):
    counts = jobs("--configfile", f"workflow/studies/{study}.yaml", folder=checkout)
    assert counts["train_classifier"] == {"demo": 88 + 12 + 8 + 3, "ham10000": 35 + 25 + 20, "open": 464 - 4}[study]


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
