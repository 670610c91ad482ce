"""Light sources of frames: of which of all frames they are, and what is none of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from make_movies import save_h5, save_table
from mesodecode.recordings.readers import light_sources
from told import assert_told

TOLD = Path(__file__).with_name("told")


def test_light_sources_of_files_and_of_frames(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def lights(values, n_frames, signal=2):
        np.save("l.npy", values)
        found = light_sources.lights_of("l.npy", None, n_frames, signal)
        return [found.values, found.numbers, found.n_all]

    def read(name, variable=None):
        return light_sources.read_light_sources(name, variable)

    def saved(values):
        np.save("x.npy", np.array(values))
        return read("x.npy")

    table = {"light_source": [1, 2], "blue": [3, 4], "imagingLightSource": [5, 6]}
    save_table(tmp_path / "usual.csv", **table)
    save_table(tmp_path / "other.csv", blue=[3, 4], half=[0.5, 1])
    save_table(tmp_path / "empty.csv", **{"imaging.imagingLightSource": ["a ", "b"]})
    save_h5(tmp_path / "l.h5", light_sources=np.zeros(0), light_source=np.array([b"x", b"y"]))
    save_h5(tmp_path / "m.h5", light_sources=np.zeros((2, 3)))
    (tmp_path / "none.csv").write_text("a\n")
    three = np.tile([3, 2, 1], 4)
    cases = {
        "one a frame": lambda: lights(three, 12),
        "of one light": lambda: lights(three, 4),
        "of one light, the last without a partner": lambda: lights([*three, 3, 2], 4),
        "of one light, the last with one": lambda: lights([*three, 3, 2, 1], 4),
        "of one light, two more": lambda: lights([*three, 2, 2], 4),
        "of one light in words": lambda: lights(["b", "v", "b"], 2, "b"),
        "of one light, others that begin or end alike": lambda: lights([470, 4, 40, 74, 4], 2, 4),
        "of one light, a number among words": lambda: lights(["470", "off", "470"], 2, 470),
        "of one light, a word among numbers": lambda: lights([470, 405, 470], 2, "470"),
        "of neither": lambda: lights(three, 5),
        "of neither, without a signal": lambda: lights(three, 5, None),
        "whole numbers": lambda: saved([1.0, 2.0]),
        "no whole numbers": lambda: saved([1.0, 2.5]),
        "NaN": lambda: saved([1.0, np.nan]),
        "logicals": lambda: saved([True, False]),
        "bytes": lambda: saved([b"blue", b"uv"]),
        "bytes of another code": lambda: saved([b"vert\xe9", b"b"]),
        "bytes and words before blanks": lambda: [saved([b"a ", b"b"]), saved(["a ", "b"])],
        "a column": lambda: saved([[1], [2]]),
        "a matrix": lambda: saved([[1, 2], [2, 1]]),
        "none": lambda: saved([]),
        "by their usual name": lambda: read("usual.csv"),
        "by another name": lambda: read("usual.csv", "blue"),
        "by a name that is not there": lambda: read("usual.csv", "red"),
        "without any name": lambda: read("other.csv"),
        "no whole numbers by name": lambda: read("other.csv", "half"),
        "of IBL": lambda: read("empty.csv"),
        "an empty one before another": lambda: read("l.h5"),
        "an empty one by name": lambda: read("l.h5", "light_sources"),
        "a matrix by name": lambda: read("m.h5"),
        "an empty table": lambda: read("none.csv"),
    }
    assert_told(cases, TOLD / "light_sources.txt", capsys)
