"""The slice table of CT-RATE: patients from names, copies merged, conflicts by the rule of the config."""

from learnability.datasets.source import check_source, open_source
from tests.downloads import check_message, message_of, save_image, values

CODES = ["1a", "1b", "1c", "1d", "1e", "1f", "2a", "2b", "2c", "2d", "2e", "2h"]
HEADER = ["index", "path", "Split", "id", "No Finding", *CODES]
ROWS = [
    ("train_9001_a_1_f100", "2d"),
    ("train_9001_b_2_f7", "No Finding"),
    ("valid_9001_a_1_f3", "1a"),
    ("train_9002_a_1_f12", "2c"),
    ("train_9002_a_1_f12", "2c"),  # a copy
    ("train_9002_a_1_f12", "2c"),  # and another
]
CONFLICT = [*ROWS, ("train_9001_a_1_f100", "1c"), ("train_9001_a_1_f100", "2d")]


def write_slices(root, rows=ROWS, **changes):
    lines = [",".join(HEADER)]
    for number, (name, label) in enumerate(rows):
        path = f"processed_files/ctflow_slices/{name}.nii.gz.png"
        flags = ["1" if code == label else "0" for code in HEADER[4:]]
        lines.append(",".join([str(number), path, "0", name.split("_")[1], *flags]))
        save_image(root / path, 10 * (1 + [each for each, _ in rows].index(name)))
    (root / "ctrate.csv").write_text("\n".join(lines) + "\n")
    return {"format": "ct_rate", "root": str(root), **changes}


def test_copies_of_a_row_are_merged(tmp_path):
    source = open_source(write_slices(tmp_path))
    assert source.samples["sample_id"].tolist() == [name for name, _ in ROWS[:4]]
    assert source.samples["label_name"].tolist() == ["2d", "No Finding", "1a", "2c"]
    assert source.provenance["copies_merged"] == 2
    assert values(source) == [10, 20, 30, 40]
    check_source(write_slices(tmp_path))


def test_split_and_patient_are_the_group(tmp_path):
    """Numbers start again in the validation part, for other people."""
    group = open_source(write_slices(tmp_path)).samples["group"]
    assert group.tolist() == ["train_9001", "train_9001", "valid_9001", "train_9002"]


def test_the_thirteen_classes_are_in_the_order_of_the_published_study(tmp_path):
    source = open_source(write_slices(tmp_path))
    assert source.grouped
    assert source.classes == [*CODES, "No Finding"] == sorted(source.classes)
    assert source.channels == 1


def test_rows_in_conflict_stop_with_their_number_and_the_first(tmp_path):
    message = message_of(write_slices(tmp_path, CONFLICT))
    assert (
        "ctrate.csv: 1 slice with more than one label, the first is 'train_9001_a_1_f100' with ['1c', '2d']" in message
    )
    assert "`conflicting_rows: drop`" in message


def test_rows_in_conflict_are_dropped_whole_when_asked(tmp_path, capsys):
    source = open_source(write_slices(tmp_path, CONFLICT, conflicting_rows="drop"))
    assert source.samples["sample_id"].tolist() == [name for name, _ in ROWS[1:4]]
    assert values(source) == [20, 30, 40]
    assert (source.provenance["copies_merged"], source.provenance["conflicting_slices_dropped"]) == (2, 1)
    assert "slices in conflict dropped: 1" in capsys.readouterr().out


def test_rows_are_compared_with_the_published_number(tmp_path):
    assert open_source(write_slices(tmp_path)).published["differences"] == {"rows": {"published": 22305, "found": 6}}


def test_another_name_of_the_table_is_a_key(tmp_path):
    entry = write_slices(tmp_path)
    (tmp_path / "ctrate.csv").rename(tmp_path / "mine.csv")
    assert "ctrate.csv does not exist" in check_message(entry)
    assert len(open_source(entry | {"table": "mine.csv"}).samples) == 4


def test_a_name_without_a_patient_is_refused(tmp_path):
    message = message_of(write_slices(tmp_path, [("slice_9001", "2d")]))
    assert "1 name without split, patient, scan and reconstruction, the first is 'slice_9001'" in message


def test_another_class_list_is_refused(tmp_path):
    entry = write_slices(tmp_path)
    text = (tmp_path / "ctrate.csv").read_text()
    (tmp_path / "ctrate.csv").write_text(text.replace("2h", "2g", 1))
    assert "missing ['2h'], unknown ['2g']" in message_of(entry)


def test_slices_that_lie_elsewhere_are_named(tmp_path):
    entry = write_slices(tmp_path)
    (tmp_path / "processed_files").rename(tmp_path / "slices")
    assert "train_9001_a_1_f100.nii.gz.png does not exist, nor does any other of 4 images" in check_message(entry)
