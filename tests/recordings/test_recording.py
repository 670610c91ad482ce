"""Recordings as later stages read them: alone, together, and what does not go together."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from make_recordings import write_recording
from mesodecode.base.files import UserError
from mesodecode.recordings import recording
from mesodecode.recordings.baseline import fixed
from mesodecode.study.targets import Target
from told import assert_told

TOLD = Path(__file__).with_name("told")
FRAMES = np.arange(4 * 2 * 3).reshape(4, 2, 3).astype(np.uint16)


def made(name, mouse="m1", frames=FRAMES, rate=30.0, **changes):
    write_recording(Path(f"{name}.h5"), frames, mouse=mouse, labels=[0, 1, 1, 0][: len(frames)])
    with h5py.File(f"{name}.h5", "a") as file:
        file.attrs["frame_rate"] = rate
        for key, value in changes.items():
            if isinstance(value, np.ndarray):
                file[key] = value
            else:
                file.attrs[key] = value
    return f"{name}.h5"


def test_recordings_are_read_whole_and_together(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def whole(path):
        found = recording.read_recording(path)
        held = {field.name: getattr(found, field.name) for field in fields(found)}
        held["path"], held["target"] = f"{held['path']}", found.target.told
        return held | {"corrected": found.corrected, "frames": len(found)}

    def corrected(**settings):
        path = made("c")
        with h5py.File(path, "a") as file:
            group = file.create_group("corrections")
            group.attrs["unit"] = "dff"
            if settings:
                group.attrs["settings"] = json.dumps(settings)
        return [recording.is_corrected(path), recording.read_recording(path).unit]

    def together(*paths, **options):
        found = recording.read_recordings(list(paths), **options)
        return [f"{one.session} by {one.reference and one.reference.session}" for one in found]

    def listing(text):
        Path("list.txt").write_text(text)
        return [f"{path}" for path in recording.listed("list.txt")]

    def labels(*of, donors=None):
        found = recording.with_labels_of([recording.read_recording(path) for path in of], donors)
        return [one.labels for one in found]

    def frames(settings, *of):
        recording.check_frames(settings, [recording.read_recording(path) for path in of], "w.pt")

    all_of_it = {
        **{"speed": np.arange(4.0), "segment": np.array([0, 0, 1, 1]), "time": np.arange(4) / 30},
        **{"rois": np.ones((4, 2), np.float32), "recorded_size": [20, 30], "session_name": "é 1"},
        "unit": "dff",
    }
    made("a"), made("b", "m2"), made("c", "m1"), made("d", "m1", rate=31.6), made("e", rate=31.4)
    made("slow", rate=28.6), made("slower", rate=28.4)
    made("small", frames=FRAMES[:, :, :2]), made("short", frames=FRAMES[:3])
    made("full", **all_of_it)
    with h5py.File("full.h5", "a") as file:
        file["rois"].attrs["names"] = ["V1", "M2"]
    made("pupil", target=np.array([0.5, 1, 2, 3], np.float32))
    made("dark", target=np.array([4, 7, 5, 6], np.float32))
    for name in ("pupil", "dark"):
        with h5py.File(f"{name}.h5", "a") as file:
            file["target"].attrs.update(Target("pupil").attributes())
    write_recording(Path("other.h5"), FRAMES, labels=[1, 1, 0, 1])
    size = {"frame_size": [2, 3], "frame_rate": 30}
    cases = {
        "the least": lambda: whole("a.h5"),
        "all of it": lambda: whole("full.h5"),
        "a trace": lambda: whole("pupil.h5"),
        "corrected, whatever by": corrected,
        "corrected by nothing that looks ahead": lambda: corrected(binning=2),
        "corrected by what looks ahead": lambda: corrected(dff="mean"),
        "not corrected": lambda: recording.is_corrected("a.h5"),
        "together": lambda: together("a.h5", "b.h5", "c.h5", "d.h5"),
        "twice": lambda: together("a.h5", "b.h5", "a.h5"),
        "of two sizes": lambda: together("a.h5", "small.h5"),
        "of two sizes, as may be": lambda: together("a.h5", "small.h5", same_size=False),
        "a list": lambda: listing("# words\na.h5\n\n b.h5 \n"),
        "a list of what is not there": lambda: listing("a.h5\nnone.h5\nmore.h5\n"),
        "an empty list": lambda: listing("# words\n"),
        "what is not there": lambda: [f"{path}" for path in recording.listed("none.h5")],
        "roles": lambda: [
            " ".join(one.session for one in role)
            for role in recording.read_roles(["a.h5", "c.h5"], [], ["b.h5"])
        ],
        "mice": lambda: recording.mice_of(
            [recording.read_recording(f"{name}.h5") for name in "bacd"]
        ),
        "labels": lambda: labels("a.h5", "b.h5"),
        "labels of a target": lambda: labels("pupil.h5"),
        "labels exchanged": lambda: labels("a.h5", "b.h5", "other.h5", donors={"a": "other"}),
        "labels of a target exchanged": lambda: labels(
            "pupil.h5", "dark.h5", donors={"pupil": "dark"}
        ),
        "labels of another": lambda: labels("a.h5", "short.h5", donors={"a": "short"}),
        "labels of two targets": lambda: labels("a.h5", "pupil.h5"),
        "frames": lambda: recording.frames_of(
            [recording.read_recording(f"{name}.h5") for name in "ade"]
        ),
        "frames, of signals": lambda: recording.frames_of(
            [recording.read_recording("d.h5")], images=False
        ),
        "frames of a decoder": lambda: frames(size, "a.h5", "e.h5"),
        "frames at another rate": lambda: frames(size, "a.h5", "d.h5"),
        "frames at a lower rate": lambda: frames(size, "slow.h5", "slower.h5"),
        "frames of another size": lambda: frames(size, "a.h5", "small.h5"),
        "frames of which nothing is told": lambda: frames({}, "a.h5", "small.h5", "d.h5"),
        **{
            f"told {given}": (lambda given=given: recording.told_frames(given))
            for given in (
                {"frame_size": (4, 5), "frame_rate": 1.5},
                {"frame_size": [4, 5, 6]},
                {"frame_size": [4, 0]},
                {"frame_size": [4, 5.0]},
                {"frame_size": "ab"},
                {"frame_size": [True, 4]},
                {"frame_rate": 0},
                {"frame_rate": float("inf")},
                {"frame_rate": "30"},
            )
        },
    }
    assert_told(cases, TOLD / "recording.txt", capsys)


def test_a_digest_is_of_all_that_weights_depend_on(tmp_path):
    one = replace(write_recording(tmp_path / "a.h5", FRAMES), rois=np.ones((4, 2), np.float32))
    changes = {
        "labels": np.array([1, 0, 1, 0], np.uint8),
        "decoded": np.arange(4.0),
        "segment": np.array([0, 0, 1, 1]),
        "rois": np.ones((2, 4), np.float32),  # the same bytes
        "pixel_mean": one.pixel_mean + 1,
        "stack_sd": one.stack_sd + 1,
    }
    others = [replace(one, **{name: value}).digest() for name, value in changes.items()]
    others += [replace(one, rois=rois).digest() for rois in (None, np.ones((4, 2), np.int32))]
    others += [replace(one, rois=np.ones((4, 2), "f4").view("i4")).digest()]
    assert len({one.digest(), *others}) == 1 + len(others)
    assert replace(one, mouse="x", session="y", path=Path("z")).digest() == one.digest()


@pytest.mark.parametrize("name", ["frames", "labels", "pixel_mean", "stack_sd"])
def test_what_lacks_a_part_is_no_recording(tmp_path, name):
    write_recording(tmp_path / "a.h5", FRAMES)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file[name]
    with pytest.raises(UserError) as caught:
        recording.read_recording(tmp_path / "a.h5")
    begins, ends = f"{tmp_path / 'a.h5'}: not a preprocessed recording (", "`mesodecode preprocess`"
    assert str(caught.value).startswith(begins) and str(caught.value).endswith(ends)
    with pytest.raises(FileNotFoundError):
        recording.read_recording(tmp_path / "b.h5")


def test_what_is_subtracted_from_frames_and_what_divides_them(tmp_path):
    one = write_recording(tmp_path / "a.h5", FRAMES)
    plain = one.subtracted()
    np.testing.assert_array_equal(plain.at(np.arange(4)), one.pixel_mean[None])
    np.testing.assert_array_equal(one.sds(), np.full(4, one.stack_sd, np.float32))
    images, of = np.stack([FRAMES[0], FRAMES[3]]).astype(np.float32), np.array([0, 0, 1, 1])
    based = replace(one, baseline=fixed(images, of))
    np.testing.assert_array_equal(based.subtracted().at(np.arange(4)), images[of])
    np.testing.assert_array_equal(based.sds(), one.sds())
    own = replace(fixed(images, of), sd=np.array([2, 5], np.float32))
    assert replace(one, baseline=own).sds().tolist() == [2, 2, 5, 5]
    np.testing.assert_array_equal(one.read_frames(1, 3), FRAMES[1:3])
