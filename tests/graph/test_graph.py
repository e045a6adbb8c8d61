"""The jobs of the published study that a command would start, and what they wait for; no data, weights or cluster."""

from tests.conftest import CHECKOUT, snakemake
from tests.graph.conftest import CURVE

WEIGHTS = "model.safetensors"
FIGURES = ("draw_figure2", "draw_figure3", "draw_gaps", "draw_class_recall", "draw_training_curves", "draw_spectra")
FIGURES += ("draw_diagnostics_vs_gap",)
TABLE1 = {"train_classifier": 220, "encode_dataset": 20, "prepare_dataset": 4, "make_folds": 4}
PAGES = {"judge_claims": 1, "compare_published": 1, "show_tests": 1, "write_summary": 1}


def test_table_1_is_220_trainings_and_20_encodings(published):
    counts = published.counts("table1")
    assert {rule: counts[rule] for rule in TABLE1} == TABLE1
    assert counts["finetune_autoencoder"] == 4


def test_all_of_the_published_study_is_every_table_and_test(published):
    assert published.counts("all") == PAGES | {
        "prepare_dataset": 5, "make_folds": 5,  # ImageNet too
        "encode_dataset": 20 + 4 + 1,  # the lossless control on each dataset, and ImageNet
        "diagnose_encoding": 20 + 4,  # all but ImageNet's
        "finetune_autoencoder": 4,
        "fetch_weights": 8,  # ConvNeXt-Small too
        "train_classifier": 220 + 60 + 80 + 100 + 3,  # Tables 1 and 4, the gap's decomposition, controls, Table 3
        "train_with_decoder": 1,  # Table 3's image row
        "search_recipe": 20,
        "compute_teacher_logits": 20 + 1,  # of Table 4, and of Table 3's distilled row
        "trace_noise_curve": 20,
        "measure_efficiency": 4,
        "make_gap": 1, "make_gap_by_frequency": 1, "make_ablation_controls": 1,
        **dict.fromkeys((f"make_table{number}" for number in range(1, 6)), 1),
        "test_significance": 1, "test_groups": 1, "test_ablation": 1, "decompose_gap": 1, "record_study": 1, "all": 1,
        "test_diagnostics": 1,
        **dict.fromkeys((*FIGURES, "draw_noise_levels", "draw_gap_decomposition"), 1),
    }  # fmt: skip


def test_the_last_row_of_table_4_waits_for_the_others_of_its_fold(published):
    assert published.counts("table4") == {
        "train_classifier": 100, "search_recipe": 20, "compute_teacher_logits": 20, "trace_noise_curve": 20,
        "encode_dataset": 4, "prepare_dataset": 4, "make_folds": 4, "fetch_weights": 3, "test_ablation": 1,
        "record_study": 1, "make_table4": 1, "table4": 1,
    }  # fmt: skip
    waits = {
        (job.rule, job.wildcards[-2]): published.waits(job)
        for job in published.of("table4")
        if (job.wildcards[:1], job.wildcards[-1:]) == (("cardium",), ("3",))
    }
    logits = "runs/cardium/reconstruction/flux2/image/fold3/teacher_logits.npy"
    best, tuned = "searches/cardium/flux2/tuned/fold3/best.json", "runs/cardium/latent/flux2/tuned/fold3"
    built = {name: {file for file in files if file.startswith(("runs", "searches"))} for name, files in waits.items()}
    assert {name: files for name, files in built.items() if files} == {
        ("compute_teacher_logits", "image"): {logits.replace("teacher_logits.npy", n) for n in ("model.json", WEIGHTS)},
        ("train_classifier", "distilled"): {logits},
        ("search_recipe", "tuned"): {logits},
        ("train_classifier", "tuned"): {logits, best},
        ("train_classifier", "noise_conditioned"): {f"{tuned}/{WEIGHTS}"},
        ("trace_noise_curve", "noise_conditioned"): {
            f"{tuned.replace('tuned', 'noise_conditioned')}/{name}" for name in ("model.json", WEIGHTS)
        },
    }
    pretrained = "weights/convnext_tiny/source.json"
    assert {name for name in waits if pretrained in waits[name]} == {
        ("train_classifier", "latent"), ("train_classifier", "distilled"), ("search_recipe", "tuned"),
        ("train_classifier", "tuned"),
    }  # fmt: skip


