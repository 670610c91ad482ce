"""Labels in every dress: words, cells, classes of MATLAB, matrices; read, or refused by name."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from make_movies import save_v5 as v5
from mesodecode.base.files import UserError
from mesodecode.recordings.readers.behavior import Frames, read_behavior
from told import refusal

FRAMES = Frames(4, 1.0)
LABELS, SPEED = np.array([0, 1, 1, 0]), np.array([0.1, 3.0, 0.6, 0.5])
WORDS = np.array(["rest", "run", "run", "rest"])
CODES = {"rest": 0, "run": 1}


def v73(path, **variables):
    """Write a MAT file as MATLAB's -v7.3 does; values are (class, stored array, attributes)."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, (kind, stored, attributes) in variables.items():
            if kind == "cell":
                cells = []
                for i, value in enumerate(stored):
                    text = isinstance(value, str)
                    data = [[ord(c)] for c in value] if text else np.atleast_2d(value)
                    cell = file.create_dataset(
                        f"#refs#/{i}", data=data, dtype="u2" if text else "f8"
                    )
                    cell.attrs["MATLAB_class"] = np.bytes_("char" if text else "double")
                    cells.append([cell.ref])
                stored = np.array(cells, h5py.ref_dtype)
            item = file.create_dataset(name, data=stored)
            item.attrs["MATLAB_class"] = np.bytes_(kind)
            item.attrs.update(attributes)
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def h5(path, **variables):
    with h5py.File(path, "w") as file:
        for name, value in variables.items():
            file[name] = value


def fields(path, **columns):
    np.save(path, np.rec.fromarrays(list(columns.values()), names=list(columns)))


