"""Tables as programs write them: what columns are read of each text, and which are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesodecode.base.files import UserError
from mesodecode.recordings.readers import table
from mesodecode.recordings.readers.arrays import Unreadable
from mesodecode.recordings.readers.traces import read_variables
from told import assert_told

TOLD = Path(__file__).with_name("told")
NUMBERS = "1,2\n3,4\n5,6\n"


def told(content):
    Path("b.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    found = {}
    for name, held in table.read_table("b.csv").items():
        value = held.read()
        if isinstance(value, Unreadable):
            value = f"not read: {value.why}" + " (empty)" * value.empty
        found[name] = [value if isinstance(value, str) else np.asarray(value), held.unit, held.note]
    return found


TEXTS = {
    "commas": "a,b\n" + NUMBERS,
    "semicolons": "a;b\n1;2\n3;4\n",
    "tabs": "a\tb\n1\t2\n3\t4\n",
    "bars": "a|b\n1|2\n3|4\n",
    "spaces": "a b\n1 2\n3  4\n",
    "spaces, with row names": "a b\n1 5 2\n2 7 4\n",
    "spaces in quotes": '"a x" b\n1 2\n3 4\n',
    "spaces of other lengths": "a b\n1 2 3 4\n1 2 3 4\n",
    "Excel's own line": "sep=;\na;b\n1;2\n",
    "Excel's own line, of commas in fields": "sep=;\na,x;b\n1;2\n",
    "comments": "# of rig 3\n# a,b\n\na,b\n1,2\n3,4\n",
    "a header in a comment": "# a,b\n1,2\n3,4\n",
    "a comment of another length": "# a,b,c\n1,2\n3,4\n",
    "no lines": "",
    "comments only": "# a\n# b\n",
    "a header only": "a,b\n",
    "units": "a,b\nms,[cm/s]\n1,2\n3,4\n",
    "units, and one of them empty": "a,b\nms,\n1,2\n3,4\n",
    "units above words": "a,b\nms,cm/s\nrun,2\n3,4\n",
    "units after an empty line": "a,b\n\n(ms),cm/s\n1,2\n3,4\n",
    "words": "a,b\n1,run\n2,rest\n",
    "decimal commas": "a;b\n1,5;2\n3;,4\n-2,5e-1;+7\n",
    "decimal commas and points": "a;b\n1,5;2.5\n3,5;4\n",
    "decimal commas, and whole numbers with points": "a;b\n1,5;2.0\n3,5;4\n",
    "commas that may be thousands": "a\tb\n1,234\t2\n5\t4\n",
    "commas that may be thousands, by semicolons": "a;b\n1,234;2\n5;4\n",
    "commas that are decimals": "a\tb\n1,2345\t2\n5\t4\n",
    "commas in quotes": 'a,b\n"1,5",2\n"2,5",4\n',
    "a line of blanks": "a b\n1 2\n   \n3 4\n",
    "lines of blanks before names of words": "  \n# a\n\t\na,b\nrun,x\nrest,y\n",
    "blanks in quotes at the end": 'a,b\n1,2," "\n3,4,""\n',
    "lines of blanks and commas": "a,b\n  \n1,2\n\t\n3,4\n",
    "one column of decimal commas": "a\n20,04\n30,5\n",
    "one column": "a\n1\n2\n",
    "one column, and empty cells": "a\n\n1\n\n  \n2\n\n\n",
    "one column, and an empty cell that is quoted": 'a\n1\n""\n2\n""\n',
    "one column of words, and an empty cell": "a\r\nrun\r\n\r\nrest\r\nrun\r\n\r\n",
    "one column, units, and empty cells": "# of rig 3\n\na\ncm/s\n\n1\n\n2\n3\n",
    "one column below a comment, and empty cells": "#\n# a\n#\n\n1\n\n2\n3\n",
    "one column whose ends of lines are written twice": "a\r\r\n1\r\r\n2\r\r\n3\r\r\n\r\r\n",
    "one column, and every other cell empty": "a\n1\n\n2\n\n3\n",
    "one column of empty cells": "a\n\n\n",
    "one column, and two lines in a cell": 'a\n"x\ny"\nz\n',
    "two columns, and lines without any cell": "a,b\n\n1,2\n\n3,4\n,\n",
    "one name above a count and values": "a\n1,5\n2,7\n3,1\n",
    "separators at the end": "a,b\n1,2,\n3,4,\n",
    "row names in quotes": 'a,b\n"1",2,3\n"9",4,5\n',
    "row names of words": "a,b\nx,2,3\ny,4,5\n",
    "row names that count": "a,b\n1,2,3\n2,4,5\n",
    "no row names": "a,b\n1,2,3\n3,4,5\n",
    "two fields more": "a,b\nx,2,3,4\ny,4,5,6\n",
    "a row of fewer fields": "a,b\n1,2\n3\n6,7\n",
    "names twice": "a,b,a\n1,2,3\n",
    "a name that is missing": "a,,b\n1,2,3\n",
    "spaces about names": " a , b\n 1, 2\n",
    "numbers, NaN and infinite": "a,b\n1,nan\n,inf\n-inf,3\n",
    "lines above the header": "Trial,3\nMouse,m1\n\nt,x,y\n1,2,3\n2,3,4\n",
    "lines above the header, and units": "Trial,3\nt,x,y\ns,cm,cm\n1,2,3\n2,3,4\n",
    "a note above the header": "notes of the day\nt;x;y\n1;2;3\n2;3;4\n",
    "a note above names of which some are numbers": "notes of the day\nt,1,2\n1,2,3\n2,3,4\n",
    "EthoVision": '"Number of header lines:";"4"\n"Mouse";"m1"\n"t";"x"\n"s";"cm"\n1;2\n2;3\n',
    "words above words": "a,b\nx,y\n1,2\n",
    "a log of pyControl": "I Experiment name  : x\nI Task name\n",
    "a table of pyControl": "time\ttype\tsubtype\tcontent\n1\tstate\t\tx\n",
    "another table of pyControl": "type\ttime\tname\tvalue\n",
    "a workbook": b"PK\x03\x04abc",
    "an old workbook": b"\xd0\xcf\x11\xe0abc",
    "gzip": b"\x1f\x8babc",
    "a mark of UTF-8": b"\xef\xbb\xbfa,b\n1,2\n",
    "latin-1": "µ,b\n1,2\n".encode("latin-1"),
    "UTF-16": "a,µ\n1,2\n".encode("utf-16"),
    "UTF-16 without a mark": "a,b\n1,2\n".encode("utf-16-le"),
    "lines of old Macs": "a,b\r1,2\r3,4\r",
    "lines of Windows": "a,b\r\n1,2\r\n3,4\r\n",
    "DeepLabCut": (
        "scorer,n,n,n,n,n\nbodyparts,paw,paw,paw,tip,tip\ncoords,x,y,likelihood,x,y\n"
        "0,1,2,0.6,7,8\n1,3,4,0.59,9,9.5\n2,5,6,nan,0,1\n"
    ),
    "DeepLabCut of several": (
        "scorer,n,n,n\nindividuals,m1,m1,m2\nbodyparts,paw,paw,paw\ncoords,x,y,x\n0,1,2,3\n1,4,5,6\n"
    ),
}


@pytest.mark.parametrize("head", range(20, 30))
def test_a_file_is_of_utf8_wherever_its_beginning_is_cut(tmp_path, monkeypatch, head):
    monkeypatch.setattr(table, "HEAD", head)
    (tmp_path / "b.csv").write_text("µ,b\n" + "µµ,2\n" * 9, encoding="utf-8")
    assert [*table.read_table(tmp_path / "b.csv")] == ["µ", "b"]


def test_tables_of_any_program(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cases = {name: (lambda content=content: told(content)) for name, content in TEXTS.items()}
    assert_told(cases, TOLD / "table.txt", capsys)


@pytest.mark.parametrize("error", [MemoryError("x"), OSError("x"), UserError("x")])
def test_what_is_no_fault_of_a_table_is_not_said_to_be_one(tmp_path, monkeypatch, error):
    def read(*_, **__):
        raise error

    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    monkeypatch.setattr("pandas.read_csv", read)
    with pytest.raises(type(error), match=r"^x$"):
        read_variables(tmp_path / "t.csv", ["a"])
    error = RuntimeError("x")
    with pytest.raises(UserError, match=r"t\.csv: not a table \(x\); needs rows of one length"):
        read_variables(tmp_path / "t.csv", ["a"])
