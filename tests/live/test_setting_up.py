"""What does not go together is refused in one line, before the first frame."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch

from make_live import RATE, SIDE, live, make_weights, movie, offline, table, write
from mesodecode.base.files import UserError
from mesodecode.live import setting_up
from mesodecode.live.engine import Member, open_members
from mesodecode.live.outputs import COLUMNS
from mesodecode.live.watch import Watch
from mesodecode.recordings.recording import read_recording
from mesodecode.study import schema


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--frame-rate", "0"], "--frame-rate 0: needs"),
        (["--frame-rate", "nan"], "--frame-rate nan: needs"),
        (["--frame-rate", "inf"], "--frame-rate inf: needs"),
        (["--frame-rate", "30"], "--frame-rate: 30 frames/s, but .*t1.h5 has 10"),
        (["--known", "fast.h5"], "t1.h5: 10 frames/s, but .*fast.h5 has 30"),
        (["--known", "a_known.h5", "--image-size", "16"], "--image-size 16: .* has 32"),
        (["--image-size", "-3"], "--image-size -3: needs"),
        (["--image-size", "16"], "t1.h5: a recording of .*, corrected already; leave corrections"),
        (["--binning", "2"], "corrected already; leave corrections, --image-size and --roi-masks"),
        (["--roi-masks", "m.json"], "corrected already; leave corrections"),
        (["--frames", "0"], "--frames 0: needs"),
        (["--shape", "0", "5"], "--shape"),
        (["--shape", "1000000", "1000000"], "--shape 1000000 1000000"),
        (["--dtype", "object"], "--dtype"),
        (["--rate", "30Hz"], "--rate"),
        (["--publish", "70000"], "70000: a port"),
        (["--osc", "nohost.invalid:9000"], "--osc nohost"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, capsys, monkeypatch, flags, says):
    monkeypatch.chdir(tmp_path)
    files = make_weights(tmp_path, "cnn")
    write(tmp_path / "fast.h5", mouse="a", frame_rate=30.0)
    path, out = write(tmp_path / "t1.h5"), tmp_path / "o.tsv"
    assert live("--weights", *files, "--source", path, "--out", out, *flags) == 1
    assert re.search(says, capsys.readouterr().err.splitlines()[-1])
    assert not out.exists() or out.read_text().split() == [*COLUMNS]


def test_signals_of_another_number_of_rois_are_refused(tmp_path, capsys):
    files, path = make_weights(tmp_path, "gru"), tmp_path / "t1.h5"
    write(path, rois=np.ones((80, 4), np.float32))
    assert live("--weights", *files, "--source", path, "--out", tmp_path / "o.tsv") == 1
    assert "the decoder cannot read 4 values of a frame" in capsys.readouterr().err


def test_what_comes_is_what_the_decoder_reads(tmp_path):
    """Frames of another size are signals' and the reverse; a list of ROIs, and a reference."""
    cnn, gru = make_weights(tmp_path, "cnn"), make_weights(tmp_path, "gru", roi_names=["a", "b"])
    with pytest.raises(UserError, match="--weights: decoders of images and of ROI signals"):
        open_members([*cnn, *gru])
    (images,), (signals,) = open_members(cnn), open_members(gru)

    def pushed(loaded, values, reference=None):
        Member(loaded, RATE, reference).push(np.zeros(values, np.float32), False)

    with pytest.raises(UserError, match="--source: ROI signals come, but the decoder reads im"):
        pushed(images, 3)
    reference = read_recording(write(tmp_path / "t0.h5"))
    said = r"t0\.h5: frames of \(32, 32\) px, but those that come are of \({}, {}\) once corrected"
    for size in ((16, 16), (64, 32), (32, 33)):
        with pytest.raises(UserError, match=said.format(*size)):
            pushed(images, size, reference)
    with pytest.raises(UserError, match="--roi-masks: frames come, but the decoder reads ROI"):
        pushed(signals, (32, 32))
    for n in (1, 3):
        with pytest.raises(UserError, match=f"--weights: trained on 2 ROIs, but {n} come"):
            pushed(signals, n)
    (third,) = open_members(make_weights(tmp_path, "gru", rois=[1, 3]))
    with pytest.raises(UserError, match="rois: the decoder reads ROI 3, but 2 come"):
        pushed(third, 2)