def test_a_part_by_target_is_its_own_runs_and_a_noise_curve_is_one_of_any_latent_run(published):
    counts = published.counts("gap_decomposition", CURVE)
    assert counts["train_classifier"] == 80 + 40  # the matched runs, and those of Table 1 with FLUX.2
    assert (counts["encode_dataset"], counts["decompose_gap"], counts["trace_noise_curve"]) == (8, 1, 1)
    assert "search_recipe" not in counts


def test_diagnostics_wait_for_encodings_and_for_no_training(published):
    assert published.counts("diagnostics") == {
        "diagnose_encoding": 24, "encode_dataset": 24, "prepare_dataset": 4, "finetune_autoencoder": 4,
        "fetch_weights": 5, "diagnostics": 1,
    }  # fmt: skip


def test_table_3_is_four_trainings_on_imagenet_and_decodes_what_its_first_row_sees(published):
    assert published.counts("table3") == {
        "train_classifier": 3, "train_with_decoder": 1, "measure_efficiency": 4, "compute_teacher_logits": 1,
        "encode_dataset": 1, "prepare_dataset": 1, "make_folds": 1, "fetch_weights": 2, "make_table3": 1,
        "record_study": 1, "table3": 1,
    }  # fmt: skip
    run = ("imagenet", "reconstruction", "flux2")
    on_the_fly = published.waits(published.job("train_with_decoder", *run, "timed_image", "0"))
    cached = published.waits(published.job("train_classifier", *run, "timed_image_cached", "0"))
    encoding = "encodings/imagenet/flux2"
    validated = f"{encoding}/reconstructions.npy"  # not decoded anew
    assert {f"{encoding}/latents.npy", validated, "weights/flux2/source.json"} <= on_the_fly
    assert validated in cached
    assert f"{encoding}/latents.npy" not in cached


def test_one_dataset_is_a_quarter_of_the_study(published):
    assert published.counts("train/isic2019") == {
        "train_classifier": 55, "encode_dataset": 5, "prepare_dataset": 1, "make_folds": 1,
        "finetune_autoencoder": 1, "fetch_weights": 7, "train/isic2019": 1,
    }  # fmt: skip


def test_one_cell_needs_its_own_encoding_only(published):
    counts = published.counts("train/isic2019/latent/flux2")
    assert counts["train_classifier"] == 5
    assert counts["encode_dataset"] == 1
    assert "finetune_autoencoder" not in counts


def test_one_file_is_one_training(published):
    assert published.counts("runs/isic2019/latent/flux2/latent/fold3/metrics.json")["train_classifier"] == 1


def test_only_the_weights_that_a_run_uses_are_fetched(published):
    assert published.counts("train/isic2019/latent/flux2")["fetch_weights"] == 2  # FLUX.2 and ConvNeXt-Tiny
    assert published.counts("train/isic2019/image/original")["fetch_weights"] == 1


def test_a_run_whose_weights_are_fine_tuned_waits_for_them(published):
    assert published.counts("train/cardium/latent/medvae_ft")["finetune_autoencoder"] == 1


def test_every_rule_that_computes_has_a_log_and_an_environment():
    for path in (CHECKOUT / "workflow" / "rules").glob("*.smk"):
        for block in path.read_text().split("\nrule ")[1:]:
            if "script:" in block:
                assert "log:" in block, block
                assert "conda:" in block, block


def test_the_plan_in_short_has_every_rule_and_fits_a_screen(checkout):
    """`snakemake -n --quiet host rules | head -n 50`, with nothing done: then every rule is in it."""
    shown = snakemake("-n", "--quiet", "host", "rules", folder=checkout).splitlines()[:50]
    assert next(line for line in shown if line.startswith("total")).split() == ["total", "628"]
    assert ["train_classifier", "463"] in [line.split() for line in shown]