OF_73 = ("double", SPEED[:, None], {})
CHARS = np.array([[ord(c) for c in word.ljust(4)] for word in WORDS], "u2").T
READ = {
    "words in HDF5": ("b.h5", lambda p: h5(p, labels=WORDS.astype(object), speed=SPEED)),
    "bytes in HDF5": ("b.h5", lambda p: h5(p, labels=WORDS.astype("S8"), speed=SPEED)),
    "a column of words in HDF5": ("b.h5", lambda p: h5(p, labels=WORDS.astype("S8")[:, None])),
    "an enumeration": (
        "b.h5",
        lambda p: h5(p, labels=np.array([7, 2, 2, 7], h5py.enum_dtype({"run": 2, "rest": 7}))),
    ),
    "logicals in HDF5": ("b.h5", lambda p: h5(p, labels=LABELS > 0)),
    "a table in HDF5": (
        "b.h5",
        lambda p: h5(p, labels=np.rec.fromarrays([WORDS.astype("S4"), SPEED], names="state,v")),
    ),
    "words in NPY": ("b.npy", lambda p: np.save(p, WORDS)),
    "words between blanks": (
        *("b.npy", lambda p: np.save(p, np.array([" rest", "run ", " run", "rest"]))),
    ),
    "bytes in NPY": ("b.npy", lambda p: np.save(p, WORDS.astype("S"))),
    "fields of NPY": ("b.npy", lambda p: fields(p, labels=WORDS, speed=SPEED)),
    "true and false": ("b.csv", lambda p: p.write_text("labels\nFalse\nTrue\nTrue\nFalse\n")),
    "true and false in words": ("b.npy", lambda p: np.save(p, (LABELS > 0).astype(str))),
    "cells": ("b.mat", lambda p: v5(p, runrest=WORDS.astype(object), speed_rs=SPEED)),
    "cells of numbers": ("b.mat", lambda p: v5(p, runrest=LABELS.astype(object))),
    "numbers, version 4": (
        *("b.mat", lambda p: scipy.io.savemat(p, {"runrest": 1.0 * LABELS}, format="4")),
    ),
    "char rows": ("b.mat", lambda p: v5(p, runrest=WORDS, speed_rs=SPEED)),
    "logicals": ("b.mat", lambda p: v5(p, runrest=LABELS > 0)),
    "an empty variable": ("b.mat", lambda p: v5(p, runrest=np.zeros((0, 0)), labels=LABELS)),
    "an empty cell": ("b.mat", lambda p: v5(p, runrest=np.zeros((0, 0), object), labels=LABELS)),
    "cells, v7.3": ("b.mat", lambda p: v73(p, runrest=("cell", list(WORDS), {}), speed_rs=OF_73)),
    "cells of numbers, v7.3": (
        "b.mat",
        lambda p: v73(p, runrest=("cell", list(LABELS), {}), speed_rs=OF_73),
    ),
    "char rows, v7.3": ("b.mat", lambda p: v73(p, runrest=("char", CHARS, {}), speed_rs=OF_73)),
    "an empty variable, v7.3": (
        "b.mat",
        lambda p: v73(
            p,
            runrest=("double", np.array([0, 0], "u8"), {"MATLAB_empty": np.uint8(1)}),
            labels=("logical", LABELS.astype("u1")[:, None], {"MATLAB_int_decode": 1}),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_labels_in_every_dress(tmp_path, case):
    file, write = READ[case]
    write(tmp_path / file)
    names = {"behavior_labels": "labels/state"} if "table" in case else {}
    assert read_behavior(tmp_path / file, **names)["labels"].tolist() == [0, 1, 1, 0]


OBJECT = np.array([[0xDD000000, 2, 1, 1, 1, 1]], "u4").T
DECODE = {"MATLAB_object_decode": 3}
SPARSE = scipy.sparse.csc_matrix(LABELS)
STRUCTS = np.array([(1,), (2,)], [("x", object)])
REFUSED = {
    "categorical": ("b.mat", lambda p: v5(p, [("runrest", "categorical")], speed_rs=SPEED)),
    "table": (
        "b.mat",
        lambda p: v5(p, [("runrest", "table"), ("other", "string")], speed_rs=SPEED),
    ),
    "string": ("b.mat", lambda p: v73(p, runrest=("string", OBJECT, DECODE), speed_rs=OF_73)),
    "categorical, which": (  # in a struct, without the attribute
        "b.mat",
        lambda p: v73(p, runrest=("categorical", OBJECT, {}), speed_rs=OF_73),
    ),
    "datetime": ("b.mat", lambda p: v73(p, runrest=("datetime", OBJECT, DECODE), speed_rs=OF_73)),
    "is sparse": ("b.mat", lambda p: v5(p, runrest=SPARSE, speed_rs=SPEED)),
    "is a struct": ("b.mat", lambda p: v5(p, runrest={"state": LABELS}, speed_rs=SPEED)),
    "is a struct; name a field of it, runrest/…": (
        *("b.mat", lambda p: v73(p, **{"runrest/state": OF_73, "speed_rs": OF_73})),
    ),
    "is a field of an array of structs": (
        "b.mat",
        lambda p: v73(
            p, runrest=("", np.array([h5py.Reference()] * 2, h5py.ref_dtype), {}), speed_rs=OF_73
        ),
    ),
    "2 structs": ("b.mat", lambda p: v5(p, runrest=STRUCTS, speed_rs=SPEED)),
    "neither a word nor a number": (
        "b.mat",
        lambda p: v5(p, runrest=np.array([LABELS, 1], object), speed_rs=SPEED),
    ),
    "cell 2 of it neither a word nor a number": (
        "b.mat",
        lambda p: v73(p, runrest=("cell", ["rest", LABELS, "run", 1], {}), speed_rs=OF_73),
    ),
    "runrest is sparse; in MATLAB: runrest = full(runrest)": (
        "b.mat",
        lambda p: v73(p, runrest=("double", [0], {"MATLAB_sparse": np.uint64(1)}), speed_rs=OF_73),
    ),
    "(2, 2)": (  # two columns of cells are not one, one behind the other
        "b.mat",
        lambda p: v5(p, runrest=WORDS.astype(object).reshape(2, 2), speed_rs=SPEED),
    ),
    "is a group": ("b.h5", lambda p: h5(p, **{"labels/state": LABELS, "speed": SPEED})),
    "is of type": (
        "b.h5",
        lambda p: h5(p, labels=np.array([b"r"] * 4, h5py.opaque_dtype("V1")), speed=SPEED),
    ),
    "(4, 2)": ("b.h5", lambda p: h5(p, labels=np.ones((4, 2)), speed=SPEED)),
    "Object arrays": ("b", lambda p: p.mkdir() or [
        np.save(p / "labels.npy", WORDS.astype(object)), np.save(p / "speed.npy", SPEED)]),
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_labels_that_cannot_be_read_are_never_passed_over_for_the_speed(tmp_path, words):
    file, write = REFUSED[words]
    write(tmp_path / file)
    with pytest.raises(UserError) as caught:
        read_behavior(tmp_path / file)
    line = str(caught.value)
    assert words in line and ("runrest" in line or "labels" in line) and "\n" not in line
    if words != "Object arrays":
        got = read_behavior(tmp_path / file, states="speed")  # unless that is what is asked for
        assert got["labels"].tolist() == [0, 1, 1, 0]
        with pytest.raises(UserError, match=r"no 'x' in it; it holds: .*speed"):
            read_behavior(tmp_path / file, behavior_labels="x")


def test_a_list_of_what_a_file_holds_names_what_cannot_be_read(tmp_path):
    v5(tmp_path / "b.mat", [("t", "table"), ("s", "string")], e=[], m=np.ones((5, 2)), w=["a", "b"])
    with pytest.raises(
        UserError, match=r"holds: e \(empty\), m \(5 x 2\), s \(string\), t \(table\)"
    ):
        read_behavior(tmp_path / "b.mat")


def test_what_is_empty_and_asked_for_is_refused(tmp_path):
    v5(tmp_path / "b.mat", runrest=[], speed_rs=SPEED)
    with pytest.raises(UserError, match="runrest is empty"):
        read_behavior(tmp_path / "b.mat", behavior_labels="runrest")
    v5(tmp_path / "b.mat", runrest=[], speed_rs=[])
    with pytest.raises(UserError, match=r"it holds: runrest \(empty\), speed_rs \(empty\)"):
        read_behavior(tmp_path / "b.mat")


def test_a_speed_that_cannot_be_read_is_left_out_beside_labels_and_said(tmp_path, capsys):
    v5(tmp_path / "b.mat", [("speed_rs", "timeseries")], runrest=LABELS)
    assert set(read_behavior(tmp_path / "b.mat")) == {"labels"}
    assert "speed_rs is an object of class timeseries" in capsys.readouterr().err
    with pytest.raises(UserError, match="speed_rs is an object of class timeseries"):
        read_behavior(tmp_path / "b.mat", states="speed")


@pytest.mark.parametrize("missing", ["", "nan", "<undefined>"])
def test_a_word_that_is_missing_is_no_state(tmp_path, missing):
    h5(tmp_path / "b.h5", labels=np.array(["run", missing, "rest", missing], object))
    with pytest.raises(UserError, match="labels has no word at 2 samples, the first 1"):
        read_behavior(tmp_path / "b.h5")


MATRIX = np.stack([np.arange(4) / 2, SPEED, LABELS], axis=1)  # (samples, columns)
MATRICES = {
    "b.mat": lambda p: v5(p, data=MATRIX),
    "turned.mat": lambda p: v5(p, data=MATRIX.T),
    "v73.mat": lambda p: v73(p, data=("double", MATRIX.T, {})),
    "b.h5": lambda p: h5(p, data=MATRIX),
    "turned.h5": lambda p: h5(p, data=MATRIX.T),
    "b.npy": lambda p: np.save(p, MATRIX),
    "folder": lambda p: p.mkdir() or np.save(p / "data.npy", MATRIX),
}


@pytest.mark.parametrize("file", MATRICES)
def test_columns_of_a_matrix_are_named_from_one(tmp_path, file):
    MATRICES[file](tmp_path / file)
    names = {"behavior_speed": "data:2", "behavior_labels": "data:3", "behavior_time": "data:1"}
    got = read_behavior(tmp_path / file, **names)
    np.testing.assert_allclose(got["speed"], SPEED, rtol=1e-6)
    assert got["labels"].tolist() == [0, 1, 1, 0]
    for wrong, words in (("data:4", "3 columns"), ("data:0", "no 'data:0'"), ("data", "data:2 is")):
        with pytest.raises(UserError, match=words):
            read_behavior(tmp_path / file, behavior_labels=wrong)
    if file != "folder":  # whose files are opened when asked for
        with pytest.raises(UserError, match=r"holds: data \(. x .\).*NAME:2 is the second column"):
            read_behavior(tmp_path / file)


@pytest.mark.parametrize("column", [9, 10, 12])
def test_a_column_from_the_tenth_on_is_named_as_any_other(tmp_path, column):
    rows = np.arange(20)[:, None] / 16 + np.arange(1, 13)  # of column 12: 12 and 1/16 more each
    np.save(tmp_path / "b.npy", rows)
    got = read_behavior(tmp_path / "b.npy", behavior_speed=f"data:{column}")
    assert got["speed"].tolist() == [column + at / 16 for at in range(20)]
    with pytest.raises(UserError, match="is not there: 20 x 12 values are 12 columns"):
        read_behavior(tmp_path / "b.npy", behavior_labels=f"data:{column + 11}")


def test_of_a_square_matrix_no_column_can_be_told(tmp_path):
    h5(tmp_path / "b.h5", data=np.ones((4, 4)))
    with pytest.raises(UserError, match="cannot be told from 4 x 4 values"):
        read_behavior(tmp_path / "b.h5", behavior_labels="data:2")


def test_a_colon_in_a_name_is_part_of_it(tmp_path):
    (tmp_path / "b.csv").write_text("state:1,state\n1,0\n0,1\n")
    got = read_behavior(tmp_path / "b.csv", behavior_labels="state:1")
    assert got["labels"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *((name, True) for name in ("rest", "isResting", "immobility", "not_running", "quiet")),
        *((name, False) for name in ("runrest", "run_rest", "labels", "restOrRun", "restless_run")),
        *((name, False) for name in ("run", "forest", "distillation", "interest")),
    ],
)
def test_labels_whose_name_speaks_of_rest_are_taken_for_run_with_a_word(
    tmp_path, capsys, name, said
):
    h5(tmp_path / "b.h5", **{name: LABELS})
    read = read_behavior(tmp_path / "b.h5", frames=FRAMES, behavior_labels=name)
    np.testing.assert_array_equal(read["labels"], LABELS)
    line = f"b.h5: 1 is taken for run, though '{name}' speaks of rest"
    assert (line in capsys.readouterr().err) == said


def test_one_value_with_a_rate_is_refused(tmp_path):
    np.save(tmp_path / "b.npy", 1)
    for name in ("behavior_labels", "behavior_speed"):
        line = refusal(
            *(read_behavior, tmp_path / "b.npy"),
            **{"frames": FRAMES, name: "labels", "behavior_rate": 1},
        )
        assert line == f"{tmp_path / 'b.npy'}: labels has one value; behavior_rate is of more"


def test_types_of_their_own_in_hdf5_are_no_variables(tmp_path):
    with h5py.File(path := tmp_path / "b.h5", "w") as file:
        file["kind"], file["labels"] = np.dtype("u1"), LABELS
    assert read_behavior(path)["labels"].tolist() == LABELS.tolist()
    assert refusal(read_behavior, path, behavior_labels="kind").endswith("it holds: labels")
