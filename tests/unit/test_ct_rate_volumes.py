"""Slices from NIfTI volumes and masks: the slice rule, the window, the view, and what is refused."""

import nibabel
import numpy as np
import pytest

from learnability.datasets.formats.nifti import as_seen
from learnability.datasets.source import check_source, open_source
from tests.downloads import check_message, message_of

DEPTH = 20
RULE = {"every": 2, "no_finding_every": 3, "margin_mm": 4}
SPACING = 1.5  # mm between slices
AFFINE = np.diag([-0.7, -0.7, SPACING, 1.0])  # x to the patient's left, y to posterior: as most scans are stored


def volume_of(depth=DEPTH):
    """Slice k has the value 10 k in Hounsfield units, with air in one corner."""
    values = np.broadcast_to(10 * np.arange(depth), (6, 8, depth)).astype(np.int16).copy()
    values[0, 0] = -1000
    return values


def mask_of(*slices, depth=DEPTH):
    mask = np.zeros((6, 8, depth), np.uint8)
    mask[2, 3, list(slices)] = 1
    return mask


def save(path, values, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, affine), path)


SCAN = "dataset/train/train_9001/train_9001_a/train_9001_a_1.nii.gz"
OTHER = "dataset/valid/valid_9001/valid_9001_a/valid_9001_a_2.nii.gz"


def write_scans(root, masks=None, rows=None, **changes):
    """Two scans; the first has findings 2d on slices 4..8 and 1a on 8..9, the second 2c on slice 0."""
    masks = masks or {"a.nii.gz": mask_of(4, 5, 6, 7, 8), "b.nii.gz": mask_of(8, 9), "c.nii.gz": mask_of(0)}
    rows = rows or [f"{SCAN},masks/a.nii.gz,2d", f"{SCAN},masks/b.nii.gz,1a", f"{OTHER},masks/c.nii.gz,2c"]
    for name in (SCAN, OTHER):
        save(root / name, volume_of())
    for name, mask in masks.items():
        save(root / "masks" / name, mask)
    (root / "findings.csv").write_text("\n".join(["volume,mask,category", *rows]) + "\n")
    entry = {"format": "ct_rate_volumes", "root": str(root), "table": "findings.csv", "window": [0, 255]}
    return entry | {"slice_rule": RULE, "conflicting_rows": "drop"} | changes


def chosen(source, patient):
    rows = source.samples[source.samples["group"] == patient]
    indices = rows["sample_id"].str.rpartition("_f")[2].astype(int)
    return {label: indices[rows["label_name"] == label].tolist() for label in rows["label_name"].unique()}


@pytest.mark.parametrize("threads", [1, 3])
def test_slices_are_chosen_by_the_rule(tmp_path, threads):
    source = open_source(write_scans(tmp_path), threads)
    assert source.grouped
    # 8 crosses two categories. More than 4 mm, that is three slices or more, from 4..9: 0, 1, 12 and on, every third.
    expected = {"2d": [4, 6], "1a": [9], "No Finding": [0, 13, 16, 19]}
    assert chosen(source, "train_9001") == expected
    assert chosen(source, "valid_9001") == {"2c": [0], "No Finding": [3, 6, 9, 12, 15, 18]}
    assert source.provenance["conflicting_slices_dropped"] == 1
    assert source.samples["sample_id"].str.startswith(("train_9001_a_1_f", "valid_9001_a_2_f")).all()


def test_a_slice_of_two_categories_stops_by_default(tmp_path):
    entry = write_scans(tmp_path)
    del entry["conflicting_rows"]
    message = message_of(entry)
    assert "findings.csv: 1 slice across masks of more than one category, the first is train_9001_a_1_f8" in message
    assert "`conflicting_rows: drop`" in message


def test_two_findings_of_one_category_are_no_conflict(tmp_path):
    rows = [f"{SCAN},masks/a.nii.gz,2d", f"{SCAN},masks/b.nii.gz,2d"]
    assert chosen(open_source(write_scans(tmp_path, rows=rows)), "train_9001")["2d"] == [4, 6, 8]


def test_a_category_that_is_no_class_still_keeps_no_finding_away(tmp_path):
    rows = [f"{SCAN},masks/a.nii.gz,2d", f"{SCAN},masks/b.nii.gz,2g"]
    assert chosen(open_source(write_scans(tmp_path, rows=rows)), "train_9001") == {
        "2d": [4, 6],
        "No Finding": [0, 13, 16, 19],
    }


def test_a_scan_with_an_empty_mask_gives_no_healthy_slices(tmp_path, capsys):
    """Nobody knows where its finding is."""
    masks = {"a.nii.gz": mask_of(4, 5), "b.nii.gz": mask_of(), "c.nii.gz": mask_of(0)}
    source = open_source(write_scans(tmp_path, masks))
    assert chosen(source, "train_9001") == {"2d": [4]}
    assert source.provenance["empty_masks"] == 1
    assert "findings with an empty mask: 1" in capsys.readouterr().out


