"""`learnability new`: the study that it writes for someone's images and autoencoder."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from learnability import cli
from learnability.commands import new_autoencoder
from learnability.commands.new import quoted, sizes_for, small_networks, write_study
from learnability.commands.new_autoencoder import controls_of, slug
from learnability.datasets.source import open_source
from learnability.errors import InputError
from learnability.study.configuration import ROOT, read_config, read_yaml
from learnability.study.refusals import check_study
from tests.autoencoders import build, save
from tests.downloads import save_image

OWN = "class Pool:\n    def encode(self, x):\n        return x[:, :2, ::16, ::16]\n\n\nclass Asks:\n"
OWN += "    def __init__(self, size):\n        self.size = size\n\n    def encode(self, x):\n        return x\n"


@pytest.fixture
def here(tmp_path, monkeypatch, own_module):
    """The folder in which the command is given, with a class that the user wrote; no GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    own_module("my_pool", OWN)
    return tmp_path


def save_noise(path, number, mode="RGB", size=(150, 200)):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (*size, 3) if mode == "RGB" else size
    Image.fromarray(np.random.default_rng(number).integers(0, 255, shape, dtype=np.uint8)).save(path)


def clinic(
    folder,
    classes=("healthy", "tumour"),
    patients=6,
    mode="RGB",
    pattern="{label}/patient{patient}_{image}.png",
    size=(150, 200),
):
    """Class folders with two images of each patient."""
    for number, label in enumerate(classes):
        for patient in range(patients):
            for image in range(2):
                name = pattern.format(label=label, patient=patient + max(100, patients) * number, image=image)
                save_noise(folder / name, 1000 * number + 10 * patient + image, mode, size)
    return folder


def written(here, images, autoencoder="sd14", **options):
    """What the study file says, after it passed as a configuration."""
    path = here / "mine.yaml"
    path.unlink(missing_ok=True)
    write_study(path, images, str(autoencoder), **options)
    check_study(read_config(path))
    return read_yaml(path)


def refusal(here, images, autoencoder="sd14", **options):
    with pytest.raises(InputError) as caught:
        write_study(here / "mine.yaml", images, str(autoencoder), **options)
    assert not (here / "mine.yaml").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def only(entries):
    (entry,) = entries.values()
    return entry


def test_a_folder_and_weights_become_a_study_that_can_run(here, capsys):
    clinic(here / "Röntgen bilder")
    save("sd", here / "weights/vae")
    cli.main(["new", "mine.yaml", "--images", "Röntgen bilder", "--autoencoder", "./weights"])
    printed = capsys.readouterr().out
    assert "  positive: tumour   # a guess: see whether it is the one to be found" in printed
    assert "The study can run." in printed
    assert "type: snakemake --profile profiles/local --configfile mine.yaml" in printed
    assert "Nothing says which images belong to one patient" not in printed
    study = read_yaml(here / "mine.yaml")
    assert study["image_size"] == 128
    assert study["study"]["datasets"] == ["rontgen_bilder"]
    assert study["study"]["autoencoders"] == ["weights", "pixel_unshuffle_8"]
    assert study["study"]["controls"] == ["pixel_unshuffle_8", "enciphered_8"]
    dataset, autoencoder = only(study["datasets"]), study["autoencoders"]["weights"]
    assert dataset["root"] == str(here / "Röntgen bilder")
    assert dataset["classes"] == ["healthy", "tumour"]
    assert (dataset["positive"], dataset["channels"]) == ("tumour", 3)
    assert open_source(dataset).samples["group"].nunique() == 12
    assert (autoencoder["class"], autoencoder["subfolder"]) == ("AutoencoderKL", "vae")
    assert (autoencoder["channels"], autoencoder["factor"]) == (4, 8)
    assert study["recipes"]["image"]["init"] == "random"
    text = (here / "mine.yaml").read_text(encoding="utf-8")
    assert "# seems to find the patient: see whether it does" in text
    assert "# a guess: see whether it is the one to be found" in text


