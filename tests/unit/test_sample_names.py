"""One patient is one group, whatever blanks, encodings or words for nothing are in names; in every format."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from learnability.datasets.folds import make_folds
from learnability.datasets.names import look_alikes, own_groups, strip, unify, warnings_of
from learnability.datasets.prepare import prepare_dataset
from learnability.datasets.source import open_source
from learnability.errors import InputError
from learnability.storage.contracts import read_json, read_samples
from tests.downloads import message_of
from tests.unit.test_cardium import write_cardium
from tests.unit.test_ct_rate import write_slices
from tests.unit.test_imagenet import write_imagenet
from tests.unit.test_isic2019 import METADATA, write_isic
from tests.unit.test_mimic_cxr_lt import file_name, write_mimic

TABLE = {
    "format": "table", "table": "labels.csv", "image_column": "id", "image_path": "x.png", "label_column": "dx",
    "group_column": "patient",
}  # fmt: skip


def write_table(root, rows, header="id,dx,patient", **changes):
    root.mkdir(parents=True, exist_ok=True)
    (root / "labels.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    Image.new("L", (8, 8)).save(root / "x.png")
    return TABLE | {"root": str(root)} | changes


def texts(*values):
    return pd.Series(values, dtype="str")


@pytest.mark.parametrize(
    "written", ["p0 ", " p0", "\tp0", "p0\u00a0", "\u2003p0\u3000", "\ufeffp0", "p0\u200b", "p0\r", "\u00a0 p0 \t"]
)
def test_blanks_and_invisible_characters_around_a_name_are_taken_off(written):
    values, number = strip(texts("p0", written, "é p"))
    assert values.tolist() == ["p0", "p0", "é p"]
    assert number == 1


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        ("M\u00fcller", "Mu\u0308ller", "M\u00fcller"),
        ("12", "12.0", "12"),
        ("012", "012.00", "012"),
        ("p1", "p\u200b1", "p1"),
        ("p 1", "p\u00a01", "p 1"),
    ],
)
def test_two_encodings_of_a_name_are_one(one, other, name):
    values, number = unify(texts(one, other, "third", other))
    assert values.tolist() == [name, name, "third", name]
    assert number == 2


@pytest.mark.parametrize("values", [["12.0", "13.0"], ["Mu\u0308ller"], ["a", "A"], ["7", "007"], ["1.5", "1"]])
def test_what_is_written_in_one_way_or_is_another_name_stays(values):
    unified, number = unify(texts(*values))
    assert unified.tolist() == values
    assert number == 0


def test_names_that_differ_in_case_width_separators_or_zeros_are_said():
    found = look_alikes(["p1", "P1", "p01", "p10", "q-1", "q_1", "\uff11", "1", "r", "12.0", "012"])
    assert found == [["P1", "p01", "p1"], ["q-1", "q_1"], ["1", "\uff11"], ["012", "12.0"]]


def noisy_clinic(root, patients=60):
    """Two images per patient, in a table whose every second row has a blank after its patient and its label."""
    root.mkdir(parents=True)
    lines = ["id,dx,patient"]
    for i in range(2 * patients):
        pixels = np.random.default_rng(i).integers(0, 256, (16, 16), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"x{i}.png")
        blank = " " if i % 2 else ""
        lines.append(f"x{i}{blank},{'ab'[i // 2 % 2]}{blank},p{i // 2}{blank}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    defaults = {"resize": "squash", "rare_classes": "error", "max_bad_images": 0, "deduplicate": False}
    return TABLE | {"root": str(root), "image_path": "{id}.png", "channels": 1, "positive": "a"} | defaults


def test_a_patient_with_a_blank_behind_his_name_lies_in_one_fold_and_the_card_counts_it(tmp_path, capsys):
    entry = noisy_clinic(tmp_path / "in")
    prepare_dataset("clinic", entry, 16, 16, n_splits=None, folder=tmp_path / "out", threads=1)
    samples, card = read_samples(tmp_path / "out/samples.parquet"), read_json(tmp_path / "out/dataset.json")
    folds = make_folds(samples, 5, 0, "error", "clinic")
    patient = samples["sample_id"].str[1:].astype(int) // 2
    assert folds["fold"].groupby(patient.to_numpy()).nunique().tolist() == [1] * 60
    assert (card["classes"], card["groups"]) == (["a", "b"], 60)
    assert card["names"]["stripped"] == {"id": 60, "dx": 60, "patient": 60}
    assert "60 values of 'patient' in the whole data set had blanks at the ends" in card["warnings"]
    assert "warning: clinic: 60 values of 'patient' in the whole data set had blanks" in capsys.readouterr().out


def test_a_sound_table_gives_no_warning(tmp_path):
    source = open_source(write_table(tmp_path, ["a,nv,p1", "b,mel,p2", "c,nv,p10"]))
    assert source.names == {"stripped": {}, "unified": {}, "missing_groups": {}}
    assert warnings_of(source.names, source.samples, source.grouped) == []


def test_what_was_changed_is_counted_in_the_whole_data_set_and_the_warnings_say_so(tmp_path):
    """A subset, or a class that is dropped, leaves images out only afterwards."""
    rows = [f"x{i}{' ' * (i < 30)},nv,{'NA' if i < 40 else f'p{i}'}" for i in range(60)]
    entry = write_table(tmp_path, rows, missing_groups=["NA"], subset={"images": 10})
    source = open_source(entry)
    assert len(source.samples) == 10
    assert warnings_of(source.names, source.samples, source.grouped) == [
        "30 values of 'id' in the whole data set had blanks at the ends",
        "40 images of the whole data set with 'NA' as group: each is a group of its own",
    ]


def test_ids_that_are_one_without_blanks_are_refused(tmp_path):
    assert "1 duplicate sample id, the first is 'a'" in message_of(write_table(tmp_path, ["a,nv,p1", "a ,mel,p2"]))
    twice = write_table(tmp_path, ["\u00e9,nv,p1", "e\u0301,mel,p2"])
    assert "1 duplicate sample id" in message_of(twice)


def test_labels_in_two_encodings_are_one_class(tmp_path):
    rows = ["a,n\u00e9vus,p1", "b,ne\u0301vus,p2", "c,1,p3", "d,1.0,p4", "e, 1,p5"]
    source = open_source(write_table(tmp_path, rows))
    assert source.classes == ["1", "n\u00e9vus"]
    assert source.names["unified"] == {"label_name": 2}
    known = open_source(write_table(tmp_path, rows[1:2] + rows[3:4], classes=["n\u00e9vus", "1"]))
    assert known.samples["label_name"].tolist() == ["n\u00e9vus", "1"]


def test_classes_that_differ_in_case_or_read_like_nothing_are_said(tmp_path):
    source = open_source(write_table(tmp_path, ["a,NV,p1", "b,nv,P1", "c,NaN,p3"]))
    said = warnings_of(source.names, source.samples, source.grouped)
    assert len(said) == 3
    assert "1 set of values of 'group' alike but for case" in said[0]
    assert "'P1' and 'p1'" in said[0]
    assert "'NV' and 'nv'" in said[1]
    assert said[2] == "class 'NaN' reads like a missing label"


@pytest.mark.parametrize("word", ["NA", "nan", "NULL", "None", "-", "", " ", "N/A", "unknown"])
def test_a_word_for_nothing_is_no_patient(tmp_path, word):
    rows = ["a,nv,p1", f"b,mel,{word}", f"c,nv,{word}"]
    message = message_of(write_table(tmp_path, rows))
    assert f"labels.csv: {word.strip()!r} (2 rows) as group, the first is sample 'b'" in message
    assert f'set `missing_groups: ["{word.strip()}"]`' in message
    source = open_source(write_table(tmp_path, rows, missing_groups=[word.strip()]))
    assert source.samples["group"].nunique() == 3
    assert source.names["missing_groups"] == {word.strip(): 2}
    said = warnings_of(source.names, source.samples, source.grouped)
    assert said[-1] == f"2 images of the whole data set with {word.strip()!r} as group: each is a group of its own"


def test_each_word_must_be_named_in_any_case(tmp_path):
    rows = ["a,nv,NA", "b,mel,na", "c,nv,-1", "d,nv,"]
    assert "'' (1 row) as group" in message_of(write_table(tmp_path, rows, missing_groups=["NA", "-1"]))
    entry = write_table(tmp_path, rows, missing_groups=["Na", "-1", ""])
    assert open_source(entry).samples["group"].nunique() == 4


def test_a_key_that_is_a_word_for_nothing_joins_nothing(tmp_path):
    entry = write_table(tmp_path, ["a,nv,7", "b,mel, "], header="id,dx,key") | {"group_column": "lesion"}
    (tmp_path / "more.csv").write_text("key,lesion\n7 ,L1\n,L2\n")
    entry |= {"join": {"table": "more.csv", "on": "key"}}
    assert "labels.csv: 1 row without 'key', which names the partner in " in message_of(entry)
    write_table(tmp_path, ["a,nv,7", "b,mel,8\t"], header="id,dx,key")
    (tmp_path / "more.csv").write_text("key,lesion\n7 ,L1\n8,L2 \n")
    source = open_source(entry)
    assert source.samples["group"].tolist() == ["L1", "L2"]
    assert source.names["stripped"] == {"key": 2, "lesion": 1}


def replace_in(path, old, new, count=-1):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


def test_mimic_subjects_are_one_over_the_three_label_files(tmp_path):
    entry = write_mimic(tmp_path)
    replace_in(tmp_path / "labels" / file_name("test"), "18000001,59000004", "18000001.0,59000004")
    replace_in(tmp_path / "labels" / file_name("train"), "19000001,59000001", "18000001 ,59000001")
    source = open_source(entry)
    assert source.samples["group"].tolist() == ["18000001", "19000002", "19000003", "18000001", "18000001"]
    assert source.names["stripped"] == {"subject_id": 1}
    assert source.names["unified"] == {"group": 1}
    replace_in(tmp_path / "labels" / file_name("train"), "18000001 ,", "nan,")
    assert "'nan' (1 row) as group" in message_of(entry)
    assert open_source(entry | {"missing_groups": ["nan"]}).samples["group"].nunique() == 4


def test_isic_lesions_are_stripped_and_only_blank_ones_are_known_to_be_missing(tmp_path):
    entry = write_isic(tmp_path)
    replace_in(tmp_path / METADATA, "BCN_9000001", "BCN_9000001\u00a0", 1)
    source = open_source(entry)
    assert source.samples["group"].nunique() == 4
    assert source.names["stripped"] == {"lesion_id": 1}
    assert source.names["missing_groups"] == {"": 2}
    replace_in(tmp_path / METADATA, "MSK4_9000004", "NA")
    assert "'NA' (1 row) as group" in message_of(entry)


def test_a_cardium_patient_of_two_folders_is_one(tmp_path):
    entry = write_cardium(tmp_path)
    train = tmp_path / "cardium_images_anon/fold_1/train"
    (train / "Non_CHD/902").rename(train / "Non_CHD/904 ")
    source = open_source(entry)
    assert source.samples["group"].tolist() == ["901", "901", "904", "903", "904", "904"]
    assert source.names["stripped"] == {"group": 1}
    assert source.read(2).shape[2] == 3
    (train / "Non_CHD/904 ").rename(train / "Non_CHD/901 ")
    assert "1 patient(s) under both CHD and Non_CHD" in message_of(entry)
    (train / "Non_CHD/901 ").rename(train / "Non_CHD/unknown")
    assert "'unknown' (1 row) as group" in message_of(entry)


def test_names_of_slices_and_of_files_are_stripped(tmp_path):
    (tmp_path / "ct").mkdir()
    entry = write_slices(tmp_path / "ct")
    replace_in(tmp_path / "ct/ctrate.csv", "train_9001_a_1_f100.nii.gz.png", " train_9001_a_1_f100.nii.gz.png ")
    replace_in(tmp_path / "ct/ctrate.csv", "/ train", "/train")
    source = open_source(entry)
    assert source.samples["sample_id"][0] == "train_9001_a_1_f100"
    assert source.read(0).shape[2] == 1
    assert source.names["stripped"] == {"path": 1}
    (tmp_path / "in").mkdir()
    entry = write_imagenet(tmp_path / "in")
    folder = tmp_path / "in/train/n90000001"
    (folder / "n90000001_7.JPEG").rename(folder / "n90000001_7 .JPEG")
    source = open_source(entry)
    assert source.samples["sample_id"][0] == source.samples["group"][0] == "n90000001_7"
    assert source.read(0).shape[2] == 3


def test_a_group_larger_than_a_fold_is_said(tmp_path, capsys):
    rows = [("big" if i < 30 else f"g{i}", "ab"[i % 2], i) for i in range(100)]
    samples = pd.DataFrame(rows, columns=["group", "label_name", "label"])
    samples["sample_id"], samples["label"] = [f"x{i}" for i in range(100)], (samples["label_name"] == "b").astype(int)
    make_folds(samples, 3, 0, "error", "mine")
    assert "warning" not in capsys.readouterr().out
    make_folds(samples, 5, 0, "error", "mine")
    said = capsys.readouterr().out
    assert "warning: mine: the largest group has 30 of 100 images (30%): not more than 3 folds can be balanced" in said


def test_own_groups_never_meet_the_name_of_another(tmp_path):
    group, counted = own_groups(texts("NA", "p"), texts("p", "q"), ["NA"], "mine")
    assert group.nunique() == 2
    assert counted == {"NA": 1}
    with pytest.raises(InputError, match=r"'NA' .1 row. as group"):
        own_groups(texts("NA", "p"), texts("p", "q"), [], "mine")
