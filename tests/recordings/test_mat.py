"""Cells of MAT files: words, numbers, or both, and what is neither."""

from __future__ import annotations

import numpy as np

from make_movies import save_v5
from mesodecode.recordings.readers import mat


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