def test_a_rate_that_nobody_tells_is_asked_for_and_files_of_a_session_may_differ(tmp_path):
    with pytest.raises(UserError, match="--frame-rate: give it"):
        setting_up._frame_rate(None, [], [])
    assert setting_up._frame_rate(9.0, [], []) == 9
    defaults = schema.defaults("corrections")
    given = defaults | {"brain_mask": "today.npy"}
    known = SimpleNamespace(path=tmp_path / "k.h5", shape=(9, 32, 32), recorded_size=None)
    h5py.File(known.path, "w").close()
    assert setting_up._as_known(given, None, known) == (given, None)
    assert setting_up._as_known(given, 32, known) == (given, 32)
    words = re.escape(
        f"--dark-offset 9: {known.path} was made with {defaults['dark_offset']}; leave"
    )
    with pytest.raises(UserError, match=f"^{words} the flag out, or --known$"):
        setting_up._as_known(defaults | {"dark_offset": 9}, None, known)
    words = re.escape(f"--image-size 16: {known.path} has 32; leave it out")
    with pytest.raises(UserError, match=f"^{words}$"):
        setting_up._as_known(given, 16, known)


def test_known_recordings_that_were_corrected_otherwise_say_nothing(tmp_path):
    """Those of two labs, or with a mask for each session: today's frames are like none of them."""

    def known(name, **changed):
        with h5py.File(tmp_path / name, "w") as file:
            file.create_group("corrections").attrs["settings"] = json.dumps(changed)
        return SimpleNamespace(path=tmp_path / name)

    given = schema.defaults("corrections")
    plain, same, dark = known("p.h5"), known("s.h5", binning=1), known("d.h5", dark_offset=90)
    masks = [known(f"{n}.h5", brain_mask=f"{n}.npy") for n in "ab"]
    setting_up._check_alike(given, [])
    setting_up._check_alike(given, [plain, same])
    setting_up._check_alike(given, [masks[0], masks[0]])
    setting_up._check_alike(given | {"brain_mask": "today.npy"}, masks)
    said = f"--known: dark_offset is 0 in {plain.path}, but 90 in {dark.path}; give those of this "
    with pytest.raises(UserError, match=f"^{re.escape(said)}rig alone$"):
        setting_up._check_alike(given, [plain, same, dark])
    said = f"--known: brain_mask is a.npy in {masks[0].path}, but b.npy in {masks[1].path}; give"
    with pytest.raises(UserError, match=f"^{re.escape(said)} today's by --brain-mask$"):
        setting_up._check_alike(given, masks)


def test_a_network_of_images_is_compiled_for_the_size_that_is_known(tmp_path, monkeypatch, capsys):
    made = []
    monkeypatch.setattr(setting_up, "compile_for_one", lambda cnn, size: made.append(size))
    cnn, cpu = open_members(make_weights(tmp_path, "cnn")), torch.device("cpu")
    known = SimpleNamespace(shape=(9, 24, 32))

    def compiled(found, alike=None, size=None, device=cpu, wanted=True):
        made.clear()
        setting_up._compile(found, {"compile": wanted}, device, alike, size)
        return made

    assert compiled(cnn) == []
    assert "not compiled, slower: no --known or --image-size" in capsys.readouterr().err
    assert compiled(cnn, known) == [(24, 32)] and compiled(cnn, known, 16) == [(16, 16)]
    assert compiled(cnn, size=16) == [(16, 16)]
    told = open_members(make_weights(tmp_path, "cnn", frame_size=[40, 48]))
    assert compiled(told) == [(40, 48)] and compiled(told, known) == [(24, 32)]
    assert compiled(cnn, known, wanted=False) == []
    assert compiled(cnn, known, device=torch.device("cuda")) == []
    assert compiled(open_members(make_weights(tmp_path, "linear")), known) == []
    assert compiled(open_members(make_weights(tmp_path, "gru")), known) == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("source", "known", "light"),
    [
        ("counts", None, True),
        ("dff", None, False),
        ("counts", "counts", True),
        ("counts", "dff", False),
        ("dff", "counts", False),
    ],
)
def test_brightness_is_watched_where_all_frames_are_counts(
    tmp_path, monkeypatch, source, known, light
):
    files, told = make_weights(tmp_path, "linear"), []
    path = write(tmp_path / "t1.h5", unit=source)
    flags = ["--known", write(tmp_path / "k.h5", mouse="a", unit=known)] if known else []

    def watch(*args, light):
        told.append(light)
        return Watch(*args, light=light)

    monkeypatch.setattr(setting_up, "Watch", watch)
    words = ["--weights", *files, "--source", path, "--out", tmp_path / "o.tsv", *flags]
    assert live(*words, "--frames", "1") == 0
    assert told == [light]


