"""The check before the start lists everything that the planned jobs lack, and nothing that they do not need."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import yaml
from huggingface_hub import errors
from PIL import Image

from learnability.autoencoders.families.weights import weights_digest
from learnability.autoencoders.finetuning import lpips_heads
from learnability.commands import missing as check
from learnability.commands import missing_networks
from learnability.commands.check import bytes_of_image, examine_starts
from learnability.commands.missing import check_python, missing_inputs
from learnability.storage.contracts import file_digest, write_json
from learnability.study.array_sizes import encoding_bytes, packing_bytes
from learnability.study.recipes import resolve_recipe
from learnability.workflow import hub
from tests.published import published
from tests.unit.test_folds import mixed_samples

CHECKOUT = Path(__file__).parents[2]
RUN = {"dataset": "isic2019", "space": "latent", "autoencoder": "medvae", "recipe": "latent", "fold": "0"}
TUNING = {"dataset": "cardium", "autoencoder": "medvae_ft", "of_fold": ""}
ROOTS = ["CT_RATE_ROOT", "ISIC2019_ROOT", "MIMIC_CXR_LT_ROOT", "CARDIUM_ROOT", "MEDVAE_WEIGHTS"]


@pytest.fixture
def config(monkeypatch):
    """The published study on a machine without its data and weights; networks start at random."""
    for name in ROOTS:
        monkeypatch.delenv(name, raising=False)
    loaded = yaml.safe_load((CHECKOUT / "config.yaml").read_text(encoding="utf-8"))
    loaded["recipes"]["image"]["init"] = "random"
    return loaded


class Hub:
    """A stand-in for the model hub: raises `answer` for every file, and counts the questions."""

    def __init__(self):
        self.answer, self.asked = None, []

    def metadata(self, url, **_):
        self.asked.append(url)
        if self.answer is not None:
            raise self.answer


@pytest.fixture
def fake_hub(monkeypatch):
    """No network and an empty cache; answers are not remembered from test to test."""
    fake = Hub()
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", fake.metadata)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    hub.why_missing.cache_clear()
    yield fake
    hub.why_missing.cache_clear()


def refusal(kind, code):
    """An error of the hub as its client raises it, whatever HTTP library that uses."""
    return kind("refused", response=SimpleNamespace(status_code=code, headers={}, request=None))


@pytest.fixture
def local_medvae(config):
    """MedVAE from a folder that an environment variable names, instead of the hub."""
    config["autoencoders"]["medvae"]["source"] = "${MEDVAE_WEIGHTS}"


def write_weights(folder):
    folder.mkdir(parents=True)
    for name in ("config.json", "diffusion_pytorch_model.safetensors", "vae_4x_3c_2D.ckpt"):
        (folder / name).write_bytes(b"{}")
    return folder


def test_everything_that_is_missing_is_said_at_once(config, fake_hub):
    fake_hub.answer = ConnectionError("no network")
    planned = [
        ("prepare_dataset", {"dataset": "isic2019"}),
        ("prepare_dataset", {"dataset": "cardium"}),
        ("make_folds", {"dataset": "isic2019"}),
        ("fetch_weights", {"name": "medvae"}),
        ("encode_dataset", {"dataset": "isic2019", "autoencoder": "medvae"}),
        ("fetch_weights", {"name": "sd14"}),
        ("encode_dataset", {"dataset": "isic2019", "autoencoder": "sd14"}),
        ("train_classifier", RUN),
        ("make_table1", {}),
    ]
    config["image_size"] = 64  # the stem of 4 leaves nothing of a latent of 16 x 16
    messages = missing_inputs(config, planned)
    starts = [
        "datasets.isic2019: ",
        "datasets.cardium: ",
        "autoencoders.medvae: ",
        "autoencoders.sd14: ",
        "recipes.latent",
    ]
    assert len(messages) == 5
    assert [start for start, message in zip(starts, messages, strict=True) if not message.startswith(start)] == []
    assert "ISIC2019_ROOT" in messages[0]
    assert "`hf download stanfordmimi/MedVAE model_weights/vae_4x_3c_2D.ckpt`" in messages[2]


def test_only_planned_jobs_are_asked_about(config, fake_hub):
    fake_hub.answer = ConnectionError("no network")
    assert missing_inputs(config, []) == []
    assert missing_inputs(config, [("make_table1", {}), ("make_folds", {"dataset": "cardium"})]) == []
    (message,) = missing_inputs(config, [("prepare_dataset", {"dataset": "cardium"})])
    assert "CARDIUM_ROOT" in message
    assert fake_hub.asked == []


def test_the_hub_is_asked_once_and_only_for_what_will_be_fetched(config, fake_hub):
    fake_hub.answer = ConnectionError("no network")
    datasets = ["isic2019", "cardium", "ct_rate"]
    planned = [("encode_dataset", {"dataset": name, "autoencoder": "sd14"}) for name in datasets]
    assert missing_inputs(config, planned) == []  # the fetched files are there
    assert fake_hub.asked == []
    assert len(missing_inputs(config, [("fetch_weights", {"name": "sd14"}), *planned] * 2)) == 1
    assert len(fake_hub.asked) == 1


@pytest.mark.usefixtures("fake_hub")
def test_fetched_weights_that_were_edited_are_refused_before_any_job_reads_them(config, tmp_path):
    config["results"] = str(tmp_path)
    config["recipes"]["image"] |= {"init": "imagenet"}
    pretrained = resolve_recipe(config, "image").model
    for name in ("sd14", "vgg16", pretrained):
        (tmp_path / "weights" / name).mkdir(parents=True)
        weights = tmp_path / "weights" / name / "model.safetensors"
        weights.write_bytes(b"fetched")
        write_json({"files": {weights.name: file_digest(weights)}}, weights.with_name("source.json"))
    jobs = {
        "sd14": ("encode_dataset", {"dataset": "cardium", "autoencoder": "sd14"}),
        pretrained: ("train_classifier", RUN | {"space": "image", "autoencoder": "original", "recipe": "image"}),
    }
    jobs["vgg16"] = ("diagnose_encoding", {"dataset": "cardium", "autoencoder": "medvae", "of_fold": ""})
    config["study"]["diagnostics"]["teacher"] = "vgg16"
    assert missing_inputs(config, list(jobs.values())) == []
    for name, job in jobs.items():
        (weights := tmp_path / "weights" / name / "model.safetensors").write_bytes(b"edited")
        (message,) = missing_inputs(config, [job])
        assert f".{name}: {weights}: not what was fetched. Remove {weights.with_name('source.json')} to" in message
        assert message.endswith("a version of your own belongs into a folder of yours, which `source` names")
        assert missing_inputs(config, [("fetch_weights", {"name": name}), job]) == []
    assert missing_inputs(config, [("make_table1", {})]) == []


@pytest.mark.usefixtures("local_medvae")
def test_a_local_folder_that_is_complete_lacks_nothing(config, fake_hub, monkeypatch, tmp_path):
    monkeypatch.setenv("MEDVAE_WEIGHTS", str(write_weights(tmp_path / "medvae")))
    jobs = [("encode_dataset", {"dataset": "cardium", "autoencoder": "medvae"}), ("finetune_autoencoder", TUNING)]
    monkeypatch.setattr(lpips_heads, "heads_file", lambda: tmp_path)
    assert missing_inputs(config, [*jobs, ("train_classifier", RUN)]) == []
    assert fake_hub.asked == []


@pytest.mark.parametrize("name", ["config.json", "diffusion_pytorch_model.safetensors"])
def test_a_local_folder_without_config_or_weights_is_named(config, tmp_path, name):
    folder = write_weights(tmp_path / "sd14")
    (folder / name).unlink()
    config["autoencoders"]["sd14"] |= {"source": str(tmp_path), "subfolder": "sd14"}
    (message,) = missing_inputs(config, [("encode_dataset", {"dataset": "cardium", "autoencoder": "sd14"})])
    assert message == f"autoencoders.sd14: {folder / name} does not exist; expected the weights of AutoencoderKL there"


@pytest.mark.usefixtures("local_medvae")
def test_a_local_folder_without_the_checkpoint_of_medvae_is_named(config, monkeypatch, tmp_path):
    folder = write_weights(tmp_path / "medvae")
    (folder / "vae_4x_3c_2D.ckpt").unlink()
    monkeypatch.setenv("MEDVAE_WEIGHTS", str(folder))
    (message,) = missing_inputs(config, [("encode_dataset", {"dataset": "cardium", "autoencoder": "medvae"})])
    assert message.startswith(f"autoencoders.medvae: {folder} has no vae_4x_3c_2D.ckpt: fetch it with `hf download")


def test_a_layout_that_the_variant_of_medvae_does_not_have_is_found_without_its_weights(config, fake_hub):
    config["autoencoders"]["medvae"]["variant"] = "medvae_8_4_2d"
    (message,) = missing_inputs(config, [("encode_dataset", {"dataset": "cardium", "autoencoder": "medvae"})])
    assert message.startswith("autoencoders.medvae: medvae_8_4_2d has channels 4 and factor 8, not 3 and 4; write them")
    assert fake_hub.asked == []


@pytest.mark.usefixtures("local_medvae")
def test_fine_tuning_needs_the_base_and_encoding_with_the_result_does_not(config):
    config["autoencoders"]["medvae_ft"]["finetune"]["perceptual"] = "none"
    (message,) = missing_inputs(config, [("finetune_autoencoder", TUNING)])
    assert message.startswith("autoencoders.medvae: set the environment variable MEDVAE_WEIGHTS")
    assert missing_inputs(config, [("encode_dataset", TUNING)]) == []


@pytest.mark.usefixtures("local_medvae")
def test_fine_tuning_with_lpips_needs_its_backbone_and_its_heads(config, fake_hub, monkeypatch, tmp_path):
    monkeypatch.setenv("MEDVAE_WEIGHTS", str(write_weights(tmp_path / "medvae")))
    monkeypatch.setattr(lpips_heads, "heads_file", lambda: tmp_path / "heads.pth")
    folds = [("finetune_autoencoder", TUNING | {"of_fold": f"@fold{fold}"}) for fold in range(5)]
    assert missing_inputs(config, folds) == []  # fetch_weights has brought the backbone
    fake_hub.answer = ConnectionError("no network")
    (message,) = missing_inputs(config, [("fetch_weights", {"name": "vgg16"}), *folds])
    assert message.startswith("pretrained.vgg16: timm/vgg16.tv_in1k is neither a folder nor in the local cache")
    config["pretrained"]["vgg16"] = {"source": str(tmp_path / "vgg16")}
    (message,) = missing_inputs(config, folds)
    assert message.startswith(f"pretrained.vgg16: {tmp_path}/vgg16/model.safetensors does not exist")
    assert missing_inputs(config, [("encode_dataset", TUNING)]) == []
    monkeypatch.setattr(lpips_heads, "heads_file", lambda: None)
    message, _ = missing_inputs(config, folds)
    assert message.startswith("autoencoders.medvae_ft.finetune.perceptual: the package lpips is not installed")


def test_diagnostics_need_the_autoencoder_and_the_teacher(config, fake_hub, monkeypatch, tmp_path):
    job = ("diagnose_encoding", {"dataset": "cardium", "autoencoder": "sd14", "of_fold": ""})
    assert missing_inputs(config, [job]) == []
    config["study"]["diagnostics"]["teacher"] = "resnet50"
    config["pretrained"]["resnet50"] = {"source": str(tmp_path / "resnet50")}
    config["autoencoders"]["sd14"] |= {"source": str(tmp_path), "subfolder": "sd14"}
    of_autoencoder, of_teacher = missing_inputs(config, [job])
    assert of_autoencoder.startswith(f"autoencoders.sd14: {tmp_path / 'sd14'}")
    assert of_teacher.startswith(f"pretrained.resnet50: {tmp_path}/resnet50/model.safetensors does not exist")
    assert fake_hub.asked == []
    monkeypatch.setattr(missing_networks, "wrong_networks", lambda *_: {})  # which takes its time
    said = {line.subject: line for line in examine_starts(config)}
    assert (said["diagnostics"].text, said["diagnostics"].ready) == (of_teacher, False)


def test_a_base_that_cannot_be_tuned_is_named(config, monkeypatch, tmp_path):
    monkeypatch.setenv("MEDVAE_WEIGHTS", str(write_weights(tmp_path / "medvae")))
    config["autoencoders"]["medvae"]["class"] = "VQModel"
    config["autoencoders"]["medvae_ft"]["finetune"]["perceptual"] = "none"
    (message,) = missing_inputs(config, [("finetune_autoencoder", TUNING)])
    assert message.startswith("autoencoders.medvae_ft.base: VQModel cannot be fine-tuned; take a base of ")


@pytest.mark.parametrize(
    ("space", "autoencoder", "recipe", "image_size", "fits"),
    [
        ("latent", "flux2", "latent", 512, True),
        ("latent", "flux2", "latent", 248, False),
        ("latent", "medvae", "latent", 248, True),  # its factor is 4
        ("reconstruction", "flux2", "image", 64, True),  # a ResNet on pixels
    ],
)
def test_a_stem_that_does_not_fit_the_grid_is_found_before_training(
    config, space, autoencoder, recipe, image_size, fits
):
    config["image_size"] = image_size
    job = RUN | {"space": space, "autoencoder": autoencoder, "recipe": recipe}
    messages = missing_inputs(config, [("train_classifier", job)])
    assert messages == [] if fits else "does not fit a grid of 31 x 31" in messages[0]
    assert fits or messages[0].startswith("recipes.latent on flux2: convnext_tiny with stem_patch 4")


def test_a_gated_hub_id_says_where_to_accept_the_licence(config, fake_hub):
    fake_hub.answer = refusal(errors.GatedRepoError, 403)
    (message,) = missing_inputs(config, [("fetch_weights", {"name": "flux2"})])
    page = "https://huggingface.co/black-forest-labs/FLUX.2-dev"
    assert message == (
        f"autoencoders.flux2: black-forest-labs/FLUX.2-dev is gated: accept its licence at {page}, then set HF_TOKEN"
    )


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        (errors.RepositoryNotFoundError, 401, "does not exist or needs a token, and HF_TOKEN is not set; check the id"),
        (errors.RemoteEntryNotFoundError, 404, "is not on the hub (refused); check the id and the revision"),
    ],
)
def test_what_the_hub_does_not_have_is_named(config, fake_hub, monkeypatch, kind, code, expected):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    fake_hub.answer = refusal(kind, code)
    (message,) = missing_inputs(config, [("fetch_weights", {"name": "sd14"})])
    assert expected in message
    assert "CompVis/stable-diffusion-v1-4" in message


def test_the_command_fetches_all_that_loading_needs(config, fake_hub):
    fake_hub.answer = ConnectionError("no network")
    config["autoencoders"]["sd14"]["revision"] = "main"
    (message,) = missing_inputs(config, [("fetch_weights", {"name": "sd14"})])
    files = "vae/config.json vae/diffusion_pytorch_model.safetensors"
    assert f"`hf download CompVis/stable-diffusion-v1-4 {files} --revision main`" in message


def test_what_the_hub_has_or_the_cache_holds_is_not_missing(config, fake_hub, monkeypatch):
    job = [("fetch_weights", {"name": "sd14"})]
    assert missing_inputs(config, job) == []
    assert len(fake_hub.asked) == 1
    hub.why_missing.cache_clear()
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: "/cache/file")
    fake_hub.answer = ConnectionError("no network")
    assert missing_inputs(config, job) == []


def test_a_hub_that_is_out_of_order_is_no_wrong_name(config, fake_hub):
    fake_hub.answer = refusal(errors.HfHubHTTPError, 503)
    (message,) = missing_inputs(config, [("fetch_weights", {"name": "sd14"})])
    assert "the hub answered 503 for CompVis/stable-diffusion-v1-4/vae/config.json; try again later" in message


def test_a_source_that_is_neither_folder_nor_hub_id_is_named(config):
    config["autoencoders"]["sd14"] |= {"source": "my weights"}
    (message,) = missing_inputs(config, [("fetch_weights", {"name": "sd14"})])
    assert "my weights is neither a hub id (owner/name) nor a folder" in message


def test_imagenet_weights_are_fetched_from_the_hub_or_read_from_a_folder(config, fake_hub, monkeypatch, tmp_path):
    config["recipes"]["latent"]["init"] = "imagenet"
    fake_hub.answer = ConnectionError("no network")
    (message,) = missing_inputs(config, [("fetch_weights", {"name": "convnext_tiny"}), ("train_classifier", RUN)])
    assert message.startswith("pretrained.convnext_tiny: timm/convnext_tiny.fb_in1k ")
    assert "`hf download timm/convnext_tiny.fb_in1k model.safetensors --revision b43a" in message
    config["pretrained"]["convnext_tiny"] = {"source": "${CONVNEXT}"}
    (message,) = missing_inputs(config, [("train_classifier", RUN)])
    assert "pretrained.convnext_tiny: source ${CONVNEXT}: set the environment variable CONVNEXT" in message
    monkeypatch.setenv("CONVNEXT", str(tmp_path))
    (message,) = missing_inputs(config, [("train_classifier", RUN)])
    assert f"{tmp_path}/model.safetensors does not exist" in message
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert missing_inputs(config, [("train_classifier", RUN)]) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AutoencoderXL", "class AutoencoderXL: diffusers has none of this name; your own is module:Class"),
        ("nowhere.at_all:Mine", "class nowhere.at_all:Mine: there is no module nowhere.at_all"),
        ("os:system", "class os:system: os is a part of Python itself; name the module of an autoencoder of your own"),
        ("builtins:list", "class builtins:list: builtins is a part of Python itself"),
        (":Mine", "class :Mine: there is no module ; write it as module:Class"),
        ("..up:Mine", "class ..up:Mine: "),
        ("__main__:Mine", "class __main__:Mine: "),
    ],
)
def test_a_class_that_is_nowhere_is_named_without_importing_diffusers(config, tmp_path, name, expected):
    config["autoencoders"]["mine"] = {"class": name, "source": str(tmp_path), "channels": 4, "factor": 8}
    (message,) = missing_inputs(config, [("encode_dataset", {"dataset": "cardium", "autoencoder": "mine"})])
    assert message.startswith(f"autoencoders.mine: {expected}")


@pytest.mark.usefixtures("local_medvae")
def test_latents_of_other_weights_are_not_reused_silently(config, monkeypatch, tmp_path):
    """The folder is the same but holds other weights: runs that would read the old encoding are refused beforehand."""
    monkeypatch.setenv("MEDVAE_WEIGHTS", str(write_weights(tmp_path / "medvae")))
    config["results"] = str(tmp_path / "results")
    folder = tmp_path / "results/encodings/isic2019/medvae"
    assert missing_inputs(config, [("train_classifier", RUN)]) == []  # not encoded yet
    write_json({"weights_digest": weights_digest(config["autoencoders"]["medvae"])}, folder / "autoencoder.json")
    assert missing_inputs(config, [("train_classifier", RUN)]) == []
    (tmp_path / "medvae" / "vae_4x_3c_2D.ckpt").write_bytes(b"other")
    (message,) = missing_inputs(config, [("train_classifier", RUN)])
    assert message.startswith(f"autoencoders.medvae: {folder} was encoded by other weights (")
    encode = ("encode_dataset", {"dataset": "isic2019", "autoencoder": "medvae"})
    assert missing_inputs(config, [encode, ("train_classifier", RUN)]) == []  # it is made anew
    monkeypatch.delenv("MEDVAE_WEIGHTS")
    assert missing_inputs(config, [("train_classifier", RUN)]) == []  # weights that are gone change nothing


def test_files_that_a_class_of_ones_own_reads_are_watched_too(config, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / "my_class.py").write_text("class Mine:\n    pass\n")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "mine.bin").write_bytes(b"some")
    entry = {"class": "my_class:Mine", "source": str(tmp_path / "weights"), "channels": 4, "factor": 8}
    config["autoencoders"]["medvae"], config["results"] = entry, str(tmp_path / "results")
    card = tmp_path / "results/encodings/isic2019/medvae/autoencoder.json"
    write_json({"weights_digest": weights_digest(entry)}, card)
    assert missing_inputs(config, [("train_classifier", RUN)]) == []
    (tmp_path / "weights" / "mine.bin").write_bytes(b"other")
    (message,) = missing_inputs(config, [("train_classifier", RUN)])
    assert "was encoded by other weights" in message


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"positive": "nowhere"}, "datasets.mine.positive is 'nowhere'; name the positive one of ['normal', 'defect']"),
        (
            {"groups": {"normal": 9, "defect": 4}},
            "datasets.mine: fewer groups than the 5 folds in class(es) defect (4)",
        ),
        (
            {"groups": {"normal": 9, "defect": 4}, "rare_classes": "keep"},
            "fold 0 has validation rows of one class alone, normal; use fewer folds",
        ),
        ({"groups": {"normal": 9, "defect": 5}}, None),
    ],
)
def test_classes_that_cannot_be_packed_or_folded_are_said_before_the_start(config, changes, expected):
    phantom = {"format": "phantom", "modality": "echo", "images_per_group": [1, 2], "size": 32, "seed": 0}
    labels = {"groups": {"normal": 9, "defect": 6}, "positive": "defect", "rare_classes": "error", "max_bad_images": 0}
    config["datasets"]["mine"] = phantom | labels | changes
    messages = missing_inputs(config, [("prepare_dataset", {"dataset": "mine"})])
    assert len(messages) == (expected is not None)
    assert all(
        message.removeprefix("datasets.mine: ").startswith(expected.removeprefix("datasets.mine: "))
        for message in messages
    )


@pytest.mark.parametrize(
    ("rare_classes", "deduplicate", "refused"),
    [("error", False, True), ("drop", False, True), ("keep", False, False), ("error", True, False)],
)
def test_a_class_that_a_fold_would_lack_is_said_before_the_start(config, tmp_path, rare_classes, deduplicate, refused):
    """With `deduplicate` the folds have other groups, which are unknown until the images are read."""
    mixed_samples().to_csv(tmp_path / "labels.csv", index=False)
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    table = {"format": "table", "root": str(tmp_path), "table": "labels.csv", "image_column": "sample_id"}
    table |= {"image_path": "x.png", "label_column": "label_name", "group_column": "group"}
    config["datasets"]["mine"] = table | {"rare_classes": rare_classes, "deduplicate": deduplicate, "max_bad_images": 0}
    messages = missing_inputs(config, [("prepare_dataset", {"dataset": "mine"})])
    assert [("absent from some folds: 'c'" in message) for message in messages] == [True] * refused


def test_a_root_without_the_download_says_what_belongs_there(config, monkeypatch, tmp_path):
    for name in ROOTS:
        monkeypatch.setenv(name, str(tmp_path))
    names = ["isic2019", "cardium", "ct_rate", "mimic_cxr_lt"]
    messages = missing_inputs(config, [("prepare_dataset", {"dataset": name}) for name in names])
    expected = ["GroundTruth.csv", "no folder fold_1", "ctrate.csv does not exist", "single-label_train.csv"]
    assert [message.split(":")[0] for message in messages] == [f"datasets.{name}" for name in names]
    assert [part for part, message in zip(expected, messages, strict=True) if part not in message] == []


def test_a_wrong_phantom_is_a_message_too(config):
    config["datasets"]["mine"] = {"format": "phantom", "modality": "mri", "groups": {"a": 1}, "size": 32, "seed": 0}
    (message,) = missing_inputs(config, [("prepare_dataset", {"dataset": "mine"})])
    assert message.startswith("datasets.mine: phantom dataset: ")


def test_a_hub_that_is_switched_off_is_said_with_the_command(tmp_path):
    code = (
        "from learnability.workflow.hub import why_missing\n"
        "print(why_missing('owner/name', ('vae/config.json', 'vae/x.safetensors'), None))"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    environment["PYTHONPATH"] = str(CHECKOUT / "workflow/src")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "owner/name is not in the local cache and the hub is switched off" in done.stdout
    assert "`hf download owner/name vae/config.json vae/x.safetensors`" in done.stdout


def test_the_configuration_is_left_as_it_was(config, fake_hub):
    before = copy.deepcopy(config)
    check.missing_inputs(config, [("train_classifier", RUN), ("prepare_dataset", {"dataset": "cardium"})])
    assert config == before


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ("/opt/python/bin/python3", True),
        ("/home/müller/.venv/bin/python", True),
        ("/home/me/my study/bin/python", False),
        ("/tmp/a#b/bin/python", False),
    ],
)
def test_a_python_that_snakemake_cannot_start_is_said(path, good):
    """Snakemake writes it into a line of the shell without quotes."""
    assert (check_python(path) == []) is good


def test_the_disk_must_hold_turned_copies_and_the_encodings_of_every_fold():
    study = {"autoencoders": ["medvae", "medvae_ft"], "recipes": {"remedies": ["matched", "views"]}}
    tuned = {"medvae_ft": {"finetune": {"images": "train_rows_per_fold"}}}
    config = published(study=study, autoencoders=tuned)
    rows = 3 * 128 * 128 * 2 + 3 * 256 * 256  # latent and reconstruction
    plain, tuned_bytes = encoding_bytes(config, "medvae") + 4 * rows, 5 * encoding_bytes(config, "medvae")
    control = encoding_bytes(config, "pixel_unshuffle_4") + 4 * (48 * 128 * 128 + 3 * 256 * 256)
    assert bytes_of_image(config) == packing_bytes(config, channels=3) + plain + tuned_bytes + control