def test_a_file_of_several_findings_is_read_by_the_column_finding(tmp_path):
    masks = {"a.nii.gz": np.stack([mask_of(4, 5), mask_of(9)]), "c.nii.gz": mask_of(0)}
    rows = [f"{SCAN},masks/a.nii.gz,2d,0", f"{SCAN},masks/a.nii.gz,1a,1", f"{OTHER},masks/c.nii.gz,2c,"]
    entry = write_scans(tmp_path, masks, rows)
    text = (tmp_path / "findings.csv").read_text()
    (tmp_path / "findings.csv").write_text(text.replace("category\n", "category,finding\n"))
    found = chosen(open_source(entry), "train_9001")
    assert (found["2d"], found["1a"]) == ([4], [9])
    (tmp_path / "findings.csv").write_text(text.replace("1a,1", "1a,2").replace("category\n", "category,finding\n"))
    assert "2 finding(s) in the file and finding '2' in the table; expected a number from 0 to 1" in message_of(entry)


def test_pixels_are_hounsfield_units_through_the_window(tmp_path):
    source = open_source(write_scans(tmp_path, window=[-50, 160]))
    for i, index in enumerate(source.samples["sample_id"].str.rpartition("_f")[2].astype(int)):
        image = source.read(i)
        assert image.shape == (8, 6, 1)
        assert image.dtype == np.uint8
        expected = round(255 * min(max((10 * index + 50) / 210, 0), 1))
        assert np.unique(image).tolist() == sorted({0, expected})


def test_the_scale_of_the_header_is_applied_and_that_of_the_metadata_only_when_asked(tmp_path):
    rows = [f"{SCAN},masks/a.nii.gz,2d"]
    entry = write_scans(tmp_path, rows=rows, window=[-1024, 976])
    image = nibabel.Nifti1Image(volume_of(), AFFINE)
    image.header.set_slope_inter(2, -20)
    nibabel.save(image, tmp_path / SCAN)
    plain = open_source(entry)
    stored = np.asarray(nibabel.load(tmp_path / SCAN).dataobj[..., 4], np.float32)
    assert plain.read(1)[-1, 0, 0] == round(255 * (stored[-1, -1] + 1024) / 2000)
    (tmp_path / "m.csv").write_text(f"VolumeName,RescaleSlope,RescaleIntercept\n{SCAN.rpartition('/')[2]},0.5,-100\n")
    rescaled = open_source(entry | {"rescale_tables": ["m.csv"]})
    assert plain.provenance["hounsfield_units"] == "as the NIfTI headers scale them"
    assert set(rescaled.provenance["tables"]) == {"findings.csv", "m.csv"}
    assert rescaled.read(1)[-1, 0, 0] == round(255 * (0.5 * stored[-1, -1] - 100 + 1024) / 2000)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAS", "RPS", "LPI", "PRS", "ASR"])
def test_anterior_is_on_top_and_the_right_side_on_the_left(codes):
    """The corner at the patient's front right is dark, in whichever corner the file stores it."""
    start = nibabel.orientations.axcodes2ornt("RAS")
    target = nibabel.orientations.axcodes2ornt(codes)
    world = np.zeros((3, 4, 5), np.float32)
    world[-1, -1] = 1  # most right, most anterior
    transform = nibabel.orientations.ornt_transform(start, target)
    values = nibabel.orientations.apply_orientation(world, transform)
    affine = nibabel.orientations.inv_ornt_aff(transform, world.shape)
    if codes[2] not in "SI":
        with pytest.raises(OSError, match="third axis is not axial"):
            as_seen(values[..., 0], affine)
        return
    seen = as_seen(values[..., 0], affine)
    assert seen.shape == (4, 3)
    assert seen[0, 0] == 1
    assert seen.sum() == 1


def test_a_complete_download_passes_the_check_without_reading_all_masks(tmp_path):
    entry = write_scans(tmp_path)
    (tmp_path / "masks/c.nii.gz").write_bytes(b"not yet")
    check_source(entry)


def test_values_that_are_no_hounsfield_units_are_found_before_the_start(tmp_path):
    entry = write_scans(tmp_path)
    save(tmp_path / SCAN, volume_of() + 1024)
    message = check_message(entry)
    assert "slice 10 has no value below -300" in message
    assert "`rescale_tables`" in message
    (tmp_path / "m.csv").write_text(f"VolumeName,RescaleSlope,RescaleIntercept\n{SCAN.rpartition('/')[2]},1,-1024\n")
    check_source(entry | {"rescale_tables": ["m.csv"]})
    (tmp_path / "m.csv").write_text("VolumeName,RescaleSlope,RescaleIntercept\nother.nii.gz,1,-1024\n")
    assert "train_9001_a_1.nii.gz is not in `rescale_tables`" in check_message(entry | {"rescale_tables": ["m.csv"]})