@pytest.mark.parametrize(
    ("recorded", "size", "image_size"),
    [((24, 32), (24, 32), None), ((48, 64), (32, 32), 32), (None, (32, 32), None)],
)
def test_frames_are_resized_where_those_of_known_recordings_were(
    tmp_path, recorded, size, image_size
):
    path = tmp_path / "k.h5"
    h5py.File(path, "w").close()
    known = SimpleNamespace(path=path, shape=(9, *size), recorded_size=recorded)
    given = schema.defaults("corrections")
    assert setting_up._as_known(given, None, known) == (given, image_size)


# --- what weights say of frames -------------------------------------------------------------------

TOLD = {"frame_size": [SIDE, SIDE], "frame_rate": RATE}


@pytest.mark.parametrize("kind", ["cnn", "frozen", "finetuned"])
def test_frames_as_in_training_need_neither_known_recordings_nor_a_rate(tmp_path, capsys, kind):
    files = make_weights(tmp_path, kind, **TOLD)
    movie().tofile(tmp_path / f"m_{SIDE}_{SIDE}_uint16.dat")
    source = ["--source", tmp_path / f"m_{SIDE}_{SIDE}_uint16.dat", "--timeout", "0.3"]
    replayed = [*source, "--rate", "own", "--frames", "1", "--out", tmp_path / "r.tsv"]
    assert kind != "cnn" or live("--weights", *files, *replayed) == 0  # at the rate of training
    assert live("--weights", *files, *source, "--out", tmp_path / "o.tsv") == 0
    said = "frames are taken to come at 10/s, as those that --weights was trained on; --frame-rate "
    assert f"{said}says another\n" in capsys.readouterr().err
    frames, probability = offline(files, read_recording(write(tmp_path / "t1.h5")))
    found = table(tmp_path / "o.tsv")
    assert found.frame.tolist() == frames.tolist()
    np.testing.assert_allclose(found.probability, probability, atol=1e-5)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (
            ["m_16_64_uint16.dat"],
            r"frames of \(16, 64\) px once corrected, but --weights was trained",
        ),
        (["m_32_32_uint16.dat", "--binning", "2"], r"frames of \(16, 16\) px once corrected"),
        (["m_32_32_uint16.dat", "--image-size", "24"], r"frames of \(24, 24\) px once corrected"),
        (["m_32_32_uint16.dat", "--frame-rate", "12"], "--frame-rate: 12 frames/s, but --weights"),
        (
            ["large.h5"],
            r"large.h5: frames of \(48, 48\) px, but --weights was trained on \(32, 32\)",
        ),
        (["m_32_32_uint16.dat", "--known", "large.h5"], r"large.h5: frames of \(48, 48\) px"),
        (["fast.h5"], "fast.h5: 20 frames/s, but --weights has 10"),
    ],
)
def test_frames_unlike_those_of_training_are_refused_in_a_line(
    tmp_path, capsys, monkeypatch, flags, says
):
    monkeypatch.chdir(tmp_path)
    files = make_weights(tmp_path, "cnn", **TOLD)
    for name in ("m_32_32_uint16.dat", "m_16_64_uint16.dat"):
        movie().tofile(name)
    write(tmp_path / "large.h5", movie(side=48), mouse="a" if "--known" in flags else "t")
    write(tmp_path / "fast.h5", frame_rate=20.0)
    assert live("--weights", *files, "--out", "o.tsv", "--timeout", "0.3", "--source", *flags) == 1
    said = capsys.readouterr().err.splitlines()
    assert re.search(says, said[-1])
    assert sum("error" in line for line in said) == 1


