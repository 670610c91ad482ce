"""Tables are read as they were written, or refused with the line that is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from mesodecode.base.files import UserError
from mesodecode.base.tables import header, read_scores, read_table


def written(folder, text, name="t.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "between"),
    [("t.csv", ","), ("t.csv", ";"), ("t.tsv", "\t"), ("t.txt", "\t"), ("t", ";")],
)
def test_names_stay_as_written_and_numbers_become_numbers(tmp_path, name, between):
    lines = [" test_mouse ", "auc", "note"], ["01", "0.5", "nan"], ["null", "", "1"]
    text = "\ufeff" + "\n".join(between.join(line) for line in lines)
    path = written(tmp_path, text, name)
    assert header(path) == ["test_mouse", "auc", "note"]
    table = read_table(path, ["test_mouse"])
    assert table["test_mouse"].tolist() == ["01", "null"] and table["note"].tolist() == ["nan", "1"]
    np.testing.assert_array_equal(table["auc"], [0.5, np.nan])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,auc\nx,0.5\ny,high\n", "line 3: auc is 'high'; it must be a number"),
        ("a,auc\nx,0.5\ny,1.2\n", "line 3: auc is 1.2, but an AUC is between 0 and 1; correct"),
        ("a,auc\nx,0.5\ny,-0.1\n", "line 3: auc is -0.1, but an AUC is between 0 and 1; correct"),
        ("a;auc\nx;0,5\n", "line 2: auc is '0,5'; it must be a number with a decimal point"),
        ("a,auc\n1,x,0.5\n2,y,high\n", "line 3: auc is 'high'; it must be a number"),  # of R
        ("a,auc\n1,x,2\n2,y,0.5\n", "line 2: auc is 2,"),
        ("a,auc\n1,2,x,0.5\n", "rows have 2 cells more than the header; name all columns"),
        ("\na,auc\n\nx,0.5\n \ny,high\n", "line 6: auc is 'high'"),
        ("\na,auc\n\nx,0.5\n \ny,2\n", "line 6: auc is 2,"),
        ("a,auc\nx,50\ny,100\nz,\n", "line 2: auc is 50, .*percent: divide by 100"),
        ("a,auc\nx,50\ny,101\n", "line 2: auc is 50, .*; correct the table"),
        ("a,auc\nx,50\ny,0.5\nz,1\n", "line 2: auc is 50, .*; correct the table"),
        ("auc\n50\n60\n0.5\n1\n", "line 2: auc is 50, .*; correct the table"),  # half of them
        ("a,auc\n,\n\nx,0.5\n,\ny,2\n", "line 6: auc is 2,"),
        ("a,auc\n,\n", "the table has no rows; check what wrote it"),
        ('"a" "auc"\n"x y" 2\n', "line 2: auc is 2,"),
        ("a,auc\n1,0.5,\n2,0.5,\n", "one cell more than the header, and the last column is empty;"),
        ('a,auc\n"x",0.5,\n"y",0.5,\n', "rows have one cell more than the header, and the last"),
        ("a,auc\n", "the table has no rows; check what wrote it"),
        ("a,x\n1,2\n", "no column auc; the columns are a, x"),
        ("auc, a,a\n1,2,3\n", "two columns are called a; rename one"),
        ("auc\n1,2\n3\n4,5,6\n", "not a CSV or TSV table"),
        (b"auc\n\xff\n", "not a CSV or TSV table"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused_by_its_line(tmp_path, text, words):
    with pytest.raises(UserError, match=words) as caught:
        read_table(written(tmp_path, text), ["auc"])
    assert str(caught.value).startswith(f"{tmp_path / 't.csv'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a,auc\n1,x,0.5\n2,y,1\n", "a,auc\nx,0.5,\ny,1,\n"])
def test_names_of_rows_and_separators_at_their_ends_move_no_column(tmp_path, text):
    table = read_table(written(tmp_path, text), ["auc"])
    assert table.to_dict("list") == {"a": ["x", "y"], "auc": [0.5, 1]}
    assert table.index.tolist() == [0, 1]


@pytest.mark.parametrize(
    "text",
    [
        "test_mouse,auc,\n01,0.5,\n,,\nx,,\n , ,\n,,\n",  # Excel's, below and right of the cells
        "test_mouse,auc,\n01,0.5\n,,\nx\n",
        '"test_mouse" "auc" "n"\n"1" "01" 0.5 ""\n"2" "x" NA "a b"\n',  # of R's write.table
        '"test_mouse"   "auc"\n\n"01" 0.5\n"x"   NA\n',
        "test_mouse\tauc\n01\t0.5\nx\t\n".encode("utf-16"),  # Excel's Unicode text
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.txt"])
def test_tables_of_spreadsheets_and_of_r_have_the_rows_that_say_something(tmp_path, text, name):
    path = written(tmp_path, text, name)
    assert header(path)[:2] == ["test_mouse", "auc"]
    table = read_table(path, ["test_mouse"])
    assert table["test_mouse"].tolist() == ["01", "x"] and table.index.tolist() == [0, 1]
    np.testing.assert_array_equal(table["auc"], [0.5, np.nan])


def test_an_empty_last_column_moves_no_names_of_rows(tmp_path):
    text = '"decoder"\t"test_mouse"\t"note"\n"1"\t"cnn"\t5\t""\n"2"\t"gru"\t6\t\n'
    table = read_table(written(tmp_path, text, "t.tsv"))
    found = {"decoder": ["cnn", "gru"], "test_mouse": ["5", "6"], "note": ["", ""]}
    assert table.to_dict("list") == found


@pytest.mark.parametrize(
    ("text", "name", "columns"),
    [
        ("brain area\nMOs left\n", "t.csv", ["brain area"]),
        ("decoder (a, b)\ncnn\n", "t.tsv", ["decoder (a, b)"]),
        ("\tauc\n0\t0.9\n", "t.txt", ["", "auc"]),
    ],
)
def test_a_header_is_parted_by_what_its_file_is_named_after(tmp_path, text, name, columns):
    assert header(written(tmp_path, text, name)) == columns
    assert len(read_table(tmp_path / name).columns) == len(columns)


@pytest.mark.parametrize("text", ["decoder auc\ncnn gru 0.9\ncnn lstm 0.8\n", "'a b' c\nd 1\n"])
def test_names_with_blanks_are_never_parted(tmp_path, text):
    with pytest.raises(UserError, match=r"no column auc|delimiter"):
        read_table(written(tmp_path, text, "t.txt"), ["auc"])
    with pytest.raises(UserError, match="no column auc"):
        read_table(written(tmp_path, text, "t.csv"), ["auc"])


def test_a_table_whose_columns_nothing_parts_needs_a_suffix(tmp_path):
    with pytest.raises(UserError, match=r"t: not a CSV or TSV table \(.*delimiter\)"):
        read_table(written(tmp_path, "auc\n0.5\n", "t"), ["auc"])


def test_an_auc_may_be_1_by_rounding(tmp_path):
    assert read_table(written(tmp_path, "auc\n1.0000000001\n0\n"))["auc"].tolist()[1] == 0


def test_of_a_table_of_another_score_that_is_what_is_compared(tmp_path):
    text = "a,r2,correlation,auc_x,accuracy\nx,-0.5,0.7,1,1\n"
    table = read_scores(written(tmp_path, text), "r2", ["a", "auc"])
    assert table.to_dict("list") == {"a": ["x"], "auc": [-0.5]}
    table = read_scores(written(tmp_path, "a,auc\nx,0.5\n"), "auc", ["a"])
    assert table.to_dict("list") == {"a": ["x"], "auc": [0.5]}


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"", b"one word"])
def test_what_is_no_table_has_no_names(tmp_path, text):
    path = written(tmp_path, text, "t")
    assert header(path) == []
    with pytest.raises(UserError, match=rf"^{path}: not a CSV or TSV table \(.+\); check the file"):
        read_table(path)
