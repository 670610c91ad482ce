"""Axes of arrays: the letters that are taken, and the orders that would be other ones."""

from __future__ import annotations

from pathlib import Path

from mesodecode.recordings.axes import Asked, Axes, ask, axes_of, other
from told import assert_told

TOLD = Path(__file__).with_name("told")


def told(*of):
    axes = axes_of(*of, "x.h5")
    return axes.letters, axes.by, axes.shape


def test_letters_of_arrays(capsys):
    cases = {
        "as usual": lambda: told((9, 4, 5), None, "TYX"),
        "as asked for": lambda: told((9, 4, 5), "XYT", "TYX"),
        "usual, with an axis of one": lambda: told((9, 1, 4, 5), None, "TYX"),
        "asked for, with axes of one": lambda: told((1, 9, 4, 1, 5), "XYT", "TYX"),
        "a letter for an axis of one": lambda: told((9, 1, 4, 5), "TZYX", "TYX"),
        "a letter for an axis of two": lambda: told((9, 2, 4, 5), "TZYX", "TYX"),
        "channels": lambda: told((9, 2, 4, 5), "TCYX", "TYX"),
        "channels twice": lambda: told((9, 2, 3, 4, 5), "TCCYX", "TYX"),
        "one frame": lambda: told((1, 4, 5), None, "TYX"),
        "one frame of two axes": lambda: told((4, 5), "YX", "TYX"),
        "time twice": lambda: told((9, 4, 5), "TTX", "TYX"),
        "two axes": lambda: told((9, 20), None, "TYX"),
        "two axes, asked for": lambda: told((9, 20), "TYX", "TYX"),
        "four axes": lambda: told((9, 2, 4, 5), None, "TYX"),
    }
    assert_told(cases, TOLD / "axes.txt", capsys)


def test_another_axis_as_time():
    assert Axes("TYX", shape=(90, 40, 50)).others() == {"YTX": 40, "YXT": 50}
    assert Axes("XYT", shape=(50, 40, 90)).others(2) == {"TXY": 25, "XTY": 20}
    assert Axes("TCYX", shape=(90, 2, 40, 51)).others() == {"CYTX": 80, "CYXT": 102}
    assert Axes("TCYX", shape=(90, 2, 40, 51), movies=3).others(6) == {"CYTX": 40, "CYXT": 51}
    assert Axes("T1YX", shape=(90, 1, 40, 50)).others() == {"1YTX": 40, "1YXT": 50}
    assert Axes("TYX").others() == {}
    orders = {"YTX": 100, "YXT": 110}
    assert [other(orders, n) for n in (100, 110, 101)] == ["YTX", "YXT", ""]
    found = [other(orders, n, 0.05) for n in (95, 95.3, 104, 105, 106, 115, 115.8)]
    assert found == ["", "YTX", "YTX", "YTX", "YXT", "YXT", ""]
    assert ask("") == "" and ask("YXT") == "is another axis time? set movie_axes: YXT; or "


def test_what_is_asked_for_is_named():
    assert Asked().named == "" and Asked().dataset is None
    assert Asked(datasets=("a", "b")).dataset == "a"
    assert Asked(shape=(4,)).named == "movie_shape" and Asked(dtype="u2").named == "movie_dtype"
    assert Asked(mask=Path("mask.tif")).named == "movie_mask" and Asked("TYX").named == ""
    every = Asked("TYX", (0, 4), "u2", Path("mask.tif"))
    assert every.named == "movie_shape, movie_dtype, movie_mask"