def test_weights_that_do_not_say_it_take_frames_of_any_size(tmp_path):
    files = make_weights(tmp_path, "cnn")
    path = write(tmp_path / "t1.h5", movie(side=48), frame_rate=20.0)
    assert live("--weights", *files, "--source", path, "--out", tmp_path / "o.tsv") == 0


def test_signals_at_another_rate_than_in_training_are_refused(tmp_path, capsys):
    files = make_weights(tmp_path, "gru", frame_rate=2 * RATE)
    path = write(tmp_path / "t1.h5")
    assert live("--weights", *files, "--source", path, "--out", tmp_path / "o.tsv") == 1
    assert "t1.h5: 10 frames/s, but --weights has 20" in capsys.readouterr().err


GIVEN = {"out": "o.tsv", "publish": None, "osc": None, "show": False, "frames": None}
GIVEN |= {"image_size": None, "shape": None, "dtype": None}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        *(({"out": None} | {one: "5555"}, None) for one in ("publish", "osc", "show")),
        ({"out": None}, "--out, --publish, --osc or --show: give one, or nobody sees what is dec"),
        ({"frames": 1, "image_size": 1}, None),
        ({"frames": 0}, "--frames 0: needs 1 or more"),
        ({"image_size": 0}, "--image-size 0: needs 1 or more"),
        ({"shape": [32768, 32768], "dtype": "uint8"}, None),
        ({"shape": [32768, 32769]}, "--shape 32768 32769: no camera has such frames"),
        ({"shape": [0, 9]}, "--shape"),
        ({"dtype": "object"}, "--dtype"),
    ],
)
def test_flags_that_say_nothing_or_what_cannot_be_are_named(change, said):
    args = SimpleNamespace(**GIVEN | change)
    if said is None:
        setting_up._check(args)
        return
    with pytest.raises(UserError, match=f"^{said}"):
        setting_up._check(args)


@pytest.mark.parametrize(
    ("given", "recorded", "trained", "rate"),
    [
        (None, [30, 31.4], None, 30),
        (None, [30, 31.6], None, "a: 30 frames/s, but b has 31.6; a decoder's windows are counted"),
        (20, [19.1], 20.9, 20),
        (20, [18.9], None, "--frame-rate: 20 frames/s, but a has 18.9; a decoder's"),
        (20, [], 21.1, "--frame-rate: 20 frames/s, but --weights has 21.1; a dec"),
        (None, [], 15, 15),
        (None, [], None, "--frame-rate: give it (frames/s of one channel), or --known record"),
        (0, [], None, "--frame-rate 0: needs frames/s, above 0"),
        (np.inf, [], None, "--frame-rate inf: needs frames/s, above 0"),
    ],
)
def test_frame_rates_may_differ_by_a_twentieth(given, recorded, trained, rate):
    recordings = [
        SimpleNamespace(frame_rate=one, path=name)
        for one, name in zip(recorded, "ab", strict=False)
    ]
    told = {} if trained is None else {"frame_size": [8, 8], "frame_rate": trained}
    decoders = [SimpleNamespace(settings=told), SimpleNamespace(settings={})]
    if not isinstance(rate, str):
        assert setting_up._frame_rate(given, recordings, decoders) == rate
        return
    with pytest.raises(UserError, match=f"^{re.escape(rate)}"):
        setting_up._frame_rate(given, recordings, decoders)