def test_without_a_gpu_it_is_own_small_of_what_was_brought(here, monkeypatch):
    """Lists, sizes, controls, networks and subset are the same; only paths and what was found there differ."""
    clinic(here / "clinic", patients=600, size=(1, 128))
    save("sd", here / "mine")
    monkeypatch.setenv("OWN_IMAGES", str(here / "clinic"))
    monkeypatch.setenv("OWN_AUTOENCODER", str(here / "mine"))
    shipped = read_config(ROOT / "workflow/studies/own_small.yaml")
    study = written(here, here / "clinic", here / "mine")
    new = read_config(here / "mine.yaml")
    assert study["datasets"]["clinic"]["subset"] == {"images": 1000, "seed": 0}
    new["results"] = shipped["results"]
    for key in ("label", "root", "channels", "classes", "positive", "group_pattern"):
        shipped["datasets"]["clinic"][key] = new["datasets"]["clinic"][key]
    for key in ("label", "source"):
        shipped["autoencoders"]["mine"][key] = new["autoencoders"]["mine"][key]
    assert new == shipped
    assert small_networks() in (here / "mine.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "dataset"), [("no", "own_no"), ("True", "own_true"), ("data.v2", "data_v2")])
def test_a_folder_may_have_any_name(here, name, dataset):
    """Names that YAML takes for values, and names with a dot, which is no suffix."""
    clinic(here / name)
    study = written(here, here / name)
    assert study["study"]["datasets"] == [dataset]
    assert study["datasets"][dataset]["label"] == name


def test_the_folder_that_one_is_in_has_its_own_name(here, monkeypatch):
    clinic(here / "clinic")
    monkeypatch.chdir(here / "clinic")
    assert written(here, Path("."))["datasets"]["clinic"]["label"] == "clinic"


def test_a_path_that_a_study_file_cannot_name_is_refused(here):
    clinic(here / "a$b")
    assert "reads $ as a variable; rename the folder" in refusal(here, here / "a$b")


def test_a_file_that_exists_is_not_overwritten(here):
    (here / "mine.yaml").write_text("mine: 1\n")
    with pytest.raises(SystemExit) as caught:
        cli.main(["new", "mine.yaml", "--images", str(clinic(here / "a")), "--autoencoder", "sd14"])
    assert "mine.yaml exists" in str(caught.value)
    assert (here / "mine.yaml").read_text() == "mine: 1\n"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{label}/{patient}-{image}.png", {}),
        ("train/{label}/{patient}-{image}.png", {}),
        ("data/set/{label}/{patient}-{image}.png", {}),
        ("{label}/{patient}/{image}.png", {"subfolders": True, "group_pattern": "([^/]+)/[^/]+$"}),
        ("{label}/x/{patient}/{image}.png", {"subfolders": True}),
        ("site {image}/{label}/{patient}.png", {"splits": ["site 0", "site 1"]}),
    ],
)
def test_the_layout_of_a_folder_is_found(here, pattern, expected):
    entry = only(written(here, clinic(here / "images", pattern=pattern))["datasets"])
    keys = ("subfolders", "group_pattern", "splits", "exclude")
    assert {key: entry[key] for key in keys if key in entry} == expected
    source = open_source(entry)
    assert source.classes == ["healthy", "tumour"]
    assert len(source.samples) == 24
    assert source.samples["group"].nunique() == (12 if "group_pattern" in expected else 24)


@pytest.mark.parametrize("name", ["{patient}-{image}", "case{patient}-{image}"])
def test_a_class_called_like_a_patient_is_none(here, name):
    images = clinic(here / "images", ("Case 1", "Case 2"), pattern=f"{{label}}/{name}.png")
    assert "group_pattern" not in only(written(here, images)["datasets"])


def test_masks_beside_images_are_left_out(here):
    clinic(here / "images")
    for path in sorted((here / "images").rglob("*_0.png")):
        save_image(path.with_name(path.name.replace("_0.png", "_0_mask.png")), 255)
    entry = only(written(here, here / "images")["datasets"])
    assert entry["exclude"] == ["*_mask*"]
    assert len(open_source(entry).samples) == 24


