"""Heads of files: do they hold what the config names, in all sessions, asked before all is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from mesodecode.recordings import heads
from mesodecode.study import study as studies
from told import assert_told

TOLD = Path(__file__).with_name("told")
SESSIONS = ("a1", "a2", "b1", "c1", "d1", "e1")
SIGNALS = {"gru": {"input": "rois", "rnn": "gru"}}
DECODERS = {"linear": {"model": "logistic_regression"}}


def study(decoders=None, **recordings):
    usual = {"movie": "data/{session}.tif", "behavior": "data/{session}.csv", "frame_rate": 10}
    corrections = recordings.pop("corrections", {})
    areas = {"areas": recordings.pop("areas")} if "areas" in recordings else {}
    config = {
        "study": "lab",
        "recordings": usual | recordings,
        "mice": {"a": ["a1", "a2"]} | {mouse: [f"{mouse}1"] for mouse in "bcde"},
        "decoders": decoders or DECODERS,
    }
    return studies.resolve(config | areas | ({"corrections": corrections} if corrections else {}))


def write(kind, content, *sessions):
    for session in sessions or SESSIONS:
        path = Path(f"data/{session}{kind}")
        if isinstance(content, str):
            path.write_text(content)
        elif kind.endswith("tif"):
            tifffile.imwrite(path, content, photometric="minisblack")
        else:
            np.save(path, content)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    write(".tif", np.zeros((6, 4, 5), np.uint16))
    write(".csv", "labels,speed\n" + "0,0\n1,3\n" * 3)
    write("_rois.csv", "V1,M2\n" + "1,2\n2,1\n" * 3)
    write("_times.npy", np.arange(6) / 10)
    write("_brain.npy", np.ones((4, 5)))
    write("_dark.npy", np.zeros((4, 5)))
    write("_areas.npy", np.arange(20).reshape(4, 5) % 3)
    write("_lights.npy", np.resize([1, 2], 6))


def test_what_files_beside_movies_hold_and_how_they_fit(capsys):
    def named(**options):
        return [f"{c.what} {c.state}: {c.words}" for c in heads.named(study(**options))]

    def changed(kind, content, *sessions, **options):
        write(kind, content, *sessions)
        return named(**options)

    rois = {"rois": "data/{session}_rois.csv"}
    times = {"frame_times": "data/{session}_times.npy"}
    brain = {"corrections": {"brain_mask": "data/{session}_brain.npy"}}
    dark = {"corrections": {"dark_frame": "data/{session}_dark.npy"}}
    areas = {"roi_masks": "data/{session}_areas.npy"}
    lights = {"light_sources": "data/{session}_lights.npy"}
    cases = {
        "behaviour by a name that is not there": lambda: named(behavior_labels="run"),
        "all": lambda: named(**rois, **times, **brain),
        "times of frames of one light": lambda: [
            write("_times.npy", np.arange(3) / 10),
            *named(**times, **lights),
        ],
        "times of frames of all lights": lambda: changed(
            "_times.npy", np.arange(6) / 20, **times, **lights
        ),
        "lights of other frames": lambda: changed(
            "_lights.npy", np.resize([1, 2], 8), "a2", **times, **lights
        ),
        "times of all frames": lambda: changed("_times.npy", np.arange(6) / 10, **times),
        "times of another length": lambda: changed("_times.npy", np.arange(9) / 10, "b1", **times),
        "times of another length in two": lambda: changed(
            "_times.npy", np.arange(9) / 10, "d1", **times
        ),
        "times that are a folder": lambda: [
            [Path("data/c1_times.npy").unlink(), Path("data/c1_times.npy").mkdir()],
            *named(**times),
        ],
        "masks of another size": lambda: changed("_brain.npy", np.ones((4, 4)), "c1", **brain),
        "dark frames and masks of areas": lambda: named(**dark, **areas),
        "a dark frame of another size": lambda: changed("_dark.npy", np.ones((5, 4)), "d1", **dark),
        "masks of areas of another size": lambda: changed(
            "_areas.npy", np.ones((5, 4), int), "e1", **areas
        ),
        "ROIs of another session under other names": lambda: changed(
            "_rois.csv", "V1,S1\n" + "1,2\n2,1\n" * 3, "b1", **rois, decoders=SIGNALS
        ),
        "ROIs under other names, of pixels' decoders": lambda: named(**rois),
        "ROIs under other names, matched by areas": lambda: named(
            **rois, decoders=SIGNALS, areas=["V1"]
        ),
        "behaviour that is not there": lambda: [Path("data/a1.csv").unlink(), *named()],
        "a movie that is not there": lambda: [Path("data/a1.tif").unlink(), *named(**times)],
    }
    assert_told(cases, TOLD / "heads.txt", capsys)


def test_rois_of_other_files_than_the_first(capsys):
    def other(**files):
        found = {f"{name}.csv": names and tuple(names.split()) for name, names in files.items()}
        return heads._other_rois(found)

    many = " ".join(f"r{i}" for i in range(8))
    cases = {
        "alike": lambda: other(a="V1 M2", b="V1 M2"),
        "without names": lambda: other(a=None, b="V1", c=None),
        "fewer": lambda: other(a="V1 M2 S1", b="V1"),
        "more": lambda: other(a="V1", b="V1 M2 S1"),
        "others, in two": lambda: other(a="V1 M2", b="V1 S1", c="V1 S1"),
        "in another order": lambda: other(a="V1 M2", b="M2 V1"),
        "many fewer": lambda: other(a=many, b="r0"),
        "five fewer": lambda: other(a="r0 r1 r2 r3 r4 r5", b="r0"),
    }
    assert_told(cases, TOLD / "other_rois.txt", capsys)
