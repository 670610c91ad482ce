"""Cells of MAT files: words, numbers, or both, and what is neither."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from make_movies import save_v5, save_v73
from mesodecode.base import files
from mesodecode.base.files import UserError
from mesodecode.recordings.readers import mat
from mesodecode.recordings.readers.arrays import Unreadable


def test_cells_are_words_where_one_of_them_is(tmp_path):
    cells = {
        "words": ["run", "", "rest"],
        "numbers": [1.0, 2.0, 3.0],
        "both": ["run", 2.0, 3.0],
        "logicals": [True, False],
        "matrices": ["run", np.ones((2, 2)), np.ones(3)],
        "none": [1.0, np.array([])],
    }
    arrays = {}
    for name, values in cells.items():
        arrays[name] = np.empty((1, len(values)), object)
        arrays[name][0] = values
    save_v5(tmp_path / "c.mat", **arrays)
    with mat.holding(tmp_path / "c.mat") as held:
        found = {name: item.read() for name, item in held.items()}
    shown = {name: getattr(value, "why", value) for name, value in found.items()}
    assert shown["words"].tolist() == [["run", "", "rest"]]
    assert shown["numbers"].tolist() == [[1, 2, 3]] and shown["numbers"].dtype == np.float64
    assert shown["both"].tolist() == [["run", "2.0", "3.0"]]
    assert shown["logicals"].tolist() == [[1, 0]]
    for name in ("matrices", "none"):
        why = "is a cell array, and cell 2 of it neither a word nor a number"
        assert shown[name] == why


@pytest.mark.parametrize(
    ("values", "is_object"),
    [
        ([0xDD000000, 2, 1, 1, 1, 1], True),  # of a string inside a struct
        ([0xDD000000, 2, 1, 1, 1], False),  # too few
        ([0xDD000000] + [1] * 97, True),
        ([0xDD000000] + [1] * 98, False),  # too many
        ([2, 0xDD000000, 1, 1, 1, 1], False),
        ([3.0, 1, 1, 1, 1, 1], False),
    ],
)
def test_numbers_inside_structs_are_an_object_where_the_first_says_so(tmp_path, values, is_object):
    kind = float if values[0] == 3 else np.uint32
    save_v73(tmp_path / "x.mat", **{"s/field": np.array(values, kind)})
    with mat.holding(tmp_path / "x.mat") as held:
        found = held["s/field"].read()
        assert "is a struct" in held["s"].read().why
    assert isinstance(found, Unreadable) if is_object else found.tolist() == values


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("categorical", 'x = double(x == "run")'),
        ("string", 'x = double(x == "run")'),
        ("datetime", "x = posixtime(x)"),
        ("duration", "x = seconds(x)"),
        ("table", "x = table2struct(x, 'ToScalar', true)"),
        ("timetable", "x = table2struct(timetable2table(x), 'ToScalar', true)"),
        ("function_handle", None),
        ("containers.Map", "x as numbers"),
    ],
)
def test_what_only_matlab_reads_is_told_with_what_to_write_there(tmp_path, kind, line):
    save_v5(tmp_path / "x.mat", [("x", kind)])
    with mat.holding(tmp_path / "x.mat") as held:
        found = held["x"]
        hint = f"; in MATLAB: {line}; and save again" if line else ""
        assert found.read().why == f"is an object of class {kind}, which only MATLAB can read{hint}"
        assert found.note == kind


def test_rows_of_text_lose_the_blanks_that_fill_them_up(tmp_path):
    save_v5(tmp_path / "x.mat", names=np.array(["V1 ", "M12", " a "]))
    with mat.holding(tmp_path / "x.mat") as held:
        assert held["names"].read().tolist() == ["V1", "M12", " a"]


def test_numbers_of_another_type_are_said(tmp_path):
    save_v5(tmp_path / "x.mat", z=np.array([1j, 2]))
    with mat.holding(tmp_path / "x.mat") as held:
        assert held["z"].read().why == "is of type complex128" and held["z"].note == "complex128"


@pytest.mark.parametrize(
    ("order", "kind", "rows", "is_complex", "takes"),
    [
        ("<", 0, 1, 0, 8),
        ("<", 0, 3, 0, 24),
        ("<", 0, 2, 1, 32),
        ("<", 10, 2, 0, 8),  # single
        ("<", 20, 2, 0, 8),  # int32
        ("<", 30, 2, 0, 4),  # int16
        ("<", 40, 2, 0, 4),  # uint16
        ("<", 50, 2, 0, 2),  # uint8
        (">", 1050, 2, 0, 2),
    ],
)
def test_a_file_of_version_4_takes_what_its_heads_say(
    tmp_path, monkeypatch, order, kind, rows, is_complex, takes
):
    head = struct.pack(f"{order}5i", kind, rows, 10**9, is_complex, 2) + b"x\0"
    (tmp_path / "x.mat").write_bytes(head)
    monkeypatch.setattr(files, "free_memory", lambda: takes * 10**9 - 1)
    with pytest.raises(UserError, match=f"x.mat: all in it takes {takes}.0 GB of memory"):
        mat.read_mat(tmp_path / "x.mat")


@pytest.mark.parametrize("content", [b"  1.0000000e+00  2.0000000e+00\n" * 9, bytes(4000)])
def test_what_is_no_file_of_version_4_is_refused_as_what_it_is(tmp_path, content):
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(UserError) as refusal:
        mat.read_mat(tmp_path / "x.mat")
    assert "x.mat: " in str(refusal.value) and "memory" not in str(refusal.value)


def test_variables_of_version_4_are_counted_together(tmp_path, monkeypatch):
    bytes_ = np.arange(40, dtype=np.uint8).reshape(5, 8)
    counts = {"a": bytes_, "long_name": bytes_.astype("i2"), "c": 1.0 * bytes_}
    scipy.io.savemat(tmp_path / "x.mat", counts, format="4")
    with open(tmp_path / "x.mat", "rb") as file:
        assert mat._bytes_v4(file) == 40 * (1 + 2 + 8)
    monkeypatch.setattr(files, "free_memory", lambda: 40 * (1 + 2 + 8))
    for name, values in mat.read_mat(tmp_path / "x.mat").items():
        np.testing.assert_array_equal(values, counts[name])


def test_a_sparse_matrix_of_version_4_takes_little(tmp_path, monkeypatch):
    sparse = scipy.sparse.coo_array(([1.0], ([5], [7])), shape=(10**5, 10**5))
    scipy.io.savemat(tmp_path / "x.mat", {"s": sparse, "v": np.arange(3.0)}, format="4")
    monkeypatch.setattr(files, "free_memory", lambda: 10**9)
    assert mat.read_mat(tmp_path / "x.mat")["v"].tolist() == [[0, 1, 2]]
