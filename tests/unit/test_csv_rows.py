"""CSV files as spreadsheets and databases write them: every row is read once, whatever is in its other columns."""

import csv
import tracemalloc

import numpy as np
import pytest

from learnability.datasets.formats.csv_rows import ROWS, read_columns
from learnability.datasets.formats.table import read_table
from learnability.datasets.source import open_source
from learnability.errors import InputError

USED = ["id", "diagnosis"]


def written(folder, content):
    path = folder / "labels.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder, content, used=USED):
    return read_table(written(folder, content), used).rows


def refusal(folder, content, used=USED):
    with pytest.raises(InputError) as caught:
        read(folder, content, used)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'labels.csv'}: ")
    assert "\n" not in message
    assert "secret" not in message
    return message


def reports(number, seed):
    """Rows of id, a report of several lines with quotes and commas, and a diagnosis."""
    generator = np.random.default_rng(seed)
    words = ["effusion,", 'the "left" lung', "\n", "\r\n", "nv,mel", "\n\n", "no change"]
    for i in range(number):
        report = " ".join(generator.choice(words, generator.integers(20, 80)))
        yield f"x{i}", report, ("nv", "mel")[i % 2]


@pytest.mark.parametrize("seed", range(4))
def test_a_report_of_several_lines_costs_no_row_and_makes_none(tmp_path, seed):
    """The file has some megabytes, so a reader that goes block by block ends a block inside quotes."""
    rows = list(reports(6000, seed))
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "report", "diagnosis"), *rows])
    assert (tmp_path / "labels.csv").stat().st_size > 2 * 2**20
    found, _ = read_columns(tmp_path / "labels.csv", set(USED))
    assert found["id"].tolist() == [row[0] for row in rows]
    assert found["diagnosis"].tolist() == [row[2] for row in rows]
    used, _ = read_columns(tmp_path / "labels.csv", {"report"})
    assert used["report"].tolist() == [row[1] for row in rows]


@pytest.mark.parametrize(
    "content",
    [
        "id,diagnosis\nx,nv\ny,mel\n",
        "id,diagnosis\nx,nv\ny,mel",
        '"id","diagnosis"\n"x","nv"\n"y","mel"\n',
        "\ufeffid,diagnosis\nx,nv\ny,mel\n",
        '\ufeff"id","diagnosis"\r\n"x","nv"\r\n"y","mel"\r\n',
        "id,diagnosis\r\nx,nv\r\ny,mel\r\n",
        "id,diagnosis\rx,nv\ry,mel\r",
        "\n\nid,diagnosis\n\nx,nv\n\r\n\ny,mel\n\n\n",
        "id,diagnosis,\nx,nv,\ny,mel,\n",
        ",id,diagnosis\n0,x,nv\n1,y,mel\n",
        'id,"a ""quoted""\nheader, of two lines",diagnosis\nx,"5 "" 4, ""\n""",nv\ny,"""",mel\n',
        'id,size,diagnosis\nx,5" wide,nv\ny,,mel\n',
        "id,note,note,diagnosis\nx,1,2,nv\ny,3,4,mel\n",
        b"id,note,diagnosis\nx,gr\xfc\xdf,nv\ny,,mel\n",  # Latin-1, where nobody looks
    ],
)
def test_the_same_table_however_it_was_written(tmp_path, content):
    found = read(tmp_path, content)
    assert found["id"].tolist() == ["x", "y"]
    assert found["diagnosis"].tolist() == ["nv", "mel"]


def test_text_is_kept_to_the_letter(tmp_path):
    values = ["", " ", "a,b", 'say "nv"', "two\nlines", "two\r\nlines", "007", "NA", "ß", "\u2028", "'"]
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([USED, *(("x", value) for value in values)])
    found, _ = read_columns(tmp_path / "labels.csv", set(USED))
    assert found["diagnosis"].tolist() == values
    assert found.dtypes.astype(str).tolist() == ["str", "str"]


@pytest.mark.parametrize("number", [0, 1, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS + 7])
def test_any_number_of_rows(tmp_path, number):
    found = read(tmp_path, "id,diagnosis\n" + "".join(f"x{i},nv\n" for i in range(number)))
    assert found["id"].tolist() == [f"x{i}" for i in range(number)]


def test_a_field_may_be_larger_than_any_block(tmp_path):
    long = "word, \n" * 2**19 + "end"
    found = read(tmp_path, f'id,report,diagnosis\nx,"{long}",nv\ny,,mel\n', [*USED, "report"])
    assert found["report"].tolist() == [long, ""]
    assert found["diagnosis"].tolist() == ["nv", "mel"]


def test_a_name_that_is_there_twice_is_refused_where_it_is_used(tmp_path):
    content = "id,diagnosis,age,diagnosis\nx,nv,3,mel\n"
    message = refusal(tmp_path, content)
    assert message.endswith(
        "2 columns are called 'diagnosis'; give each a name of its own, so that it is clear which one is meant"
    )
    assert read(tmp_path, content, ["id", "age"]).to_numpy().tolist() == [["x", "3"]]


def test_a_study_that_asks_for_an_invented_name_is_told_the_header_as_it_is(tmp_path):
    written(tmp_path, "id,diagnosis,diagnosis\nx,nv,mel\n")
    entry = {"format": "table", "root": str(tmp_path), "table": "labels.csv", "image_column": "id"}
    with pytest.raises(InputError, match=r"no column 'diagnosis\.1'.*\['id', 'diagnosis', 'diagnosis'\]"):
        open_source(entry | {"image_path": "{id}.png", "label_column": "diagnosis.1"})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("id,diagnosis\nx,nv\nsecret,nv,\ny,mel\n", "line 3: Expected 2 columns, got 3; expected a CSV"),
        ('id,note,diagnosis\nx,"a\nb",nv\nsecret\n', "line 4: Expected 3 columns, got 1; expected a CSV"),
        ("id,diagnosis\nx,nv\n   \n", "line 3: Expected 2 columns, got 1"),
        ('id,note,diagnosis\nx,"open,nv\ny,secret,mel\n', "line 3: unexpected end of data; expected a CSV"),
        ('id,note,diagnosis\nx,"shut" secret,nv\n', "line 2: ',' expected after '\"'; expected a CSV"),
        (b"id,diagnosis\nx,gr\xfcn\n", "not UTF-8; expected a CSV in UTF-8 with a header"),
        (b"id,diagnosis,gr\xf6\xdfe\nx,nv,1\n", "not UTF-8; expected a CSV in UTF-8"),
        ("id,diagnosis\nx,nv\n".encode("utf-16"), "not UTF-8; expected a CSV in UTF-8"),
        (b"", "No columns; expected a CSV"),
        (b"\xef\xbb\xbf\n\n", "No columns; expected a CSV"),
    ],
)
def test_what_is_no_such_csv_is_refused_without_showing_it(tmp_path, content, expected):
    assert expected in refusal(tmp_path, content)


def test_the_columns_that_nobody_uses_take_no_memory(tmp_path):
    path = written(tmp_path, "id,report,diagnosis\n" + "".join(f"x{i},{'text ' * 200},nv\n" for i in range(2 * ROWS)))
    read_table(path, USED)
    tracemalloc.start()
    read_table(path, USED)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.3 * path.stat().st_size
