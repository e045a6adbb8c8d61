"""What a study will cost and what a run has cost, against sums, published operation counts and formulas by hand."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from learnability import cli
from learnability.errors import InputError
from learnability.planning import networks
from learnability.planning.benchmarks import read_benchmark
from learnability.planning.costs import UNKNOWN, Plan
from learnability.planning.dag import Job, longest_chain
from learnability.planning.hours import hours_per_rule
from learnability.planning.networks import autoencoder_operations, classifier_operations
from learnability.planning.printing import print_plan
from learnability.planning.rates import Rate, Sustained, measured_rates, results_folders, sustained_operations
from learnability.planning.sizes import dataset_size
from learnability.planning.totals import per_kind, per_rule, wall_hours, without_rate
from learnability.storage.contracts import write_json
from learnability.study.array_sizes import ArraySize
from learnability.study.cells import resolve_autoencoder
from learnability.study.configuration import read_config
from learnability.study.recipes import resolve_recipe
from learnability.workflow.job_work import describe_work

RECORDED = Path(__file__).parents[1] / "recorded"  # benchmarks of five jobs of the demo, as Snakemake wrote them
TUNED = "train_classifier/phantom_skin.latent.tiny_flux2.tuned.fold0.jsonl"
H200 = Sustained(bfloat16=1e14, tf32=2e13, source="a test")


@pytest.fixture
def ran(tmp_path) -> Path:
    """A results folder in which the recorded jobs ran: 310 images of 64 pixels, latents of 32 x 8 x 8."""
    shutil.copytree(RECORDED / "benchmarks", tmp_path / "benchmarks")
    arrays = {
        "datasets/phantom_skin/images.npy": (310, 64, 64, 3),
        "datasets/phantom_skin/images_small.npy": (310, 32, 32, 3),
        "encodings/phantom_skin/tiny_flux2/latents.npy": (310, 32, 8, 8),
    }
    for name, shape in arrays.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / name, np.zeros(shape, np.uint8))
    for run, epochs in {"image/original/image": 9, "latent/tiny_flux2/tuned": 7}.items():
        write_json({"device": "cpu", "epochs": epochs}, tmp_path / "runs/phantom_skin" / run / "fold0/metrics.json")
    return tmp_path


@pytest.fixture(scope="module")
def published() -> dict:
    return read_config()


def job(rule: str, **wildcards) -> Job:
    return Job(rule, {"fold": "0", "space": "latent"} | wildcards, 2, (), ())


def test_a_recorded_benchmark_says_which_job_it_is_of():
    found = read_benchmark(RECORDED / "benchmarks" / TUNED)
    assert (found.rule, found.wildcards["recipe"], found.wildcards["fold"]) == ("train_classifier", "tuned", "0")
    content = json.loads((RECORDED / "benchmarks" / TUNED).read_text())
    assert (found.seconds, found.peak_mb) == (content["s"], content["max_rss"])
    assert found.params["recipe"]["model"] == "convnext_tiny"


@pytest.mark.parametrize("text", ["", "no json", '{"h:m:s": "0:00:01"}', "[1]"])
def test_a_file_that_is_no_benchmark_is_named(tmp_path, text):
    path = tmp_path / "benchmarks/train_classifier/broken.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(InputError, match=r"broken.jsonl: no benchmark of Snakemake .*remove it"):
        hours_per_rule(tmp_path)


def test_hours_are_the_sums_of_the_benchmarks(ran):
    table = hours_per_rule(ran).set_index("rule")
    seconds = [json.loads(path.read_text())["s"] for path in (RECORDED / "benchmarks/train_classifier").iterdir()]
    row = table.loc["train_classifier"]
    assert row["jobs"] == len(seconds) == 2
    assert row["wall_hours"] == pytest.approx(sum(seconds) / 3600)
    assert (row["mean_seconds"], row["max_seconds"]) == pytest.approx((sum(seconds) / 2, max(seconds)))
    assert list(table["wall_hours"]) == sorted(table["wall_hours"], reverse=True)


def test_what_was_not_sampled_is_said_and_no_sum(tmp_path, capsys):
    path = tmp_path / "benchmarks/prepare_dataset/quick.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"s": 0.3, "cpu_time": "NA", "max_rss": "NA"}\n')
    cli.main(["hours", str(tmp_path), "--csv", str(tmp_path / "hours.csv")])
    printed = capsys.readouterr().out
    assert printed.count("n/a") == 3
    assert "sampled and can miss 30 s at the end of a job" in " ".join(printed.split())
    written = pd.read_csv(tmp_path / "hours.csv", keep_default_na=False)
    assert written.loc[0, ["rule", "cpu_hours", "peak_mb"]].tolist() == ["prepare_dataset", "n/a", "n/a"]


def test_a_folder_without_benchmarks_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="has no benchmark; run the study"):
        cli.main(["hours", str(tmp_path)])


def test_a_rate_is_seconds_over_what_was_passed(ran):
    rates = {(rate.rule, rate.kind.split(",")[0]): rate for rate in measured_rates(ran)}
    seconds = read_benchmark(RECORDED / "benchmarks" / TUNED).seconds
    tuned = rates["train_classifier", "convnext_tiny"]
    assert tuned.seconds_per_unit == pytest.approx(seconds / (7 * 310 * 8 * 8 / 1e6))  # the epochs that were run
    assert (tuned.device, tuned.jobs) == ("cpu", 1)
    assert str(ran) in tuned.origin
    curve = read_benchmark(next((RECORDED / "benchmarks/trace_noise_curve").iterdir())).seconds
    traced = rates["trace_noise_curve", "convnext_tiny"]
    assert traced.seconds_per_unit == pytest.approx(curve / (13 / 5 * 310 * 8 * 8 / 1e6))  # 13 levels, a fold of 5
    assert rates["encode_dataset", "tiny_flux2"].device == "cpu"  # where all trainings of the folder ran


def test_the_rate_of_a_search_counts_the_workers_that_shared_it(ran):
    content = json.loads((RECORDED / "benchmarks" / TUNED).read_text())
    search = {"space": {"mask": {"choices": [0, 0.2]}}, "trials": 6, "scope": "fold"}
    content["params"]["recipe"] |= {"search": search, "epochs": 10}
    for rule, worker in {"search_recipe": "", "assist_search": ".worker2"}.items():
        path = ran / f"benchmarks/{rule}/phantom_skin.tiny_flux2.tuned.fold0{worker}.jsonl"
        path.parent.mkdir()
        path.write_text(json.dumps(content | {"rule_name": rule, "s": 50}))
    for number in (1, 2):
        write_json({"worker": number}, ran / f"searches/phantom_skin/tiny_flux2/tuned/fold0/worker{number}.json")
    paces = {rate.rule: rate.seconds_per_unit for rate in measured_rates(ran)}
    expected = pytest.approx(50 / (6 * 10 / 3 * 310 * 8 * 8 / 1e6))  # a third of the trials each
    assert (paces["search_recipe"], paces["assist_search"]) == (expected, expected)


def test_where_trainings_ran_in_two_places_the_others_have_no_device(ran):
    write_json({"device": "NVIDIA H200"}, ran / "runs/phantom_skin/image/original/image/fold1/metrics.json")
    assert {rate.rule for rate in measured_rates(ran)} == {"train_classifier", "prepare_dataset"}


def test_a_budget_and_files_that_are_gone_give_no_rate(ran):
    (ran / "encodings/phantom_skin/tiny_flux2/latents.npy").unlink()
    path = ran / "benchmarks/train_classifier/phantom_skin.image.original.image.fold0.jsonl"
    content = json.loads(path.read_text())
    content["params"]["recipe"]["budget_seconds"] = 4
    path.write_text(json.dumps(content))
    assert {rate.rule for rate in measured_rates(ran)} == {"encode_dataset", "prepare_dataset"}


@pytest.mark.parametrize(
    ("changed", "rated"),
    [
        (lambda recipe: recipe | {"pretrained": {"source": "timm/resnet50"}}, True),
        (lambda recipe: {"model": recipe["model"]}, False),
        (lambda recipe: recipe | {"drw": {"after": 6}}, False),
        (lambda recipe: None, False),
    ],
    ids=["one more key", "most are missing", "another part", "none"],
)
def test_a_recipe_that_another_version_recorded_is_no_error(ran, changed, rated):
    path = ran / "benchmarks" / TUNED
    content = json.loads(path.read_text())
    content["params"]["recipe"] = changed(content["params"]["recipe"])
    path.write_text(json.dumps(content))
    kinds = {rate.kind.split(",")[0] for rate in measured_rates(ran) if rate.rule == "train_classifier"}
    assert kinds == ({"resnet18", "convnext_tiny"} if rated else {"resnet18"})
    assert hours_per_rule(ran).set_index("rule").loc["train_classifier", "jobs"] == 2


def test_a_benchmark_without_its_job_gives_hours_and_no_rate(tmp_path):
    path = tmp_path / "benchmarks/train_classifier/plain.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"s": 3600, "cpu_time": 1800, "max_rss": 100}\n')
    assert measured_rates(tmp_path) == []
    assert hours_per_rule(tmp_path).loc[0, ["rule", "wall_hours", "cpu_hours"]].tolist() == ["train_classifier", 1, 0.5]


def test_the_longest_chain_is_the_jobs_that_wait_for_each_other():
    chain = [Job("a", {}, 1, (), ("x",)), Job("b", {}, 1, ("x", "there"), ("y",)), Job("c", {}, 1, (), ("z",)),
             Job("d", {}, 1, ("y", "z"), ("end",))]  # fmt: skip
    assert longest_chain(chain[::-1], [4.0, 20.0, 2.0, 1.0]) == 24.0  # c, d
    assert longest_chain(chain, [10.0, 20.0, 2.0, 1.0]) == 31.0  # a, b, d
    assert longest_chain([], []) == 0.0


def test_operations_and_parameters_of_published_networks(published):
    operations, parameters = classifier_operations(resolve_recipe(published, "image"), 3, 224, 1000)
    assert (round(operations / 2e9, 2), parameters) == (4.09, 25557032)  # torchvision: 4.09 G multiply-adds, 25,557,032
    cosine = classifier_operations(resolve_recipe(published, "image").with_values({"head": "cosine"}), 3, 224, 1000)
    assert cosine[0] == operations
    assert autoencoder_operations(resolve_autoencoder(published, "sd14"), 64)[2] == 83653863  # its checkpoint's number
    assert autoencoder_operations(resolve_autoencoder(published, "pixel_unshuffle_8"), 64) is None


def test_sizes_of_the_published_study_need_no_data(published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes = {name: dataset_size(published, name) for name in published["datasets"]}
    assert {name: size.images for name, size in sizes.items()} == {
        "ct_rate": 22305, "isic2019": 25331, "mimic_cxr_lt": 111328, "cardium": 6558, "imagenet": 1281167
    }  # fmt: skip
    assert {size.origin for size in sizes.values()} == {"published count"}
    part = published | {"datasets": {"imagenet": published["datasets"]["imagenet"] | {"subset": {"images": 1000}}}}
    assert dataset_size(part, "imagenet").images == 1000
    card = {"images": 7, "classes": ["a", "b"], "channels": 1}
    write_json(card, tmp_path / "results/datasets/cardium/dataset.json")
    assert dataset_size(published, "cardium").images == 7


def test_a_dataset_of_unknown_size_is_refused(published):
    config = published | {"datasets": {"mine": {"format": "table", "root": "/nowhere", "table": "labels.csv"}}}
    with pytest.raises(InputError, match=r"datasets.mine: how many images it has is not known.*point `root` at"):
        dataset_size(config, "mine")


def test_an_estimate_is_operations_over_what_the_gpu_sustains(published):
    plan = Plan(published, "NVIDIA H200", [], {"NVIDIA H200": H200})
    cost = plan.cost(job("train_classifier", dataset="cardium", autoencoder="flux2", recipe="latent"))
    forward = classifier_operations(resolve_recipe(published, "latent"), 32, 64, 2)[0]
    fold = 6558 / 5
    by_hand = forward * fold * (60 * (3 * 3 + 1) + 2) / 1e14  # 3 folds train thrice forward, 1 validates; 2 in the end
    by_hand += 6558 * 32 * 64 * 64 * 2 / 5e8  # bytes that are read
    assert (cost.origin, cost.seconds) == ("estimate", pytest.approx(by_hand))
    encoded = plan.cost(job("encode_dataset", dataset="cardium", autoencoder="flux2", of_fold=""))
    both = sum(autoencoder_operations(resolve_autoencoder(published, "flux2"), 512)[:2])
    assert encoded.seconds == pytest.approx(6558 * both / 2e13)
    assert encoded.written == 6558 * (32 * 64 * 64 * 2 + 2 * 32 * 8 + 256 * 256 * 3)


def test_a_search_is_planned_on_the_array_of_its_space_with_all_its_trials(published):
    plan = Plan(published, "NVIDIA H200", [], {"NVIDIA H200": H200})
    sizes, operations = {}, {}
    for autoencoder, of_space in (("original", ""), ("flux2", ""), ("flux2", "@reconstruction")):
        names = {"dataset": "isic2019", "autoencoder": autoencoder, "recipe": "matched_tuned", "fold": "0"}
        searching = Job("search_recipe", names | {"of_space": of_space}, 2, (), ())
        space = of_space[1:] or ("image" if autoencoder == "original" else "latent")
        training = Job("train_classifier", names | {"space": space}, 2, (), ())
        sizes[space] = plan.array(searching)
        assert sizes[space] == plan.array(training)
        reading = plan.reading(training, sizes[space])  # once, however many trials there are
        operations[space] = (plan.cost(searching).seconds - reading) / (plan.cost(training).seconds - reading)
    assert [(size.channels, size.side) for size in sizes.values()] == [(3, 256), (32, 64), (3, 256)]
    assert all(ratio == pytest.approx(3, rel=0.01) for ratio in operations.values())


def test_scores_across_spaces_are_planned_on_images_and_found_among_the_rates(published):
    stems = {"image": 4, "reconstruction": 4}
    pixels = {"base": "matched", "spaces": ["image", "reconstruction"], "stem_patch": stems}
    config = published | {"recipes": published["recipes"] | {"pixels": pixels}}
    names = {"dataset": "isic2019", "autoencoder": "flux2", "recipe": "pixels", "fold": "0"}
    scoring = Job("score_across_spaces", names, 2, (), ())
    plan = Plan(config, "NVIDIA H200", [], {"NVIDIA H200": H200})
    array = plan.array(scoring)
    assert (array.channels, array.side) == (3, 256)
    forward = classifier_operations(resolve_recipe(config, "pixels", "reconstruction"), 3, 256, 8)[0]
    seconds = forward * array.images * 2 / 5 / 1e14 + array.images * 3 * 256 * 256 / 5e8
    assert plan.cost(scoring).seconds == pytest.approx(seconds)
    ran = describe_work("score_across_spaces", plan.params(scoring), ArraySize(10, 3, 256), "flux2")
    assert plan.cost(scoring).kind == ran.kind


def test_diagnostics_cost_their_sample_and_write_nothing_that_counts(published):
    plan = Plan(published, "NVIDIA H200", [], {"NVIDIA H200": H200})
    found = plan.cost(job("diagnose_encoding", dataset="cardium", autoencoder="flux2", of_fold=""))
    both = sum(autoencoder_operations(resolve_autoencoder(published, "flux2"), 512)[:2])
    assert (found.seconds, found.written) == (pytest.approx(256 * 6 * both / 2e13), 0)
    rate = Rate("diagnose_encoding", found.kind, "NVIDIA H200", 0.5, 3, "measured here")
    measured = Plan(published, "NVIDIA H200", [rate], {}).cost(found.job)
    assert measured.seconds == pytest.approx(0.5 * 6558 * 512**2 / 1e6)


def test_a_training_behind_blocks_of_a_decoder_counts_them_in_every_epoch(published):
    plan = Plan(published, "NVIDIA H200", [], {"NVIDIA H200": H200})
    behind = plan.cost(job("train_with_decoder", dataset="cardium", autoencoder="flux2", recipe="behind_mid"))
    part, channels, side = networks.decoder_part(published, "flux2", "mid")
    assert (channels, side) == (512, 64)
    forward = classifier_operations(resolve_recipe(published, "matched"), 512, 64, 2)[0]
    fold = 6558 / 5
    network = forward * fold * (60 * (3 * 3 + 1) + 2) / 1e14
    decoder = (
        part * fold * (3 + 60 * 4 + 2) / 2e13
    )  # moments of 3 folds; each epoch 3 train and 1 validates; 2 in the end
    read = 6558 * 32 * 64 * 64 * 2 / 5e8
    assert (behind.origin, behind.seconds) == ("estimate", pytest.approx(network + decoder + read))
    whole = networks.decoder_part(published, "flux2", "all")[0]
    assert whole == autoencoder_operations(resolve_autoencoder(published, "flux2"), 512)[1]
    assert part < whole / 2
    assert behind.kind.endswith("behind mid, decoder of flux2")  # another decoder has another pace
    unknown = job("train_with_decoder", dataset="cardium", autoencoder="pixel_unshuffle_8", recipe="behind_mid")
    assert plan.cost(unknown).seconds is None


def test_a_budget_behind_blocks_of_a_decoder_counts_the_moments_and_what_is_predicted(published):
    recipes = published["recipes"] | {"short": {"base": "behind_mid", "budget_seconds": 600}}
    plan = Plan(published | {"recipes": recipes}, "NVIDIA H200", [], {"NVIDIA H200": H200})
    found = plan.cost(job("train_with_decoder", dataset="cardium", autoencoder="flux2", recipe="short"))
    part, channels, side = networks.decoder_part(published, "flux2", "mid")
    forward = classifier_operations(resolve_recipe(published, "matched"), channels, side, 2)[0]
    fold = 6558 / 5
    expected = 600 + 2 * fold * forward / 1e14 + (3 + 2) * fold * part / 2e13 + 6558 * 32 * 64 * 64 * 2 / 5e8
    assert (found.origin, found.seconds) == ("budget of the recipe", pytest.approx(expected))


def test_fine_tuning_of_a_decoder_alone_passes_the_encoder_once(published):
    tuning = {"steps": 10, "batch_size": 2, "perceptual": "none"}
    kinds = []
    for further in ({}, {"train": "all"}, {"train": "decoder"}, {"equivariance": {"scales": None, "turns": True}}):
        entry = {"base": "flux2", "finetune": tuning | further}
        config = published | {"autoencoders": published["autoencoders"] | {"mine": entry}}
        plan = Plan(config, "NVIDIA H200", [], {"NVIDIA H200": H200})
        found = plan.cost(job("finetune_autoencoder", dataset="cardium", autoencoder="mine", of_fold=""))
        encoder, decoder = autoencoder_operations(resolve_autoencoder(published, "flux2"), 512)[:2]
        passes = 1 if further.get("train") == "decoder" else 3
        assert found.seconds == pytest.approx(20 * (passes * encoder + 3 * decoder) / 2e13)
        kinds.append(found.kind)
    assert kinds[0] == kinds[1]
    assert [kind.removeprefix(kinds[0]) for kind in kinds[2:]] == [", decoder alone", ", equivariance"]


def test_a_measured_rate_goes_before_an_estimate_and_another_device_does_not(published):
    work = describe_work("train_classifier", {"recipe": resolve_recipe(published, "latent")}, ArraySize(6558, 32, 64))
    near, far = (Rate("train_classifier", work.kind, "NVIDIA H200", pace, 3, origin) for pace, origin in
                 ((2.0, "measured here"), (9.0, "measured elsewhere")))  # fmt: skip
    other = Rate("train_classifier", work.kind, "cpu", 1000.0, 3, "measured here")
    flux2 = job("train_classifier", dataset="cardium", autoencoder="flux2", recipe="latent")
    found = Plan(published, "NVIDIA H200", [other, near, far], {}).cost(flux2)
    assert found.seconds == pytest.approx(2.0 * 60 * 6558 * 64 * 64 / 1e6)
    assert found.origin == "measured here (3 jobs)"
    assert Plan(published, "NVIDIA H200", [other], {}).cost(flux2).seconds is None


def test_without_a_rate_nothing_is_derived(published):
    unshuffled = job("encode_dataset", dataset="cardium", autoencoder="pixel_unshuffle_8", of_fold="")
    plan = Plan(published, "NVIDIA H200", [], {"NVIDIA H200": H200})
    cost = plan.cost(unshuffled)
    assert (cost.seconds, cost.origin) == (None, UNKNOWN)
    assert without_rate([cost, cost]) == {"encode_dataset": 2}
    assert per_kind([cost], "NVIDIA H200").loc[0, ["jobs_without_rate", "gpu_hours"]].tolist() == [1, 0]
    assert Plan(published, "AMD MI300X", [], {}).cost(job("prepare_dataset", dataset="cardium")).origin == UNKNOWN


def test_a_training_with_a_budget_costs_its_budget(published):
    timed = job(
        "train_with_decoder", dataset="imagenet", autoencoder="flux2", recipe="timed_image", space="reconstruction"
    )
    cost = Plan(published, "NVIDIA H200", [], {}).cost(timed)
    assert (cost.seconds, cost.origin) == (86400, "budget of the recipe")
    recipe = resolve_recipe(published, "timed_image")
    forward = classifier_operations(recipe, 3, 256, 1000)[0]
    cost = Plan(published, "NVIDIA H200", [], {"NVIDIA H200": H200}).cost(timed)
    read = 1_281_167 * 256 * 256 * 3 / 5e8
    predicted = forward * 1_281_167 * 2 / 5 / H200.bfloat16  # two folds
    assert cost.seconds == pytest.approx(86400 + read + predicted)
    measured = replace(H200, networks={recipe.model: H200.bfloat16 / 2})
    slower = Plan(published, "NVIDIA H200", [], {"NVIDIA H200": measured}).cost(timed)
    assert slower.seconds == pytest.approx(86400 + read + 2 * predicted)


def test_a_network_that_cannot_be_counted_ahead_leaves_the_others(published, monkeypatch):
    classifiers, autoencoders = [], []

    def fail(counted: list, what: object) -> None:
        counted.append(what)
        raise ValueError("no network")

    monkeypatch.setattr(networks, "classifier_operations", lambda *given, **_: fail(classifiers, given))
    monkeypatch.setattr(networks, "autoencoder_operations", lambda *given: fail(autoencoders, given))
    networks.count_ahead(published)
    assert len(classifiers) > 1
    assert len(autoencoders) == len(published["study"]["autoencoders"])


def test_sums_and_wall_time_on_some_gpus(published):
    trained = job("train_classifier", dataset="imagenet", autoencoder="flux2", recipe="timed_latent")
    plan = Plan(published, "NVIDIA H200", [], {})
    costs = [plan.cost(part) for part in (trained, trained, trained, job("make_folds", dataset="imagenet"))]
    rules = per_rule(per_kind(costs, "NVIDIA H200")).set_index("rule")
    assert rules.loc["train_classifier", ["jobs", "gpu_hours", "cpu_hours"]].tolist() == [3, 72, 144]  # two threads
    assert [wall_hours(costs, gpus, "NVIDIA H200").hours for gpus in (1, 2, 8)] == [72, 36, 24]


def test_a_plan_without_any_rate_names_no_hours(published, capsys):
    plan = Plan(published, "AMD MI300X", [], {})
    costs = [plan.cost(job("prepare_dataset", dataset="cardium")), plan.cost(job("make_folds", dataset="cardium"))]
    print_plan(costs, per_kind(costs, plan.device), plan, [1])
    printed = capsys.readouterr().out
    assert "No rate known yet, so not in any sum: 1 prepare_dataset" in printed
    assert "0.000" not in printed
    assert "wall time" not in printed


def test_what_a_gpu_sustains_has_a_source():
    assert all(gpu.source and gpu.bfloat16 > gpu.tf32 > 0 for gpu in sustained_operations().values())


def test_rates_are_looked_for_in_the_own_folder_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/demo/benchmarks").mkdir(parents=True)
    looked_in = ["results/mine", "far", "results", "results/demo"]
    assert results_folders("results/mine", [Path("far")]) == [Path(folder) for folder in looked_in]