@pytest.mark.parametrize("part", ["", "train/"])
def test_classes_with_images_and_masks_are_the_classes(here, part):
    for kind in ("images", "Masks"):
        clinic(
            here / "scans", ("covid", "normal"), pattern=f"{part}{{label}}/{kind}/{{label}}-{{patient}}-{{image}}.png"
        )
    entry = only(written(here, here / "scans")["datasets"])
    assert (entry["exclude"], entry["subfolders"], entry["classes"]) == (["Masks"], True, ["covid", "normal"])
    assert "splits" not in entry
    assert len(open_source(entry).samples) == 24


@pytest.mark.parametrize(
    "pattern", ["{kind}/{label}/{patient}.{image}.png", "test/{kind}/{label}/{patient}.{image}.png"]
)
def test_masks_in_folders_called_like_the_classes_are_no_images(here, pattern):
    for kind in ("images", "masks"):
        clinic(here / "scans", ("a", "b"), pattern=pattern.replace("{kind}", kind))
    entry = only(written(here, here / "scans")["datasets"])
    assert entry["classes"] == ["a", "b"]
    assert len(open_source(entry).samples) == 24


@pytest.mark.parametrize("part", ["", "train/", "site 1/"])
def test_masks_are_no_class(here, part):
    clinic(here / "scans", ("images", "masks"), pattern=f"{part}{{label}}/{{patient}}-{{image}}.png")
    assert "beside ['masks'], which seem to be of masks, the only folder of a class is" in refusal(here, here / "scans")


def test_folders_that_all_classes_hold_may_be_the_patients(here):
    for patient in ("p1", "p2"):
        clinic(here / "eyes", ("left", "right"), pattern=f"{{label}}/{patient}/{{patient}}-{{image}}.png")
    message = refusal(here, here / "eyes")
    assert "['left', 'right'] each hold the same folders, ['p1', 'p2']" in message
    assert "`subfolders: true` where the first are, `splits` with the first where the second are" in message


def test_what_nothing_says_is_asked_for(here, capsys):
    images = clinic(here / "images", ("b", "a"), pattern="{label}/{patient}-{image}.png", mode="L")
    entry = only(written(here, images)["datasets"])
    assert entry["channels"] == 1
    assert "Nothing says which images belong to one patient or lesion" in capsys.readouterr().out
    assert "which images are of one patient? Say it by group_pattern" in (here / "mine.yaml").read_text()
    entry = only(written(here, images, group="/([0-9]+)-", positive="b")["datasets"])
    assert (entry["group_pattern"], entry["positive"]) == ("/([0-9]+)-", "b")
    assert "Which images" not in capsys.readouterr().out


@pytest.mark.parametrize(("patients", "splits", "rare"), [(6, 5, None), (4, 3, None), (2, 5, "drop")])
def test_classes_of_few_patients_get_fewer_folds_or_are_dropped(here, patients, splits, rare):
    clinic(here / "images", ("a", "b"))
    clinic(here / "images", ("c",), patients=patients, pattern="{label}/patient9{patient}_{image}.png")
    study = written(here, here / "images")
    assert study["study"]["n_splits"] == splits
    assert study["study"]["folds"] == list(range(splits))
    assert only(study["datasets"]).get("rare_classes") == rare


def write_table(folder, header="Image Index,Patient ID,Finding Labels,Age", place="png/{}.png", label=None):
    rows = [header]
    for i in range(24):
        name = f"x{i}"
        save_noise(folder / place.format(name, label=("cyst", "stone")[i % 2]), i, "L", (64, 64))
        rows.append(
            f"{name},{'NA' if i == 0 else i // 2},{label or ('cyst', 'stone')[i % 2]},{30 + i % 3 if i else ''}"
        )
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder / "labels.csv"


def test_a_table_is_read_by_the_names_of_its_columns(here):
    entry = only(written(here, write_table(here / "clinic"))["datasets"])
    expected = {"image_column": "Image Index", "image_path": "png/{Image Index}.png", "label_column": "Finding Labels"}
    expected |= {"group_column": "Patient ID", "missing_groups": ["NA"], "channels": 1, "table": "labels.csv"}
    assert {key: entry[key] for key in expected} == expected
    source = open_source(entry)
    assert source.samples["group"].nunique() == 13
    assert source.read(0).shape == (64, 64, 1)


