"""The phantom generator is repeatable, grouped and long-tailed, and says plainly what is wrong with an entry."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from learnability.datasets.formats.phantom_views import MODALITIES
from learnability.datasets.source import open_source

MODALITY_NAMES = list(MODALITIES)


def entry_for(modality: str, **changes) -> dict:
    counts = {name: 6 - rank for rank, name in enumerate(MODALITIES[modality].classes)}
    entry = {"modality": modality, "groups": counts, "images_per_group": [1, 3], "size": 64, "seed": 0}
    return {"format": "phantom", **entry, **changes}


@pytest.mark.parametrize("modality", MODALITY_NAMES)
def test_images_are_uint8_of_the_asked_size_and_channels(modality):
    source = open_source(entry_for(modality, size=48))
    image = source.read(0)
    assert image.shape == (48, 48, source.channels)
    assert image.dtype == np.uint8
    assert source.channels == (3 if modality == "skin" else 1)
    assert source.synthetic
    assert image.std() > 10


@pytest.mark.parametrize("modality", MODALITY_NAMES)
def test_same_bytes_in_any_order_and_from_threads(modality):
    first, second = open_source(entry_for(modality)), open_source(entry_for(modality))
    rows = range(len(first.samples))
    forward = [first.read(i) for i in rows]
    with ThreadPoolExecutor(4) as pool:
        backward = list(pool.map(second.read, reversed(rows)))[::-1]
    assert first.samples.equals(second.samples)
    assert all(np.array_equal(a, b) for a, b in zip(forward, backward, strict=True))


def test_another_seed_gives_other_images():
    assert not np.array_equal(open_source(entry_for("ct")).read(0), open_source(entry_for("ct", seed=1)).read(0))


def test_an_image_does_not_depend_on_how_many_groups_follow():
    few = open_source(entry_for("echo", groups={"normal": 2, "defect": 1}))
    many = open_source(entry_for("echo", groups={"normal": 2, "defect": 9}))
    assert np.array_equal(few.read(len(few.samples) - 1), many.read(len(few.samples) - 1))


@pytest.mark.parametrize("modality", MODALITY_NAMES)
def test_groups_per_class_and_names(modality):
    entry = entry_for(modality)
    source = open_source(entry)
    samples = source.samples
    assert list(samples.columns) == ["sample_id", "label_name", "group"]
    assert source.classes == list(entry["groups"])
    assert samples.groupby("label_name")["group"].nunique().to_dict() == entry["groups"]
    assert samples["sample_id"].is_unique
    assert samples["sample_id"].iloc[0] == f"{modality}-0000-0"
    assert (samples["sample_id"].str.rsplit("-", n=1).str[0] == samples["group"]).all()


def test_images_per_group_is_an_inclusive_range():
    sizes = open_source(entry_for("chest")).samples["group"].value_counts()
    assert set(sizes) == {1, 2, 3}


@pytest.mark.parametrize("modality", MODALITY_NAMES)
def test_images_of_a_group_are_more_alike_than_images_of_a_class(modality):
    label_name = MODALITIES[modality].classes[0]
    source = open_source(entry_for(modality, groups={label_name: 12}, images_per_group=[2, 2]))
    images = np.stack([source.read(i) for i in range(24)]).astype(float).reshape(24, -1)
    distance = np.abs(images[:, None] - images[None]).mean(axis=2)
    groups = source.samples["group"].to_numpy()
    same = (groups[:, None] == groups[None]) & ~np.eye(24, dtype=bool)
    assert distance[same].mean() < 0.7 * distance[groups[:, None] != groups[None]].mean()


@pytest.mark.parametrize("key", ["modality", "groups", "images_per_group", "size", "seed"])
def test_missing_key_is_named(key):
    entry = entry_for("skin")
    del entry[key]
    with pytest.raises(ValueError, match=f"missing key '{key}'; expected modality"):
        open_source(entry)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modality": "mri"}, "modality 'mri' is unknown; expected chest, skin, ct, echo"),
        ({"groups": {"normal": 3}}, "groups .*expected counts of 1 or more for classes of nevus"),
        ({"groups": {}}, "groups"),
        ({"groups": {"nevus": 0}}, "groups"),
        ({"images_per_group": [3, 1]}, r"images_per_group .*1 <= low <= high"),
        ({"images_per_group": [2]}, "images_per_group"),
        ({"size": 8}, "size 8; expected"),
        ({"seed": -1}, "seed -1; expected"),
    ],
)
def test_wrong_value_is_named_with_what_was_expected(changes, message):
    with pytest.raises(ValueError, match=message):
        open_source(entry_for("skin") | changes)
