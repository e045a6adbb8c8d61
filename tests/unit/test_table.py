"""A table of images: what each row means, and what a user is told when the table and the config disagree."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from learnability.datasets.formats.table import read_table
from learnability.datasets.source import check_source, describe_left_out, open_source
from learnability.errors import InputError

HAM = {
    "format": "table",
    "table": "labels.csv",
    "image_column": "image_id",
    "image_path": "images/{image_id}.png",
    "label_column": "dx",
    "group_column": "lesion_id",
}
HAM_ROWS = "image_id,dx,lesion_id\nIMG_9000003,nv,L1\nIMG_9000001,mel,L2\nIMG_9000002,nv,L1\n"


def write_tree(root, csv=HAM_ROWS, images=("images/IMG_9000003.png",), **more_tables):
    """A download in miniature: labels.csv, further tables, and grey images of value 10, 20, ..."""
    for name, text in {"labels": csv, **more_tables}.items():
        (root / f"{name}.csv").write_text(text, encoding="utf-8")
    for number, name in enumerate(images, start=1):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 4), 10 * number).save(root / name)
    return root


def entry_for(root, **changes):
    entry = HAM | {"root": str(root)} | changes
    return {key: value for key, value in entry.items() if value is not None}


def one_hot_entry(root, **changes):
    names = ["MEL", "NV", "BCC"]
    return entry_for(root, image_column="image", image_path="{image}.png", label_column=None, group_column=None) | (
        {"label_columns": names} | changes
    )


def message_of(entry):
    with pytest.raises(InputError) as caught:
        open_source(entry)
    return str(caught.value)


def test_a_label_column_gives_rows_in_order_with_alphabetical_classes(tmp_path):
    source = open_source(entry_for(write_tree(tmp_path)))
    assert source.grouped
    assert source.samples["sample_id"].tolist() == ["IMG_9000003", "IMG_9000001", "IMG_9000002"]
    assert source.samples["label_name"].tolist() == ["nv", "mel", "nv"]
    assert source.samples["group"].tolist() == ["L1", "L2", "L1"]
    assert source.classes == ["mel", "nv"]
    assert not source.synthetic
    assert set(source.provenance["tables"]) == {"labels.csv"}


def test_classes_of_the_config_set_the_order(tmp_path):
    assert open_source(entry_for(write_tree(tmp_path), classes=["nv", "mel"])).classes == ["nv", "mel"]


@pytest.mark.parametrize(("one", "zero"), [("1.0", "0.0"), ("1", "0")])
def test_one_hot_columns_hold_floats_or_integers(tmp_path, one, zero):
    rows = ["image,MEL,NV,BCC,UNK", f"a,{zero},{one},{zero},{zero}", f"b,{one},{zero},{zero},{zero}"]
    source = open_source(one_hot_entry(write_tree(tmp_path, "\n".join(rows))))
    assert source.samples["label_name"].tolist() == ["NV", "MEL"]


def test_without_a_group_column_every_image_is_its_own_group(tmp_path):
    source = open_source(entry_for(write_tree(tmp_path), group_column=None))
    assert not source.grouped
    assert source.samples["group"].is_unique


def test_a_joined_table_gives_groups_and_blank_lesions_that_are_named_are_each_their_own(tmp_path):
    names = ["ISIC_9000001", "ISIC_9000002_downsampled", "ISIC_9000003", "ISIC_9000004_downsampled"]
    truth = "image,MEL,NV,BCC,UNK\n" + "".join(f"{name},0.0,1.0,0.0,0.0\n" for name in names)
    lesions = ["", "MSK4_9000009", "", "MSK4_9000009"]
    # In another order than the ground truth, with a column more.
    rows = [f"{name},45,{lesion},female\n" for name, lesion in zip(names, lesions, strict=True)][::-1]
    root = write_tree(
        tmp_path, truth, [f"in/{names[1]}.png"], metadata="image,age_approx,lesion_id,sex\n" + "".join(rows)
    )
    entry = one_hot_entry(root, image_path="in/{image}.png", group_column="lesion_id")
    entry |= {"join": {"table": "metadata.csv", "on": "image"}}
    assert "'' (2 rows) as group" in message_of(entry)
    source = open_source(entry | {"missing_groups": [""]})
    assert source.names["missing_groups"] == {"": 2}
    assert source.samples["sample_id"].tolist() == names
    first, second, third, fourth = source.samples["group"]
    assert second == fourth == "MSK4_9000009"
    assert len({first, second, third}) == 3
    assert source.read(1).mean() == 10  # `_downsampled` is part of the name
    assert set(source.provenance["tables"]) == {"labels.csv", "metadata.csv"}


def test_a_path_pattern_may_use_several_columns_and_their_first_letters(tmp_path):
    csv = "subject_id,study_id,dicom_id,dx\n19000001,59000001,abc-1,edema\n19000001,59000002,abc-2,fracture\n"
    images = [f"files/p19/p19000001/s5900000{i}/abc-{i}.png" for i in (1, 2)]
    pattern = "files/p{subject_id:.2}/p{subject_id}/s{study_id}/{dicom_id}.png"
    root = write_tree(tmp_path, csv, images)
    source = open_source(
        entry_for(root, image_column="dicom_id", image_path=pattern, group_column="subject_id", channels=1)
    )
    assert [int(source.read(i).max()) for i in (0, 1)] == [10, 20]


@pytest.mark.parametrize(("channels", "expected"), [(1, [76]), (3, [255, 0, 0])])
def test_images_are_read_as_rgb_or_grey(tmp_path, channels, expected):
    root = write_tree(tmp_path)
    Image.new("RGB", (6, 4), (255, 0, 0)).save(root / "images/IMG_9000003.png")
    image = open_source(entry_for(root, channels=channels)).read(0)
    assert image.shape == (4, 6, channels)
    assert image.dtype == np.uint8
    assert image[0, 0].tolist() == expected


def test_numbers_stay_text_and_a_class_may_be_called_na(tmp_path):
    source = open_source(entry_for(write_tree(tmp_path, "image_id,dx,lesion_id\n007,NA,01\n8,nv,1\n")))
    assert source.samples["sample_id"].tolist() == ["007", "8"]
    assert source.samples["group"].tolist() == ["01", "1"]
    assert source.classes == ["NA", "nv"]


def test_the_root_may_name_an_environment_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("INVENTED_ROOT", str(write_tree(tmp_path)))
    assert len(open_source(entry_for("${INVENTED_ROOT}")).samples) == 3
    monkeypatch.delenv("INVENTED_ROOT")
    assert "set the environment variable INVENTED_ROOT" in message_of(entry_for("${INVENTED_ROOT}"))


def test_a_missing_root_is_named(tmp_path):
    message = message_of(entry_for(tmp_path / "nowhere"))
    assert "nowhere is not a folder; point `root` at" in message


@pytest.mark.parametrize(
    ("csv", "changes", "expected"),
    [
        (HAM_ROWS, {"table": "other.csv"}, ["other.csv does not exist", "correct `table` or `root`"]),
        (HAM_ROWS, {"image_column": "image"}, ["labels.csv: no column 'image'", "['image_id', 'dx', 'lesion_id']"]),
        (HAM_ROWS, {"label_column": "label"}, ["no column 'label'", "in the config"]),
        (HAM_ROWS, {"group_column": "patient"}, ["no column 'patient'"]),
        (HAM_ROWS, {"label_column": None, "label_columns": ["mel", "nv"]}, ["no column 'mel'"]),
        (HAM_ROWS, {"image_path": "{folder}/{image_id}.png"}, ["image_path names column 'folder'", "'lesion_id'"]),
        (HAM_ROWS, {"image_path": "images/{}.png"}, ["image_path 'images/{}.png'", "write columns as {name}"]),
        (HAM_ROWS, {"image_path": "images/{image_id"}, ["image_path", "write columns as {name}"]),
        (HAM_ROWS, {"classes": ["nv", "bkl"]}, ["labels 'mel'", "'nv', 'bkl'", "add them to `classes`"]),
        (HAM_ROWS + "IMG_9000001,nv,L3\n", {}, ["labels.csv: 1 duplicate", "'IMG_9000001'", "remove the repeated"]),
        (
            HAM_ROWS + "IMG_9000009,,L3\n",
            {},
            ["labels.csv: 1 row without dx, ", "'IMG_9000009'", "fill them in"],
        ),
        ("", {}, ["labels.csv: No columns", "expected a CSV in UTF-8 with a header"]),
        ("image_id,dx,lesion_id\n", {}, ["labels.csv: no labelled image", "expected at least one row"]),
        ("a,b\n1,2,3\n4,5,6,7\n", {}, ["labels.csv: ", "expected a CSV"]),
    ],
)
def test_a_table_that_does_not_fit_the_config_gives_one_message(tmp_path, csv, changes, expected):
    message = message_of(entry_for(write_tree(tmp_path, csv), **changes))
    assert [part for part in expected if part not in message] == [], message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("row", "found"),
    [("0.0,0.0,0.0", "none"), ("1.0,0.0,1.0", "['MEL', 'BCC']"), ("0.5,0.5,0.0", "['MEL', 'NV']"), (",1.0,", "NV")],
)
def test_a_row_without_exactly_one_label_is_named(tmp_path, row, found):
    csv = f"image,MEL,NV,BCC\nISIC_9000001,0.0,1.0,0.0\nISIC_9000002,{row}\nISIC_9000003,0,0,0\n"
    message = message_of(one_hot_entry(write_tree(tmp_path, csv)))
    assert "labels.csv: 2 rows without exactly one positive label; the first is 'ISIC_9000002'" in message
    assert found in message
    assert "correct them" in message


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ("image_id,site\nIMG_9000003,A\nIMG_9000002,A\n", ["1 row of labels.csv", "'IMG_9000001'", "add them here"]),
        ("image_id,site\nIMG_9000003,A\nIMG_9000003,B\n", ["values of 'image_id' repeat", "needs one row per"]),
        ("image,site\nIMG_9000003,A\n", ["no column 'image_id'", "['image', 'site']"]),
    ],
)
def test_a_join_without_exactly_one_partner_is_refused(tmp_path, metadata, expected):
    root = write_tree(tmp_path, metadata=metadata)
    message = message_of(entry_for(root, join={"table": "metadata.csv", "on": "image_id"}))
    assert [part for part in ["metadata.csv", *expected] if part not in message] == [], message


def test_a_join_on_a_column_that_the_first_table_lacks_names_the_first_table(tmp_path):
    root = write_tree(tmp_path, metadata="image,site\nIMG_9000003,A\n")
    assert "labels.csv: no column 'image'" in message_of(entry_for(root, join={"table": "metadata.csv", "on": "image"}))


def long_table(root, counts, per_group=2):
    """`counts` groups of each class, `per_group` images each."""
    rows = [
        f"{name}{group}-{image},{name},{name}{group}\n"
        for name, number in counts.items()
        for group in range(number)
        for image in range(per_group)
    ]
    return write_tree(root, "image_id,dx,lesion_id\n" + "".join(rows), [])


def test_a_subset_takes_whole_groups_in_the_share_of_each_class(tmp_path):
    root = long_table(tmp_path, {"nv": 300, "mel": 90, "df": 10})
    whole = open_source(entry_for(root)).samples
    samples = open_source(entry_for(root, subset={"images": 200, "seed": 0})).samples
    sizes = whole["group"].value_counts()
    assert (samples["group"].value_counts() == sizes[samples["group"].unique()]).all()
    assert abs(len(samples) - 200) <= 3 * 2  # at most one group over for each class
    shares, expected = (frame["label_name"].value_counts(normalize=True) for frame in (samples, whole))
    pd.testing.assert_series_equal(shares.sort_index(), expected.sort_index(), atol=0.02)
    assert samples.index.tolist() == list(range(len(samples)))


def test_a_subset_is_the_same_each_time_and_another_with_another_seed(tmp_path):
    root = long_table(tmp_path, {"nv": 60, "mel": 20})
    first, again, other = (
        open_source(entry_for(root, subset={"images": 40, "seed": seed})).samples for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first, again)
    assert set(first["group"]) != set(other["group"])


def test_a_subset_leaves_no_class_out_and_reads_its_own_images(tmp_path):
    root = long_table(tmp_path, {"nv": 400, "df": 1}, per_group=1)
    source = open_source(entry_for(root, subset={"images": 20, "seed": 0}, channels=1))
    assert set(source.samples["label_name"]) == {"nv", "df"}
    for i, name in enumerate(source.samples["sample_id"]):
        (root / "images").mkdir(exist_ok=True)
        Image.new("L", (2, 2), i).save(root / f"images/{name}.png")
    assert [int(source.read(i).max()) for i in range(len(source.samples))] == list(range(len(source.samples)))


def test_a_row_of_another_length_is_refused_without_showing_it(tmp_path):
    message = message_of(entry_for(write_tree(tmp_path, HAM_ROWS + "IMG_9000009,nv,secret,4\n")))
    assert "Expected 3 columns, got 4; expected a CSV" in message
    assert "secret" not in message


def test_only_the_columns_that_are_used_are_read(tmp_path):
    rows = HAM_ROWS.replace("\n", ",x\n").replace("lesion_id,x", "lesion_id,age")
    table = read_table(write_tree(tmp_path, rows) / "labels.csv", ["dx", "image_id", "absent"])
    assert list(table.rows.columns) == ["image_id", "dx"]
    assert table.header == ["image_id", "dx", "lesion_id", "age"]


def test_a_root_without_one_image_is_found_by_the_check(tmp_path):
    entry = entry_for(write_tree(tmp_path))
    check_source(entry)  # one of three is there: the others are the business of max_bad_images
    (tmp_path / "images/IMG_9000003.png").unlink()
    with pytest.raises(InputError, match=r"IMG_9000003.png does not exist, nor does any other of 3 images"):
        check_source(entry)


CHEST_ROWS = (
    "image_id,dx,lesion_id,modality,view\n"
    "a,nv,L1,X-ray,PA\nb,mel,L2,X-ray,AP\nc,nv,L3,CT,axial\n"
    "d,mel,L4,CT,PA\ne,nv,L5, X-ray ,lateral\nf,mel,L6,MR,oblique\n"
)


def test_rows_are_chosen_by_a_condition_and_the_others_counted(tmp_path):
    root = write_tree(tmp_path, CHEST_ROWS, [f"images/{name}.png" for name in "abcdef"])
    source = open_source(entry_for(root, where={"modality": ["X-ray"]}, channels=1))
    assert source.samples["sample_id"].tolist() == ["a", "b", "e"]
    assert source.samples.index.tolist() == [0, 1, 2]
    assert [int(source.read(i).max()) for i in range(3)] == [10, 20, 50]
    assert source.provenance["left_out"] == {"where: modality is 'CT'": 2, "where: modality is 'MR'": 1}
    assert describe_left_out(source) == "left out: 2 (where: modality is 'CT'), 1 (where: modality is 'MR')"
    both = open_source(entry_for(root, where={"modality": ["X-ray", "CT"], "view": ["PA"]}))
    assert both.samples["sample_id"].tolist() == ["a", "d"]
    views = {f"where: view is {name!r}": 1 for name in ("AP", "axial", "lateral")}
    assert both.provenance["left_out"] == {"where: modality is 'MR'": 1} | views
    assert "left_out" not in open_source(entry_for(root)).provenance


def test_a_condition_may_be_a_number_in_another_encoding(tmp_path):
    root = write_tree(tmp_path, "image_id,dx,lesion_id,year\na,nv,L1,2019.0\nb,mel,L2,2019\nc,nv,L3,2020\n")
    assert open_source(entry_for(root, where={"year": [2019]})).samples["sample_id"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"modality": ["x-ray"]}, "where.modality: no row has ['x-ray']; there are 'X-ray' (3), 'CT' (2), 'MR' (1)"),
        ({"modality": ["CT", "US"]}, "where.modality: no row has ['US']"),
        ({"modalty": ["CT"]}, "no column 'modalty'; name one of its header in the config: ['image_id', 'dx', "),
        ({"modality": ["MR"], "view": ["AP"]}, "where: no row meets all of {'modality': ['MR'], 'view': ['AP']}"),
        ({"dx": ["nv"], "image_id": list("abf")}, None),
    ],
)
def test_a_condition_that_no_row_meets_says_what_there_is(tmp_path, where, expected):
    entry = entry_for(write_tree(tmp_path, CHEST_ROWS), where=where)
    if expected is None:
        assert open_source(entry).samples["sample_id"].tolist() == ["a"]
    else:
        assert f"labels.csv: {expected}" in message_of(entry)


def test_of_many_values_some_are_shown(tmp_path):
    rows = "image_id,dx,lesion_id\n" + "".join(f"i{i},nv,L{i}\n" for i in range(500))
    message = message_of(entry_for(write_tree(tmp_path, rows), where={"lesion_id": ["P1"]}))
    assert "and 492 other values" in message
    assert len(message) < 500
    left_out = open_source(entry_for(tmp_path, where={"lesion_id": ["L7"]})).provenance["left_out"]
    assert len(left_out) == 9
    assert left_out["where: lesion_id is one of 491 other values"] == 491
    assert sum(left_out.values()) == 499


def test_a_condition_of_the_first_table_comes_before_the_join_and_one_of_the_second_after(tmp_path):
    metadata = "image_id,site\na,A\nb,B\ne,A\n"  # the scans of other modalities have no partner
    root = write_tree(tmp_path, CHEST_ROWS, metadata=metadata)
    entry = entry_for(root, join={"table": "metadata.csv", "on": "image_id"})
    assert "3 rows of labels.csv without a partner" in message_of(entry)
    source = open_source(entry | {"where": {"site": ["A"], "modality": ["X-ray"]}})
    assert source.samples["sample_id"].tolist() == ["a", "e"]
    assert source.provenance["left_out"] == {
        "where: modality is 'CT'": 2, "where: modality is 'MR'": 1, "where: site is 'B'": 1
    }  # fmt: skip


def test_repeated_ids_say_in_which_columns_their_rows_differ(tmp_path):
    rows = "image_id,dx,lesion_id,finding,secret\na,nv,L1,x,1\na,nv,L1,y,2\nb,mel,L2,x,3\nb,mel,L2,x,4\nc,nv,L3,x,9\n"
    message = message_of(entry_for(write_tree(tmp_path, rows)))
    assert (
        "2 duplicate sample ids, the first is 'a'; their rows differ in 'finding' (of 1 id), 'secret' (of 2 ids), "
        in (message)
    )
    assert "choose by `where`" in message
    entry = entry_for(tmp_path, where={"finding": ["x"]})
    message = message_of(entry)
    assert "1 duplicate sample id, the first is 'b'; their rows differ in 'secret' (of 1 id)" in message
    message = message_of(entry_for(write_tree(tmp_path, HAM_ROWS + "IMG_9000001,mel,L2\n")))
    assert "their rows are equal, and every image must appear once: remove the repeated rows" in message
    assert "where" not in message
    (tmp_path / "labels.csv").write_bytes(b"image_id,dx,lesion_id,note\nIMG_9000003,nv,L1,\xff\nIMG_9000003,mel,L1,x\n")
    assert "the first is 'IMG_9000003'; their rows differ in 'dx' (of 1 id)" in message_of(entry_for(tmp_path))
    with (tmp_path / "labels.csv").open("a") as file:
        file.write("IMG_9000004,df,L2,x\n")
    entry = entry_for(tmp_path, where={"lesion_id": ["L1"], "dx": ["nv", "mel", "df"]})
    assert "their rows differ in 'dx' (of 1 id)" in message_of(entry)


def test_repeated_ids_of_a_joined_table_are_refused(tmp_path):
    rows = "row,dx,key\n1,nv,k1\n2,mel,k1\n"
    root = write_tree(tmp_path, rows, metadata="key,image_id\nk1,a\n")
    entry = entry_for(root, join={"table": "metadata.csv", "on": "key"}, group_column=None)
    assert "1 duplicate sample id, the first is 'a'" in message_of(entry)