def test_folders_called_like_another_column_are_in_the_path(here):
    table = write_table(here / "clinic", place="png/{label}/{}.png")
    assert only(written(here, table)["datasets"])["image_path"] == "png/{Finding Labels}/{Image Index}.png"


@pytest.mark.parametrize("folder", ["ground_truth", "Masks", "a/annotations", "gt"])
def test_masks_called_like_the_images_of_a_table_are_not_taken(here, folder):
    table = write_table(here / "clinic")
    write_table(here / "clinic", place=f"{folder}/{{}}.png")
    assert only(written(here, table)["datasets"])["image_path"] == "png/{Image Index}.png"
    assert "is in 2 places" not in (here / "mine.yaml").read_text()


def test_a_mask_folder_that_a_table_names_is_taken(here):
    table = write_table(here / "clinic", place="gt/{}.png")
    table.write_text(table.read_text().replace("\nx", "\ngt/x"))
    assert "no column names images" in refusal(here, table)
    rows = table.read_text().splitlines()
    table.write_text("\n".join([rows[0], *(row.replace(",", ".png,", 1) for row in rows[1:])]))
    assert only(written(here, table)["datasets"])["image_path"] == "{Image Index}"


def test_an_image_of_a_table_that_may_be_one_of_two_is_said(here, capsys):
    table = write_table(here / "clinic", place="tr/{}.png")
    write_table(here / "clinic", place="te/{}.png")
    assert only(written(here, table)["datasets"])["image_path"] == "te/{Image Index}.png"
    said = "a guess: x0 is in 2 places, such as te/x0.png and tr/x0.png; see which is meant"
    assert f"   # {said}" in capsys.readouterr().out
    assert f"   # {said}" in (here / "mine.yaml").read_text()


def test_a_column_that_names_the_folder_tells_two_images_apart(here):
    write_table(here / "clinic", place="aaa/{}.png")
    table = write_table(here / "clinic", place="png/{label}/{}.png")
    assert only(written(here, table)["datasets"])["image_path"] == "png/{Finding Labels}/{Image Index}.png"
    assert "is in 2 places" not in (here / "mine.yaml").read_text()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("id,dx,dx,age", "2 columns are called 'dx'; give each a name of its own"),
        ("id,Patient ID,Patient ID,dx", "2 columns are called 'Patient ID'; give each a name of its own"),
        ("id,kind,kind,kind", "no other column has a name of its own; expected one that holds the label"),
        ("id;who;dx;age", "';' and no comma between the columns; expected commas"),
        ("id\twho\tdx\tage", "'\\t' and no comma between the columns; expected commas"),
    ],
)
def test_a_header_that_is_not_clear_is_named(here, header, expected):
    table = write_table(here / "clinic", header=header)
    mark = next((mark for mark in ";\t" if mark in header), ",")
    table.write_text(table.read_text().replace(",", mark))
    assert expected in refusal(here, table)


def test_columns_of_0_and_1_are_labels(here):
    table = write_table(here / "clinic", header="image,x,y,z")
    rows = [f"x{i},{i},{i % 2},{1 - i % 2}" for i in range(24)]
    table.write_text("image,number,cyst,stone\n" + "\n".join(rows) + "\n")
    entry = only(written(here, table)["datasets"])
    assert entry["label_columns"] == ["cyst", "stone"]
    assert "group_column" not in entry
    assert "Say it by group_column" in (here / "mine.yaml").read_text()


def test_a_table_that_is_not_clear_asks(here):
    table = write_table(here / "clinic", header="image,who,kind,age")
    message = refusal(here, table)
    assert "say it by --label: there are " in message
    assert "'kind' (2 values)" in message
    entry = only(written(here, table, label="kind", group="who")["datasets"])
    assert (entry["label_column"], entry["group_column"]) == ("kind", "who")
    (here / "mine.yaml").unlink()
    assert "--label 'kinds'" in refusal(here, table, label="kinds")
    assert "--positive 'stones': no such class; the classes are ['cyst', 'stone']" in refusal(
        here, table, label="kind", positive="stones"
    )
    (here / "labels").mkdir()
    table = table.rename(here / "labels/labels.csv")
    assert "no column names images that lie below" in refusal(here, table)


