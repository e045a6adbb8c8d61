"""The schema of the configuration: the studies of the repository pass, slips are refused, every key is explained."""

import copy
import functools
import json
import re
import tempfile
import textwrap
from pathlib import Path

import pytest
import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config, validate

CHECKOUT = Path(__file__).parents[2]
SCHEMA = CHECKOUT / "workflow/schemas/config.schema.yaml"
PUBLISHED = yaml.safe_load((CHECKOUT / "config.yaml").read_text(encoding="utf-8"))
FOLDER = tempfile.TemporaryDirectory()  # removed at the end of the session
STUDIES = sorted((CHECKOUT / "workflow/studies").glob("*.yaml"))


def validated(changes):
    """The published configuration with changes merged, validated and completed as the Snakefile does it."""
    config = copy.deepcopy(PUBLISHED)
    update_config(config, changes)
    validate(config, schema_as_json())
    return config


@functools.cache
def schema_as_json() -> str:
    """The same schema in a file that is read faster than YAML; tests/unit/test_configuration.py reads the YAML."""
    path = Path(FOLDER.name) / "schema.json"
    path.write_text(json.dumps(yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))))
    return str(path)


def properties(schema, path=""):
    """Every property of a schema at any depth, with its path; conditions only repeat properties."""
    for name, content in schema.get("properties", {}).items():
        yield f"{path}/{name}", content
        yield from properties(content, f"{path}/{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from properties(schema[key], path)
    for name, content in schema.get("$defs", {}).items():
        yield from properties(content, f"{path}/$defs/{name}")


def objects(schema):
    """Every schema of an object that lists its properties."""
    if isinstance(schema, dict):
        if "properties" in schema and schema.get("type") == "object":
            yield schema
        for content in schema.values():
            yield from objects(content)


def test_the_published_study_is_valid_and_gets_its_defaults():
    dataset = validated({})["datasets"]["isic2019"]
    assert (dataset["resize"], dataset["rare_classes"], dataset["max_bad_images"]) == ("squash", "error", 0)


def test_fine_tuning_sees_all_images_unless_told_otherwise():
    entry = {**TUNED, "finetune": FINETUNE}
    assert validated({"autoencoders": {"mine": entry}})["autoencoders"]["mine"]["finetune"]["images"] == "all_images"


def test_what_a_fine_tuning_may_do_is_no_part_of_an_entry_that_does_not_name_it():
    """Otherwise its recorded values would change, and it would run again."""
    assert validated({})["autoencoders"]["medvae_ft"] == PUBLISHED["autoencoders"]["medvae_ft"]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_merged_over_the_published_one_is_valid(path):
    study = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert validated(study)["study"]["datasets"] == study["study"]["datasets"]  # lists replace


def test_demo_is_among_the_studies():
    assert "demo" in [path.stem for path in STUDIES]


DIFFUSERS = {"label": "Mine", "role": "family", "class": "AutoencoderKL", "channels": 4, "factor": 8}
MEDVAE = DIFFUSERS | {"class": "MedVAE", "source": "stanfordmimi/MedVAE", "variant": "medvae_8_4_2d"}
TUNED = {"label": "Mine", "role": "family", "base": "medvae"}
SILENT = {"steps": 1, "batch_size": 1, "lr": 0.1, "kl_weight": 0.0, "adversarial": None, "checkpoint_every": 1}
FINETUNE = {**SILENT, "perceptual": "none"}
EQUIVARIANCE = {"probability": 0.5, "scales": [0.25, 0.97], "turns": True}
VOLUMES = {
    "label": "Mine",
    "format": "ct_rate_volumes",
    "root": "/data",
    "table": "findings.csv",
    "window": [-1000, 400],
    "slice_rule": {"every": 3, "no_finding_every": 10, "margin_mm": 10},
}
TABLE = {"label": "Mine", "format": "table", "root": "/data", "table": "a.csv", "image_column": "id", "image_path": "x"}


@pytest.mark.parametrize(
    "changes",
    [
        {"autoencoders": {"mine": {**DIFFUSERS, "source": "/weights"}}},
        {"autoencoders": {"mine": {**MEDVAE, "latent_stage": 2, "input": "minmax"}}},
        {"datasets": {"mine": {**TABLE, "label_column": "dx", "where": {"modality": ["X-ray"], "year": [2019]}}}},
        {"datasets": {"mine": {"label": "Mine", "format": "folders", "root": "/data", "exclude": [], "splits": []}}},
        {"autoencoders": {"mine": {**TUNED, "finetune": FINETUNE}}},
        {"autoencoders": {"medvae_ft": {"finetune": {"adversarial": None}}}},
        {"autoencoders": {"medvae_ft": {"finetune": {"equivariance": None, "train": "decoder"}}}},
        {"autoencoders": {"medvae_ft": {"finetune": {"equivariance": {**EQUIVARIANCE, "reduced": 0.25}}}}},
        {"autoencoders": {"medvae_ft": {"finetune": {"equivariance": {**EQUIVARIANCE, "scales": None}}}}},
        {"datasets": {"mine": {**VOLUMES, "conflicting_rows": "drop", "rescale_tables": ["metadata.csv"]}}},
        {"datasets": {"mine": {"label": "Mine", "format": "imagenet", "root": "/data", "deduplicate": True}}},
        {"datasets": {"mine": {"label": "Mine", "format": "medmnist", "root": "/data", "file": "a.npz"}}},
    ],
)
def test_an_entry_of_ones_own_is_valid(changes):
    validated(changes)


def test_the_entries_of_the_datasets_page_are_valid():
    text = (CHECKOUT / "docs/datasets.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^    .*\n)+", text, flags=re.MULTILINE)
    entries = [yaml.safe_load(textwrap.dedent(block)) for block in blocks if "format:" in block]
    assert len(entries) == 10
    for entry in entries:
        validated({"datasets": entry})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"recipes": {"image": {"learning_rate": 0.1}}}, "learning_rate"),
        ({"recipes": {"image": {"drw": {"afterepoch": 3}}}}, "afterepoch"),
        ({"datasets": {"isic2019": {"rooot": "/data"}}}, "rooot"),
        ({"study": {"autoencoder": ["flux2"]}}, "autoencoder"),
        ({"imagesize": 256}, "imagesize"),
        ({"recipes": {"image": {"lr": "1e-4"}}}, "'1e-4' is not of type 'number'"),
        ({"recipes": {"image": {"spaces": ["latent", "pixels"]}}}, "'pixels' is not one of"),
        ({"study": {"spaces": ["images"]}}, "'images' is not one of"),
        ({"study": {"folds": []}}, "folds"),
        ({"study": {"folds": [0, 0]}}, "non-unique"),
        ({"recipes": {"latent": {"mask": 1}}}, "mask"),
        ({"recipes": {"latent": {"drw": {"beta": 1}}}}, "beta"),  # its class weights are 0 / 0
        ({"recipes": {"latent": {"latent_std": 0}}}, "latent_std"),
        ({"recipes": {"latent": {"scale": 0}}}, "scale"),
        ({"recipes": {"latent": {"max_margin": -0.5}}}, "max_margin"),
        ({"datasets": {"isic2019": {"label_column": "dx"}}}, "isic2019"),
        ({"datasets": {"isic2019": {"rare_classes": "ignore"}}}, "'ignore' is not one of"),
        ({"datasets": {"Mine": {**TABLE, "label_column": "dx"}}}, "'Mine' does not match"),
        ({"datasets": {"mine": {"label": "Mine", "format": "phantom"}}}, "'modality' is a required property"),
        ({"datasets": {"mine": {"label": "Mine", "format": "cardium"}}}, "'root' is a required property"),
        ({"datasets": {"mine": {"label": "Mine", "format": "medmnist", "root": "/data"}}}, "'file' is a required"),
        ({"datasets": {"mine": {**VOLUMES, "slice_rule": {"every": 3}}}}, "'no_finding_every' is a required"),
        ({"datasets": {"mine": {**VOLUMES, "window": [-1000]}}}, "[-1000] is too short"),
        ({"datasets": {"isic2019": {"where": {"site": ["back"]}}}}, "isic2019"),
        ({"datasets": {"isic2019": {"group_pattern": "[0-9]+"}}}, "'group_pattern'"),
        ({"datasets": {"cardium": {"exclude": ["*_mask*"]}}}, "'exclude'"),
        ({"datasets": {"mine": {**TABLE, "label_column": "dx", "splits": []}}}, "'splits'"),
        ({"datasets": {"isic2019": {"window": [-1000, 400]}}}, "'window'"),
        ({"datasets": {"isic2019": {"conflicting_rows": "drop"}}}, "'conflicting_rows'"),
        ({"datasets": {"ct_rate": {"conflicting_rows": "keep"}}}, "'keep' is not one of"),
        ({"datasets": {"cardium": {"table": "cardium.csv"}}}, "'table'"),
        ({"datasets": {"mimic_cxr_lt": {"classes": ["a", "b"]}}}, "'classes'"),
        ({"autoencoders": {"mine": DIFFUSERS}}, "'source' is a required property"),
        ({"autoencoders": {"mine": {"label": "Mine", "role": "family", "base": "medvae"}}}, "mine"),
        (
            {"autoencoders": {"mine": {**DIFFUSERS, "class": "MedVAE", "source": "/w"}}},
            "'variant' is a required property",
        ),
        ({"autoencoders": {"mine": {**DIFFUSERS, "class": "MedVAE"}}}, "'source' is a required property"),
        ({"autoencoders": {"medvae": {"variant": "medvae_4_1_3d"}}}, "'medvae_4_1_3d' is not one of"),
        ({"autoencoders": {"medvae": {"latent_stage": 3}}}, "3 is not one of"),
        ({"autoencoders": {"sd14": {"latent_stage": 2}}}, "'MedVAE' was expected"),
        ({"autoencoders": {"sd14": {"input": "zscore"}}}, "'zscore' is not one of"),
        ({"autoencoders": {"original": {**DIFFUSERS, "source": "/weights"}}}, "original"),
        ({"autoencoders": {"sd14": {"class": "pixel_unshufle"}}}, "'pixel_unshufle' does not match"),
        ({"autoencoders": {"sd14": {"layout": "folded"}}}, "'folded' is not one of"),
        ({"autoencoders": {"medvae_ft": {"finetune": {"images": "train_rows"}}}}, "'train_rows' is not one of"),
        ({"autoencoders": {"medvae_ft": {"finetune": {"perceptual": "vgg"}}}}, "'vgg' is not one of"),
        ({"autoencoders": {"medvae_ft": {"finetune": {"adversarial": {"begin": 0}}}}}, "begin"),
        ({"autoencoders": {"mine": {**TUNED, "finetune": {**FINETUNE, "perceptual": "lpips"}}}}, "'perceptual_weight'"),
        ({"autoencoders": {"mine": {**TUNED, "finetune": SILENT}}}, "'perceptual' is a required property"),
        *(
            ({"autoencoders": {"medvae_ft": {"finetune": {"equivariance": {**EQUIVARIANCE, **wrong}}}}}, named)
            for wrong, named in (
                ({"probability": 1.1}, "1.1 is greater than the maximum of 1"),
                ({"probability": -0.1}, "-0.1 is less than the minimum of 0"),
                ({"scales": [0, 0.97]}, "0 is less than or equal to the minimum of 0"),
                ({"scales": [0.25, 2]}, "2 is greater than the maximum of 1"),
                ({"scales": [0.25]}, "[0.25] is too short"),
                ({"reduced": 2}, "2 is greater than the maximum of 1"),
                ({"shifts": True}, "'shifts' was unexpected"),
            )
        ),
        (
            {"autoencoders": {"medvae_ft": {"finetune": {"equivariance": {"turns": True}}}}},
            "'probability' is a required",
        ),
        ({"autoencoders": {"medvae_ft": {"finetune": {"train": "encoder"}}}}, "'encoder' is not one of"),
        ({"tables": {"table2": {"sd": False}}}, "'sd' was unexpected"),
        ({"tables": {"table3": {"sd": True}}}, "'sd' was unexpected"),
        ({"datasets": {"isic2019": {"shareable": "yes"}}}, "'yes' is not of type 'boolean'"),
        ({"autoencoders": {"sd14": {"role": "baseline"}}}, "'baseline' is not one of"),
    ],
)
def test_a_slip_is_refused_and_named(changes, named):
    with pytest.raises(WorkflowError) as caught:
        validated(changes)
    assert named in str(caught.value)


def test_yaml_reads_1e_4_without_a_point_as_text():
    assert yaml.safe_load("1e-4") == "1e-4"  # why lr is written 1.0e-4
    assert PUBLISHED["recipes"]["image"]["lr"] == 0.0001


def test_every_property_has_a_description():
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    found = list(properties(schema))
    assert len(found) > 80
    assert [path for path, content in found if len(content.get("description", "")) < 6] == []


def test_every_object_refuses_keys_it_does_not_know():
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    found = list(objects(schema))
    assert len(found) > 9
    assert [
        list(content["properties"])[:3] for content in found if content.get("additionalProperties") is not False
    ] == []
