"""Tables of behaviour as spreadsheets, R, numpy and instruments write them: right or refused."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from mesodecode.base.files import UserError
from mesodecode.recordings.readers.behavior import read_behavior
from mesodecode.recordings.readers.table import read_table

TIME, SPEED = [0.05, 0.1, 0.15], [20.04, 0.0, 3.5]

SAME = {  # the same two columns
    "plain": "time,speed\n0.05,20.04\n0.1,0\n0.15,3.5\n",
    "spaces after commas": "time, speed\n0.05, 20.04\n0.1, 0\n0.15, 3.5\n",
    "Excel in German": "time;speed\r\n0,05;20,04\r\n0,1;0\r\n0,15;3,5\r\n",
    "semicolons and points": "time;speed\n0.05;20.04\n0.1;0\n0.15;3.5\n",
    "Excel's own line": "sep=;\ntime;speed\n0,05;20,04\n0,1;0\n0,15;3,5\n",
    "tabs": "time\tspeed\n0.05\t20.04\n0.1\t0\n0.15\t3.5\n",
    "tabs and decimal commas": "time\tspeed\n0,05\t20,04\n0,1\t0\n0,15\t3,5\n",
    "spaces": "time speed\n0.05 20.04\n0.1 0\n0.15 3.5\n",
    "aligned with spaces": "  time  speed\n  0.05  20.04\n  0.1   0\n  0.15  3.5\n",
    "decimal commas in quotes": '"time","speed"\n"0,05","20,04"\n"0,1","0"\n"0,15","3,5"\n',
    "quotes after spaces": '"time", "speed"\n"0.05", "20.04"\n"0.1", "0"\n"0.15", "3.5"\n',
    "commas at the end": "time,speed\n0.05,20.04,\n0.1,0,\n0.15,3.5,\n",
    "a comma and a space at the end": "time,speed\n0.05,20.04, \n0.1,0, \n0.15,3.5, \n",
    "two commas at the end": "time,speed\n0.05,20.04,,\n0.1,0,,\n0.15,3.5,,\n",
    "semicolons at the end": "time;speed\n0,05;20,04;\n0,1;0;\n0,15;3,5;\n",
    "row names of R": '"time","speed"\n"1",0.05,20.04\n"2",0.1,0\n"3",0.15,3.5\n',
    "row names of R, filtered": '"time","speed"\n"4",0.05,20.04\n"9",0.1,0\n"12",0.15,3.5\n',
    "row names of R, no quotes": "time speed\n1 0.05 20.04\n2 0.1 0\n3 0.15 3.5\n",
    "row names of R, write.table": '"time" "speed"\n"1" 0.05 20.04\n"2" 0.1 0\n"3" 0.15 3.5\n',
    "quoted names with spaces": '"time" "speed" "in b"\n0.05 20.04 1\n0.1 0 2\n0.15 3.5 3\n',
    "row names that are words": "time,speed\na,0.05,20.04\nb,0.1,0\nc,0.15,3.5\n",
    "row names of R, csv2": '"time";"speed"\n"1";0,05;20,04\n"2";0,1;0\n"3";0,15;3,5\n',
    "comments": "# rig 2\n#\ntime,speed\n0.05,20.04\n0.1,0\n0.15,3.5\n",
    "header of numpy": "# time,speed\n0.05,20.04\n0.1,0\n0.15,3.5\n",
    "units below": "time,speed\ns,cm/s\n0.05,20.04\n0.1,0\n0.15,3.5\n",
    "units in brackets": "time;speed\n[s];[cm/s]\n0,05;20,04\n0,1;0\n0,15;3,5\n",
    "empty lines": "\ntime,speed\n\n0.05,20.04\n0.1,0\n\n0.15,3.5\n",
    "bars": "time|speed\n0.05|20.04\n0.1|0\n0.15|3.5\n",
    "lines above": "Rig 2\nmouse,m1,left\n\ntime,speed\n0.05,20.04\n0.1,0\n0.15,3.5\n",
    "comments of another program": "// rig 2\ntime,speed\n0.05,20.04\n0.1,0\n0.15,3.5\n",
    "EthoVision, with units": '"Number of header lines:";"4"\n"Trial";"1"\n"time";"speed"\n'
    '"s";"cm/s"\n0,05;20,04\n0,1;0\n0,15;3,5\n',
    "words behind numbers": "Observation id,o1\n\nMedia file(s)\n,m.avi\n\ntime,speed,what\n"
    "0.05,20.04,run\n0.1,0,rest\n0.15,3.5,run\n",
    "quoted name with a comma": 'time,speed,"a, b"\n0.05,20.04,1\n0.1,0,2\n0.15,3.5,3\n',
}


@pytest.mark.parametrize("case", SAME)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_the_same_table_however_it_is_written(tmp_path, case, encoding):
    (tmp_path / "b.csv").write_bytes(SAME[case].encode(encoding))
    table = read_table(tmp_path / "b.csv")
    np.testing.assert_array_equal(table["time"].read().astype(float), TIME)
    np.testing.assert_array_equal(table["speed"].read().astype(float), SPEED)
    assert not {"", "1", "Unnamed: 0"} & set(table)
    units = (None, None) if "units" not in case else ("s", "cm/s")
    assert (table["time"].unit, table["speed"].unit) == units


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("speed\n20,04\n0,00\n3,5\n", SPEED),
        ("speed\n20,04\n0\n3,5\n", SPEED),  # some are whole
        ("speed\n20.04\n0\n3.5\n", SPEED),
        ("speed\n20.04,\n0,\n3.5,\n", SPEED),
        ('"speed"\n"1",20.04\n"2",0\n"3",3.5\n', SPEED),
        ('"speed"\n"1",20\n"2",0\n"3",3\n', [20, 0, 3]),  # whole numbers too: no decimal commas
        ("speed\n1,20\n2,0\n3,3\n", [20, 0, 3]),
        ("speed\n-1,5\n1e-1\n,5\n", [-1.5, 0.1, 0.5]),
    ],
)
def test_a_table_of_one_column(tmp_path, text, values):
    (tmp_path / "b.csv").write_text(text)
    np.testing.assert_array_equal(read_table(tmp_path / "b.csv")["speed"].read(), values)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,speed\n0,05,20,04\n0,1,0,5\n", "rows of 4 fields below a header of 2 names"),
        ("time,speed\n0,05,20\n0,10,21\n0,15,22\n", "rows of 3 fields below a header of 2"),
        ("time,speed\n0.05,20,7\n0.1,0,8\n", "rows of 3 fields below a header of 2"),
        ("time,speed\n0.05,20\n0.1,0,8\n", "not a table .*# before any other line"),
        ("speed\n0.05\t20\n0.1\t0\n", "rows of 2 fields below a header of 1 names"),
        ("speed\n1.5;20\n0.1;0\n", "rows of 2 fields below a header of 1 names"),
        ("", "no header in it"),
        ("# only a comment\n", "no header in it"),
    ],
)
def test_rows_that_do_not_fit_the_header_are_refused(tmp_path, text, words):
    (tmp_path / "b.csv").write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        read_table(tmp_path / "b.csv")
    assert str(caught.value).startswith(f"{tmp_path / 'b.csv'}: ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04\x14\0\0\n\n", "a workbook of Excel, or a zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a workbook of Excel, not a table; save it as CSV"),
        (gzip.compress(b"speed\n1\n2\n", mtime=0), "compressed by gzip; unpack it"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><title>Sign in</title>", "a page of the web, not the file"),
    ],
)
def test_what_is_no_table_is_refused_by_what_it_is(tmp_path, content, words):
    (tmp_path / "b.csv").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_behavior(tmp_path / "b.csv")
    assert str(caught.value).startswith(f"{tmp_path / 'b.csv'}: ") and words in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        'I Experiment name  : e\nI Task name : t\n\nS {"rest": 1, "run": 2}\n\nD 0 1\nD 1200 2\n',
        "time\ttype\tsubtype\tcontent\n0.000\tinfo\ttask_name\tt\n0.020\tstate\t\trun\n",
        "type\ttime\tname\tvalue\nstate\t20\trun\t\n",
    ],
)
def test_logs_of_pycontrol_are_refused_with_what_to_save(tmp_path, text):
    (tmp_path / "m1.txt").write_text(text)
    with pytest.raises(UserError, match=r"m1.txt: a log of pyControl, .* time \(s\) and state"):
        read_table(tmp_path / "m1.txt")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time;speed\n0.05;20,04\n0.1;3,5\n", "decimal commas, and another column decimal points"),
        ("time\tspeed\n1\t1,234\n2\t3,500\n", "decimals or thousands"),
        ("speed,speed\n1,2\n3,4\n", "the name of 2 columns"),
    ],
)
def test_a_column_that_can_be_read_in_two_ways_is_refused_when_asked_for(tmp_path, text, words):
    (tmp_path / "b.csv").write_text(text)
    assert words in read_table(tmp_path / "b.csv")["speed"].read().why


@pytest.mark.parametrize(
    "text", ["0.05,20.04\n0.1,0\n", "2024-01-31T12:00:00.05,0\n", "12:00:01 3\n12:00:02 4\n"]
)
def test_a_table_without_a_header_is_said_to_have_none(tmp_path, text):
    (tmp_path / "b.csv").write_text(text)
    with pytest.raises(UserError, match=r"no header .its first line: .*write the columns' names"):
        read_behavior(tmp_path / "b.csv", behavior_speed="speed")


def test_names_that_are_numbers_are_no_lines_above_a_header(tmp_path):
    (tmp_path / "b.csv").write_text("time,1,2\ns,V,V\n0.05,20.04,1\n0.1,0,2\n")
    assert list(read_table(tmp_path / "b.csv")) == ["time", "1", "2"]
    (tmp_path / "b.csv").write_text("time,state\nNA,none\nNA,none\nNA,no\n0.05,run\n0.1,run\n")
    assert list(read_table(tmp_path / "b.csv")) == ["time", "state"]


def test_columns_of_labview_begin_with_a_slash(tmp_path):
    (tmp_path / "b.csv").write_text("/'run'/'time',/'run'/'speed'\n0.05,20.04\n0.1,0\n0.15,3.5\n")
    got = read_behavior(tmp_path / "b.csv", behavior_speed="/'run'/'speed'")
    np.testing.assert_allclose(got["speed"], SPEED, rtol=1e-6)


def test_a_table_of_words_stays_words(tmp_path):
    (tmp_path / "b.csv").write_text("state,where\nrest,a\nrun,b\n")
    table = read_table(tmp_path / "b.csv")
    assert table["state"].read().tolist() == ["rest", "run"]
    (tmp_path / "b.csv").write_text("state\nrest\nrun\n")
    assert read_table(tmp_path / "b.csv")["state"].read().tolist() == ["rest", "run"]


def test_one_cell_that_is_no_number_is_named(tmp_path):
    (tmp_path / "b.csv").write_text("speed\n1.5\n2\nn/v\n-.5e1\n")
    with pytest.raises(UserError, match=r"speed holds text; needs numbers \('n/v' at sample 2\)"):
        read_behavior(tmp_path / "b.csv")


def test_a_header_longer_than_what_is_looked_at(tmp_path):
    names = [f"ROI {i} " + 300 * "x" for i in range(4_000)]
    (tmp_path / "b.csv").write_text(",".join(names) + "\n" + ",".join(["1"] * 4_000) + "\n")
    assert list(read_table(tmp_path / "b.csv")) == names