def test_images_of_a_table_may_be_named_by_their_whole_path(here):
    table = write_table(here / "clinic")
    moved = (here / "clinic/png").rename(here / "elsewhere")
    table.write_text(re.sub(r"^(x[0-9]+)", rf"{moved}/\1.png", table.read_text(), flags=re.MULTILINE))
    entry = only(written(here, table)["datasets"])
    assert entry["image_path"] == "{Image Index}"
    assert open_source(entry).read(0).shape == (64, 64, 1)


def test_a_table_without_a_header_is_refused_and_loses_no_image(here):
    table = write_table(here / "clinic")
    table.write_text(table.read_text().partition("\n")[2])
    assert "the first line names an image, 'x0'; expected a header" in refusal(here, table)


def test_labels_that_read_like_several_are_said(here, capsys):
    table = write_table(here / "clinic")
    table.write_text(table.read_text().replace("stone", "stone|cyst"))
    written(here, table)
    assert "   # 'stone|cyst' reads like several labels" in capsys.readouterr().out


def test_two_classes_that_are_left_when_rare_ones_are_dropped_have_a_positive_one(here):
    table = write_table(here / "clinic")
    table.write_text(table.read_text().replace("cyst", "NA", 1))
    entry = only(written(here, table)["datasets"])
    assert (entry["rare_classes"], entry["positive"]) == ("drop", "cyst")


@pytest.mark.parametrize(
    ("classes", "options", "expected"),
    [
        (("a", "b"), {"label": "dx"}, "--label 'dx': "),
        (("a", "b", "c"), {"positive": "c"}, "--positive 'c': it is for two classes, and there are 3; leave it out"),
        (("a",), {}, "only one class, 'a'; a classifier needs two"),
    ],
)
def test_an_option_that_would_be_ignored_and_a_single_class_are_refused(here, classes, options, expected):
    assert expected in refusal(here, clinic(here / "images", classes), **options)


def test_images_of_which_none_can_be_read_are_refused_with_the_reason(here):
    for number in range(6):
        path = here / f"images/{'ab'[number % 2]}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), 256 * number, np.uint16)).save(path)
    message = refusal(here, here / "images")
    assert "a/0.png: 16 bits a channel; expected 8 bits" in message
    assert message.count("0.png") == 1
    assert "Images looked at: 6, and none can be read" in message


def test_a_class_of_ones_own_is_measured_and_gets_a_control_on_its_grid(here):
    study = written(here, clinic(here / "images"), "my_pool:Pool")
    entry = study["autoencoders"]["pool"]
    assert (entry["channels"], entry["factor"], entry["decodes"]) == (2, 16, False)
    assert study["study"]["spaces"] == ["image", "latent"]
    assert study["autoencoders"]["pixel_unshuffle_16"]["channels"] == 768
    assert study["image_size"] == 128


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("my_pool:Asks", "TypeError"),
        ("my_pool:Nothing", "does not exist"),
        ("nonsense", "expected a name of config.yaml (sd14, flux1,"),
        ("./images", "no config.json there or in vae/"),
        ("./nowhere", "--autoencoder ./nowhere: does not exist; expected a folder in diffusers format"),
        ("pixel_unshuffle_8", "expected a name of config.yaml (sd14"),
    ],
)
def test_what_is_no_autoencoder_is_refused_and_nothing_is_written(here, source, expected):
    assert expected in refusal(here, clinic(here / "images"), source)


def test_an_autoencoder_of_config_yaml_is_known_by_name_and_by_hub_id(here):
    images = clinic(here / "images")
    for source in ("flux2", "black-forest-labs/FLUX.2-dev"):
        study = written(here, images, source)
        assert study["study"]["autoencoders"][0] == "flux2"
        assert "autoencoders" not in study
        assert study["study"]["limited_to"] == {"gap_decomposition": {"autoencoders": ["flux2"]}}