@pytest.mark.parametrize(
    ("given", "told", "rate"), [(None, None, None), (7.0, 9.0, 7.0), (None, 9.0, 9.0)]
)
def test_a_source_is_opened_as_flags_settings_and_known_recordings_say(
    monkeypatch, given, told, rate
):
    asked = {}
    monkeypatch.setattr(setting_up, "open_source", lambda text, **how: asked.update(how, text=text))
    args = SimpleNamespace(source="m.tif", frame_rate=given, shape=[4, 5], dtype="uint8")
    settings = {"rate": "own", "max_message": 3, "timeout": 2.0}
    setting_up._source(args, settings, 2, True, told)
    assert asked == settings | {
        **{"text": "m.tif", "signals": True, "frame_rate": rate, "channels": 2},
        **{"shape": [4, 5], "dtype": "uint8"},
    }


# --- which ROIs come ------------------------------------------------------------------------------

SQUARES = {name: [[x, 2], [x + 4, 2], [x + 4, 8], [x, 8]] for x, name in ((1, "a"), (8, "b"))}
SQUARES["c"] = [[20, 20], [28, 20], [28, 28], [20, 28]]


@pytest.mark.parametrize(("today", "names"), [("xbca", "abc"), ("cab", "123")])
def test_rois_of_today_are_taken_by_the_names_of_training(tmp_path, capsys, today, names):
    """Whatever their order in the file, and whatever else is in it."""
    files = make_weights(tmp_path, "gru", roi_names=[*names], **TOLD)
    masks = {name: SQUARES.get(name, SQUARES["a"]) for name in today}
    (tmp_path / "masks.json").write_text(json.dumps(masks))
    source = tmp_path / f"m_{SIDE}_{SIDE}_uint16.dat"
    movie().tofile(source)
    flags = ["--roi-masks", tmp_path / "masks.json", "--out", tmp_path / "o.tsv"]
    assert live("--weights", *files, "--source", source, "--timeout", "0.3", *flags) == 0
    order = "abc" if names == "abc" else today  # numbers do not tell
    rows, columns = np.indices((SIDE, SIDE))
    rois = []
    for name in order:
        (left, top), _, (right, bottom), _ = masks[name]
        inside = (columns >= left) & (columns < right) & (rows >= top) & (rows < bottom)
        rois.append(movie()[:, inside].mean(axis=1))
    one = write(tmp_path / "t1.h5", rois=np.float32(np.transpose(rois)))
    frames, probability = offline(files, read_recording(one))
    found = table(tmp_path / "o.tsv")
    assert found.frame.tolist() == frames.tolist() and probability.std() > 1e-3
    np.testing.assert_allclose(found.probability, probability, atol=1e-5)
    said = "masks.json: ROIs are taken in their order, 'c' for '1': the names do not tell\n"
    assert (said in capsys.readouterr().err) == (names == "123")


def test_rois_of_other_names_are_refused(tmp_path):
    (abc,) = open_members(make_weights(tmp_path, "gru", roi_names=[*"abc"]))
    (none,) = open_members(make_weights(tmp_path, "gru", roi_names=[""] * 3))
    (acb,) = open_members(make_weights(tmp_path, "gru", roi_names=[*"acb"]))
    one, other = (read_recording(write(tmp_path / f"{n}1.h5")) for n in "tu")
    named, swapped = replace(one, roi_names=(*"abc",)), replace(other, roi_names=(*"acb",))
    bare = replace(other, rois=None)
    assert setting_up._roi_names([none, abc], [named, bare, other]) == [*"abc"]
    assert setting_up._roi_names([none], [named, swapped]) == []
    with pytest.raises(UserError, match=r"^--weights: decoders of other ROIs, or of other order"):
        setting_up._roi_names([abc, none, acb], [])
    with pytest.raises(UserError, match=r"^--weights: trained on ROI 2 as 'b', but it is 'c' in"):
        setting_up._roi_names([abc], [named, swapped])