def test_a_broken_volume_is_an_unreadable_image(tmp_path):
    entry = write_scans(tmp_path)
    source = open_source(entry)
    (tmp_path / OTHER).write_bytes((tmp_path / OTHER).read_bytes()[:-60])
    last = len(source.samples) - 1
    with pytest.raises(OSError, match="valid_9001_a_2"):
        source.read(last)
    assert source.read(1).any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_slice_with_values_that_are_no_numbers_is_an_unreadable_image(tmp_path, value):
    source = open_source(write_scans(tmp_path))
    values = volume_of().astype(np.float32)
    values[3, 3, 3:] = value
    save(tmp_path / OTHER, values)
    first = source.samples.index[source.samples["group"] == "valid_9001"][0]
    assert source.read(first).shape == (8, 6, 1)  # slice 0
    with pytest.raises(OSError, match=r"valid_9001_a_2\.nii\.gz: 1 voxels of slice 18 are NaN or infinite"):
        source.read(len(source.samples) - 1)


@pytest.mark.parametrize(("changes", "expected"), [
    ({"window": [400, -1000]}, "window [400, -1000]: expected [low, high]"),
    ({"table": "other.csv"}, "other.csv does not exist"),
    ({"rows": [f"{SCAN},masks/a.nii.gz,3x"]}, "categories ['3x'] unknown"),
    ({"rows": [f"{SCAN},masks/z.nii.gz,2d"]}, "1 of 2 volumes and masks missing, the first is"),
    ({"masks": {"a.nii.gz": mask_of(1, depth=9), "b.nii.gz": mask_of(1), "c.nii.gz": mask_of(1)}},
     "a.nii.gz: shape (6, 8, 9) for the volume's (6, 8, 20)"),
])  # fmt: skip
def test_what_does_not_fit_is_named_before_the_start(tmp_path, changes, expected):
    assert expected in check_message(write_scans(tmp_path, **changes))


def test_a_table_without_its_columns_or_rows_is_named(tmp_path):
    entry = write_scans(tmp_path)
    (tmp_path / "findings.csv").write_text("scan,mask,category\n")
    assert "findings.csv: no column 'volume'" in check_message(entry)
    (tmp_path / "findings.csv").write_text("volume,mask,category\n")
    assert "findings.csv: no row; expected one per finding" in check_message(entry)


def test_a_volume_whose_name_holds_no_patient_is_named(tmp_path):
    entry = write_scans(tmp_path, rows=["scan9001.nii.gz,masks/a.nii.gz,2d"])
    save(tmp_path / "scan9001.nii.gz", volume_of())
    assert "the first is 'scan9001'; expected names like train_9_a_1" in check_message(entry)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_voxel_that_is_no_number_makes_its_slice_unreadable(tmp_path, wrong):
    """Otherwise NaN would become black, or whatever the machine casts it to."""
    values = volume_of().astype(np.float32)
    values[3, 4, 6] = wrong
    entry = write_scans(tmp_path)
    save(tmp_path / SCAN, values)
    source = open_source(entry)
    row = source.samples["sample_id"].tolist().index("train_9001_a_1_f6")
    with pytest.raises(OSError, match=r"train_9001_a_1\.nii\.gz: 1 voxels of slice 6 are NaN or infinite"):
        source.read(row)
    assert source.read(row - 1).any()


def test_a_mask_with_nan_crosses_no_slice_by_it(tmp_path):
    mask = mask_of(4, 5).astype(np.float32)
    mask[0, 0, 11] = np.nan
    entry = write_scans(tmp_path, {"a.nii.gz": mask, "b.nii.gz": mask_of(8), "c.nii.gz": mask_of(0)})
    with pytest.raises(OSError, match=r"a\.nii\.gz: 1 voxels of slice 11 are NaN"):
        open_source(entry)


def test_complex_voxels_are_refused(tmp_path):
    entry = write_scans(tmp_path)
    save(tmp_path / SCAN, volume_of() + 1j * volume_of())
    assert "voxels of complex128; expected one real number each" in check_message(entry)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("{name},,-1024\n", "has no number in `rescale_tables`"),
        ("{name},nan,-1024\n", "has no number in `rescale_tables`"),
        ("{name},1,-1024\n{name},1,0\n", "has two scales in `rescale_tables`"),
    ],
)
def test_a_scale_that_is_missing_or_there_twice_is_named(tmp_path, rows, expected):
    entry = write_scans(tmp_path, rescale_tables=["m.csv"])
    content = "VolumeName,RescaleSlope,RescaleIntercept\nother.nii.gz,,\n" + rows.format(name=SCAN.rpartition("/")[2])
    (tmp_path / "m.csv").write_text(content)
    assert expected in check_message(entry)