def test_weights_on_the_hub_are_described_by_their_configuration(here, monkeypatch):
    build("flux1").save_config(here / "hub/vae")
    asked = []

    def why_missing(repository, files, revision):
        asked.append(files)
        return None if files == ("vae/config.json",) else "not there"

    monkeypatch.setattr("learnability.workflow.hub.why_missing", why_missing)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda repository, name, token: here / "hub" / name)
    found = new_autoencoder.of_hub("someone/model")
    layout = {"class": "AutoencoderKL", "source": "someone/model", "channels": 16, "factor": 8, "subfolder": "vae"}
    assert found == layout
    study = written(here, clinic(here / "images"), "someone/model")
    assert study["autoencoders"]["someone_model"] == {"label": "someone/model", "role": "family"} | layout
    monkeypatch.setattr("learnability.workflow.hub.why_missing", lambda *_: "the hub cannot be reached")
    (here / "mine.yaml").unlink()
    assert "someone/model: the hub cannot be reached" in refusal(here, here / "images", "someone/model")


def test_with_a_gpu_the_published_networks_are_kept_and_fit_the_grid(here, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    study = written(here, clinic(here / "images"))
    assert study["image_size"] == 128
    assert study["recipes"] == {"latent": {"stem_patch": 1}}
    for path in (here / "images").rglob("*.png"):
        Image.open(path).resize((600, 700)).save(path)
    study = written(here, here / "images")
    assert (study["image_size"], study["classifier_size"]) == (512, 256)
    assert "recipes" not in study


def test_a_study_that_is_to_run_on_the_cpu_has_small_networks(here, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("LEARNABILITY_DEVICE", "cpu")
    assert "image" in written(here, clinic(here / "images"))["recipes"]


@pytest.mark.parametrize("side", [10, 64, 130, 300, 5000])
@pytest.mark.parametrize("factor", [4, 8, 14, 16, 32])
@pytest.mark.parametrize("gpu", [False, True])
def test_sizes_fit_the_factor_and_each_other(side, factor, gpu):
    size, small = sizes_for(side, factor, gpu)
    assert size % factor == size % small == 0
    assert size // factor >= 8
    assert size <= max(512 if gpu else 128, 8 * factor) + factor


def test_names_become_names_of_the_configuration():
    assert slug("Röntgen-Bilder (2)", {}) == "rontgen_bilder_2"
    assert slug("2019", {}) == "own_2019"
    assert slug("Cardium", {"cardium": {}}) == "cardium_own"
    assert slug("original", {}) == "own_original"
    assert slug("日本", {}) == "mine"
    for name in ("all", "Macro", "inf", "nan", "table1"):
        assert slug(name, {}) == f"own_{name.casefold()}"


def test_an_autoencoder_has_no_name_of_fetched_weights(own_module):
    own_module("resnet50", OWN.replace("class Pool", "class ResNet50"))
    name, _ = new_autoencoder.find_autoencoder("resnet50:ResNet50", read_config())
    assert name == "resnet50_own"


def test_every_lossless_control_of_config_yaml_has_one_on_the_grid():
    config = read_config()
    kinds = {config["autoencoders"][name]["class"] for name in controls_of(8, config)}
    assert "pixel_unshuffle" in kinds
    enciphered = {"class": "enciphered", "channels": 193, "factor": 8}
    config["autoencoders"] = {"pixel_unshuffle_8": config["autoencoders"]["pixel_unshuffle_8"], "secret": enciphered}
    assert controls_of(8, config) == {"pixel_unshuffle_8": None, "secret": None}
    assert controls_of(16, config)["enciphered_16"]["channels"] == 769


@pytest.mark.parametrize(
    "value", ["a b", "no", "Null", "1e-3", "{x}/a: b", "ü # x", "-", True, 3, ["no", "b: c"], "a\\b"]
)
def test_values_come_back_as_they_were(tmp_path, value):
    (tmp_path / "a.yaml").write_text(f"key: {quoted(value)}   # remark\n", encoding="utf-8")
    assert read_yaml(tmp_path / "a.yaml")["key"] == value
