"""Exact duplicates across groups: found, counted, and their groups put together along chains."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from learnability.datasets.duplicates import DIGEST, count_duplicates, find_duplicates, merge_groups
from learnability.datasets.folds import make_folds
from learnability.datasets.prepare import prepare_dataset
from learnability.errors import InputError
from learnability.storage.arrays import open_packed
from learnability.storage.contracts import read_samples


def samples_of(rows):
    return pd.DataFrame(
        [(f"x{i}", label, group) for i, (label, group, _) in enumerate(rows)],
        columns=["sample_id", "label_name", "group"],
    )


def contents_of(rows):
    return b"".join(content.encode().ljust(DIGEST) for _, _, content in rows)


CHAIN = [  # label, group, content: d and b share p, b and a share q, c stands alone, e repeats itself
    ("nv", "d", "p"),
    ("nv", "b", "p"),
    ("nv", "b", "q"),
    ("mel", "a", "q"),
    ("nv", "c", "r"),
    ("nv", "e", "s"),
    ("nv", "e", "s"),
]


def test_images_are_counted_by_where_their_copies_are():
    duplicates = find_duplicates(samples_of(CHAIN), contents_of(CHAIN))
    assert duplicates["sample_id"].tolist() == ["x0", "x1", "x2", "x3", "x5", "x6"]
    assert count_duplicates(duplicates) == {"images": 6, "across_groups": 4, "with_conflicting_labels": 2}


def test_groups_are_merged_along_chains_and_named_by_the_first():
    samples = samples_of(CHAIN)
    merged = merge_groups(samples["group"], find_duplicates(samples, contents_of(CHAIN)))
    assert merged.tolist() == ["a", "a", "a", "a", "c", "e", "e"]


def test_merging_is_union_find():
    """It is compared with a plain union-find over random links."""
    generator = np.random.default_rng(0)
    rows = [("nv", f"g{g:02d}", f"c{c}") for g, c in generator.integers(0, 60, (90, 2))]
    samples = samples_of(rows)
    merged = merge_groups(samples["group"], find_duplicates(samples, contents_of(rows)))
    parent = {group: group for _, group, _ in rows}

    def find(group):
        while parent[group] != group:
            group = parent[group]
        return group

    for _, one, content in rows:
        for _, other, same in rows:
            if content == same:
                first, second = sorted((find(one), find(other)))
                parent[second] = first
    assert merged.tolist() == [find(group) for _, group, _ in rows]
    assert merged.nunique() < samples["group"].nunique()


def test_without_duplicates_nothing_changes():
    rows = [("nv", "a", "p"), ("mel", "b", "q")]
    samples = samples_of(rows)
    duplicates = find_duplicates(samples, contents_of(rows))
    assert count_duplicates(duplicates) == {"images": 0, "across_groups": 0, "with_conflicting_labels": 0}
    assert merge_groups(samples["group"], duplicates).tolist() == ["a", "b"]


def write_download(root):
    """24 images of 24 patients in two classes; images 0, 1 and 2 are the same picture, 1 and 2 with other labels."""
    root.mkdir()
    lines = ["id,label,group"] + [f"x{i},{'ab'[i % 2]},g{i:02d}" for i in range(24)]
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    for i in range(24):
        pixels = np.random.default_rng(max(i, 2)).integers(0, 256, (32, 32), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"x{i}.png")
    return root


@pytest.fixture
def entry(tmp_path):
    table = {"table": "labels.csv", "image_column": "id", "image_path": "{id}.png", "label_column": "label"}
    defaults = {"channels": 1, "resize": "squash", "rare_classes": "error", "max_bad_images": 0, "positive": "b"}
    return {"format": "table", "root": str(write_download(tmp_path / "in")), "group_column": "group"} | table | defaults


def prepare(entry, folder):
    prepare_dataset("invented", entry, 32, 16, n_splits=3, folder=folder, threads=2)
    return read_samples(folder / "samples.parquet"), pd.read_json(folder / "dataset.json", typ="series")


def test_equal_images_in_two_groups_stop_the_job_and_are_named(entry, tmp_path):
    with pytest.raises(InputError) as caught:
        prepare(entry | {"deduplicate": False}, tmp_path / "out")
    message = str(caught.value)
    assert message.startswith("datasets.invented: 3 images with an identical copy in another group, pixel for pixel")
    assert "'x0' (a, group 'g00') = 'x1' (b, group 'g01') = 'x2' (a, group 'g02')" in message
    assert "(3 with a copy of another label)" in message
    assert [way for way in ("`deduplicate: true`", "`duplicates: keep`") if way not in message] == []
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["duplicates.csv"]


def test_an_entry_cannot_ask_for_both(entry, tmp_path):
    with pytest.raises(InputError, match=r"datasets\.invented: deduplicate and `duplicates: keep` exclude one another"):
        prepare(entry | {"deduplicate": True, "duplicates": "keep"}, tmp_path / "out")


def test_two_labels_of_one_image_within_a_group_are_said_and_stop_nothing(entry, tmp_path, capsys):
    table = tmp_path / "in/labels.csv"
    table.write_text(table.read_text().replace("g00", "g02").replace("g01", "g02"))
    _, card = prepare(entry | {"deduplicate": False}, tmp_path / "out")
    assert card["duplicates"] == {"images": 3, "across_groups": 0, "with_conflicting_labels": 3, "groups_merged": 0}
    (said,) = card["warnings"]
    assert said.startswith("3 images with an equal image of another label: 'x0' (a, group 'g02') = 'x1' (b,")
    assert f"warning: invented: {said}" in capsys.readouterr().out


def test_what_is_kept_is_said_in_the_card_and_groups_stay(entry, tmp_path, capsys):
    samples, card = prepare(entry | {"deduplicate": False, "duplicates": "keep"}, tmp_path / "out")
    assert card["duplicates"] == {"images": 3, "across_groups": 3, "with_conflicting_labels": 3, "groups_merged": 0}
    assert samples["group"].nunique() == card["groups"] == 24
    listed = pd.read_csv(tmp_path / "out/duplicates.csv")
    assert listed["sample_id"].tolist() == ["x0", "x1", "x2"]
    packed = open_packed(tmp_path / "out/images.npy")
    assert listed["content"].tolist() == [hashlib.blake2b(packed[i], digest_size=16).hexdigest() for i in range(3)]
    assert card["warnings"][0].startswith(
        "3 images with an equal one in another group, which were kept: 'x0' (a, group "
    )
    assert card["warnings"][0] in capsys.readouterr().out


def test_merged_groups_stay_in_one_fold(entry, tmp_path):
    samples, card = prepare(entry | {"deduplicate": True}, tmp_path / "out")
    assert card["duplicates"]["groups_merged"] == 2
    assert samples["group"].nunique() == card["groups"] == 22
    fold = make_folds(samples, 3, seed=0, rare_classes="error", origin="invented")["fold"]
    assert fold[:3].nunique() == 1
    assert len(samples) == 24
    assert [said.partition(":")[0] for said in card["warnings"]] == ["3 images with an equal image of another label"]


def test_a_list_of_duplicates_does_not_outlive_them(entry, tmp_path):
    prepare(entry | {"deduplicate": False, "duplicates": "keep"}, tmp_path / "out")
    for i in (0, 1):
        Image.new("L", (32, 32), 100 + i).save(tmp_path / f"in/x{i}.png")
    _, card = prepare(entry | {"deduplicate": False}, tmp_path / "out")
    assert card["duplicates"]["images"] == 0
    assert not (tmp_path / "out/duplicates.csv").exists()
