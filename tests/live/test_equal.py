"""What is decoded live is what is decoded offline of the same frames, by decoders of all kinds."""

from __future__ import annotations

import functools
import sys
from dataclasses import replace
from importlib.util import find_spec

import h5py
import numpy as np
import pytest
import torch

from make_live import IMAGES, RATE, ROIS, live, make_weights, movie, offline, signals, table, write
from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.decoders import applied, compiling, predictions
from mesodecode.decoders.networks import CNNDecoder, for_use
from mesodecode.live.engine import Member, open_members
from mesodecode.recordings.recording import read_recording

CUT = np.repeat([0, 1, 2], [55, 3, 22])  # gaps after 55 and 58 frames


def decoded(tmp_path, files, source, *more):
    out = tmp_path / "live.tsv"
    assert live("--weights", *files, "--source", source, "--out", out, *more) == 0
    return table(out)


@pytest.mark.parametrize("base", [None, 30])
@pytest.mark.parametrize("kind", [*IMAGES, *ROIS])
def test_probabilities_are_those_offline(tmp_path, kind, base):
    files = make_weights(tmp_path, kind, base=base)
    path = write(tmp_path / "t1.h5", segment=CUT)
    frames, probability = offline(files, read_recording(path))
    found = decoded(tmp_path, files, path)
    assert found.frame.tolist() == frames.tolist()
    assert probability.std() > 1e-3
    np.testing.assert_allclose(found.probability, probability, atol=1e-5)
    np.testing.assert_allclose(found.time_s, frames / RATE)


def needs_openvino():
    if find_spec("openvino") is None:  # not imported, which would report it
        pytest.skip("needs openvino")


@pytest.mark.parametrize(
    "by", ["openvino", "eager", pytest.param("inductor", marks=pytest.mark.e2e)]
)
def test_a_compiled_network_gives_the_same_within_a_bound(tmp_path, capfd, monkeypatch, by):
    if by == "openvino":
        needs_openvino()
    else:
        monkeypatch.setitem(sys.modules, "openvino", None)  # as if it were not installed
    if by == "eager":  # no C++ is compiled, which takes many seconds
        monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=by))
    files = make_weights(tmp_path, "finetuned")
    path = write(tmp_path / "t1.h5", segment=CUT)
    frames, probability = offline(files, read_recording(path))
    out = tmp_path / "live.tsv"
    counted = torch._dynamo.utils.counters["stats"]
    counted.clear()
    assert live("--weights", *files, "--source", path, "--out", out, compile="--compile") == 0
    said = capfd.readouterr().err
    assert f"compiled by {'OpenVINO' if by == 'openvino' else 'torch.compile'} in" in said
    # none again for the first frame
    assert counted["unique_graphs"] == (0 if by == "openvino" else 1)
    found = table(out)
    assert found.frame.tolist() == frames.tolist()
    np.testing.assert_allclose(found.probability, probability, atol=1e-3)


def test_weights_are_constants_of_what_is_compiled(monkeypatch):
    """They would else be looked through, and packed, with every frame."""
    from torch._inductor import freezing

    freeze, kept = freezing.freeze, []

    def noted(*args, **how):
        _, left = freeze(*args, **how)
        kept.append(len(left))
        raise RuntimeError("noted")  # no C++ is compiled, which takes many seconds

    monkeypatch.setattr(freezing, "freeze", noted)
    monkeypatch.setitem(sys.modules, "openvino", None)
    cnn = torch.nn.Conv2d(3, 4, 1)
    cnn.features = cnn.forward
    compiling.compile_for_one(cnn, (8, 8))
    assert kept == [1]  # the image


def test_openvino_reports_nothing_to_its_makers():
    needs_openvino()
    cnn = for_use(CNNDecoder("efficientnet_lite0"))
    image = torch.rand(1, 3, 32, 32).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected = cnn.features(image)
        compiling.compile_for_one(cnn, (32, 32))
        assert not hasattr(cnn.features, "__self__")  # compiled
        found = cnn.features(image)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    assert not [name for name, part in sys.modules.items() if "openvino_telemetry" in name and part]
    from openvino.tools import ovc

    assert ovc.telemetry.__class__.__module__ == "openvino.tools.ovc.telemetry_stub"


def test_where_nothing_can_be_compiled_a_line_says_so(tmp_path, capfd, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no compiler")

    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(torch, "compile", broken)
    files, path = make_weights(tmp_path, "cnn"), write(tmp_path / "t1.h5")
    _, probability = offline(files, read_recording(path))
    out = tmp_path / "live.tsv"
    assert live("--weights", *files, "--source", path, "--out", out, compile="--compile") == 0
    assert "not compiled, slower (no compiler)" in capfd.readouterr().err
    np.testing.assert_allclose(table(out).probability, probability, atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["cnn", "finetuned", "gru"])
def test_the_same_batch_of_one_gives_the_same(tmp_path, kind):
    files = make_weights(tmp_path, kind)
    recording = read_recording(write(tmp_path / "t1.h5"))
    decoder = applied.load(files[0]).decoder
    decoder = replace(decoder, network=for_use(decoder.network))  # as `mesodecode predict` has it
    source = decoder.source(recording)
    found = decoded(tmp_path, files, recording.path)
    for frame, probability in zip(found.frame, found.probability, strict=True):
        at = torch.tensor([frame]) + decoder.offsets
        rows = torch.cat([decoder.features(source, one[None]) for one in at])
        alone = torch.sigmoid(decoder.read(rows[None]).double())[0]
        assert abs(float(alone) - probability) < 1e-6


@pytest.mark.parametrize(
    "how",
    [
        {"rnn": "lstm"},
        {"rnn": "rnn"},
        {"bidirectional": True},
        {"num_layers": 2},
        {"rnn": "lstm", "bidirectional": True, "num_layers": 2},
        {"half_window": 0},
        {"shift": -3},
    ],
    ids=str,
)
def test_windows_are_read_as_offline_by_networks_of_every_shape(tmp_path, how):
    files = make_weights(tmp_path, "gru", **how)
    path = write(tmp_path / "t1.h5", segment=CUT)
    frames, probability = offline(files, read_recording(path))
    found = decoded(tmp_path, files, path)
    assert found.frame.tolist() == frames.tolist()
    assert probability.std() > 1e-3
    np.testing.assert_allclose(found.probability, probability, atol=1e-6)


@pytest.mark.parametrize("normalise", ["minmax", "zscore", "dff", "none"])
@pytest.mark.parametrize("base", [None, 20])
def test_signals_normalised_in_every_way(tmp_path, normalise, base):
    files = make_weights(tmp_path, "gru", base=base, normalise=normalise, rois=[3, 1])
    path = write(tmp_path / "t1.h5", segment=CUT)
    frames, probability = offline(files, read_recording(path))
    found = decoded(tmp_path, files, path)
    assert found.frame.tolist() == frames.tolist()
    np.testing.assert_allclose(found.probability, probability, atol=1e-6)


@pytest.mark.parametrize(
    "how",
    [
        {"dropped": [2]},
        {"dropped": [1], "rois": [3, 1]},
        {"dropped": [3], "rois": [3, 2], "others": "drop"},
        {"rois": [2, 1], "others": "drop"},
        {"dropped": [1], "normalise_from": "reference"},
    ],
    ids=str,
)
def test_rois_that_training_did_without_are_not_read(tmp_path, how):
    files = make_weights(tmp_path, "gru", **how)
    first = read_recording(write(tmp_path / "t0.h5", movie(70, seed=4), rois=signals(70, seed=4)))
    one = replace(read_recording(write(tmp_path / "t1.h5")), reference=first)
    frames, probability = offline(files, one)
    more = ["--reference", first.path] if "normalise_from" in how else []
    found = decoded(tmp_path, files, one.path, *more)
    assert found.frame.tolist() == frames.tolist() and probability.std() > 1e-3
    np.testing.assert_allclose(found.probability, probability, atol=1e-6)


@pytest.mark.parametrize("base", [None, 20])
@pytest.mark.parametrize(
    ("kind", "how"),
    [("finetuned", {}), *(("gru", {"normalise": n}) for n in ("minmax", "zscore", "dff", "none"))],
)
def test_a_reference_recording_normalises(tmp_path, kind, how, base):
    files = make_weights(tmp_path, kind, base=base, normalise_from="reference", **how)
    first = read_recording(write(tmp_path / "t0.h5", movie(70, seed=4)))
    one = replace(read_recording(write(tmp_path / "t1.h5", movie(seed=5))), reference=first)
    frames, probability = offline(files, one)
    found = decoded(tmp_path, files, one.path, "--reference", first.path)
    assert found.frame.tolist() == frames.tolist()
    np.testing.assert_allclose(found.probability, probability, atol=1e-5)


def test_a_reference_that_is_not_given_is_asked_for(tmp_path, capsys):
    files = make_weights(tmp_path, "gru", normalise_from="reference")
    path = write(tmp_path / "t1.h5")
    out = ["--out", tmp_path / "o.tsv"]
    assert live("--weights", *files, "--source", path, *out) == 1
    assert "give --reference" in capsys.readouterr().err


@pytest.mark.parametrize(("n", "says"), [(0, "no ROIs"), (2, "2 ROIs"), (4, "4 ROIs")])
def test_a_reference_of_other_rois_is_refused(tmp_path, capsys, n, says):
    files = make_weights(tmp_path, "gru", normalise_from="reference")
    path = write(tmp_path / "t1.h5")
    first = write(tmp_path / "t0.h5", rois=np.ones((80, n), np.float32))
    if not n:
        with h5py.File(first, "r+") as file:
            del file["rois"]
    out = ["--out", tmp_path / "o.tsv", "--reference", first]
    assert live("--weights", *files, "--source", path, *out) == 1
    assert f"t0.h5: {says}, but 3 come; preprocess" in capsys.readouterr().err


def test_an_average_is_the_mean_of_its_members(tmp_path):
    path = write(tmp_path / "t1.h5", segment=CUT)
    recording, members, files = read_recording(path), [], []
    for kind in ("frozen", "cnn", "linear"):
        (tmp_path / kind).mkdir()
        made = make_weights(tmp_path / kind, kind)
        members.append(dict(zip(*map(np.ndarray.tolist, offline(made, recording)), strict=True)))
        files += made
    frames = sorted(set.intersection(*map(set, members)))
    found = decoded(tmp_path, files, path)
    assert found.frame.tolist() == frames
    expected = [np.mean([one[t] for one in members]) for t in frames]
    np.testing.assert_allclose(found.probability, expected, atol=1e-5)


def test_a_restart_in_the_middle_is_a_recording_that_begins_there(tmp_path):
    files = make_weights(tmp_path, "finetuned")
    whole = movie(100)
    parts = [write(tmp_path / f"t{i}.h5", part) for i, part in enumerate((whole[:48], whole[48:]))]
    out = ["--out", tmp_path / "o.tsv"]
    assert live("--weights", *files, "--source", parts[0], *out) == 0
    assert live("--weights", *files, "--source", parts[1], *out) == 1  # is there already
    assert live("--weights", *files, "--source", parts[1], *out, "--append") == 0
    found = table(tmp_path / "o.tsv")
    both = [offline(files, read_recording(part)) for part in parts]
    np.testing.assert_array_equal(found.frame, np.concatenate([frames for frames, _ in both]))
    expected = np.concatenate([probability for _, probability in both])
    np.testing.assert_allclose(found.probability, expected, atol=1e-5)


def test_no_decoder_runs_on_a_mouse_that_it_has_seen(tmp_path, capsys):
    files = make_weights(tmp_path, "gru")
    path = write(tmp_path / "t1.h5", mouse="a")
    assert live("--weights", *files, "--source", path, "--out", tmp_path / "o.tsv") == 1
    assert "a" in capsys.readouterr().err
    assert not (tmp_path / "o.tsv").exists()


def test_none_of_several_decoders_has_seen_the_mouse_of_a_reference_or_a_replay(tmp_path, capsys):
    files = []
    for mouse in "ab":
        (tmp_path / mouse).mkdir()
        files += make_weights(tmp_path / mouse, "gru", mice=(mouse,), normalise="none")
    paths = {m: write(tmp_path / f"{m}1.h5", mouse=m) for m in "abt"}
    words = ["--weights", *files, "--out", tmp_path / "o.tsv"]
    for mouse in "ab":
        for other in (
            ["--source", paths[mouse]],
            ["--source", paths["t"], "--reference", paths[mouse]],
        ):
            assert live(*words, *other) == 1
            assert "a mouse has two roles; a decoder never tests" in capsys.readouterr().err
    other = write(tmp_path / "u1.h5", mouse="u")
    assert live(*words, "--source", paths["t"], "--reference", other) == 1
    said = f"{other}: of mouse u, but {paths['t']} is of mouse t; give a reference of the same mo"
    assert said in capsys.readouterr().err
    assert live(*words, "--source", paths["t"], "--reference", paths["t"]) == 0


@pytest.mark.parametrize("kind", ["cnn", "gru"])
def test_a_decoder_that_looks_ahead_is_refused(tmp_path, kind, capsys):
    files = make_weights(tmp_path, kind, causal=False)
    path = write(tmp_path / "t1.h5")
    assert live("--weights", *files, "--source", path, "--out", tmp_path / "o.tsv") == 1
    assert "train it with causal: true" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"half_window": 0, "normalise": "none"}, None),
        ({"half_window": 2, "shift": -2, "normalise": "none"}, None),
        ({"half_window": 2, "shift": -1, "normalise": "none"}, "reads 1 frames after the decoded"),
        ({"half_window": 0, "normalise": "minmax"}, "is normalised by the whole recording"),
        ({"half_window": 0, "normalise": "none", "base": 20}, "is normalised by the whole record"),
    ],
)
def test_of_decoders_that_are_not_causal_those_that_see_no_later_frame_are_taken(
    tmp_path, how, said
):
    files = make_weights(tmp_path, "gru", causal=False, **how)
    if said is None:
        assert len(open_members(files)) == 1
        return
    with pytest.raises(UserError, match=rf"gru\.pt: {said}.*; train it with causal: true to decod"):
        open_members(files)


def test_a_frozen_pair_needs_both_files(tmp_path, capsys):
    files = make_weights(tmp_path, "frozen")
    path = write(tmp_path / "t1.h5")
    assert live("--weights", files[0], "--source", path, "--out", tmp_path / "o.tsv") == 1
    assert "give the CNN's weights after it" in capsys.readouterr().err
    plain = decoded(tmp_path, files, path)
    (tmp_path / "live.tsv").unlink()
    other = decoded(tmp_path, files[::-1], path)  # of two files the order does not matter
    assert plain.probability.tolist() == other.probability.tolist()


def test_what_is_kept_does_not_grow(tmp_path):
    """The ring holds a window, whatever has come."""
    (loaded,) = open_members(make_weights(tmp_path, "finetuned"))
    member = Member(loaded, RATE)
    sizes = set()
    for frame in movie(60):
        member.push(frame, False)
        member.learn(frame)
        if member._rows is not None:
            sizes.add((member._rows.shape, len(member._images)))
    assert len(sizes) == 1


@pytest.mark.parametrize("kind", ["finetuned", "gru"])
def test_few_shot_weights_decode_as_their_predictions_say(tmp_path, kind, capsys):
    files = make_weights(tmp_path, kind)
    valid = write(tmp_path / "v1.h5", movie(seed=7), mouse="v")
    path, known = write(tmp_path / "t1.h5", movie(seed=8)), tmp_path / "a_known.h5"
    words = ["adapt", "--weights", files[0], "--train", known, "--valid", valid, "--test", path]
    words += ["--decoder", "d", "--out", tmp_path / "p.h5", "--validation", tmp_path / "v.h5"]
    words += ["--adapted-weights", tmp_path / "few.pt"]
    few = [
        "--few-shot",
        40 / 600,
        "--finetune",
        "all",
        "--passes",
        2,
        "--max-lr",
        0.01,
    ]  # 40 frames
    assert main([str(word) for word in (*words, *few)]) == 0
    expected = predictions.read(tmp_path / "p.h5").sessions["t1"]
    found = decoded(tmp_path, [tmp_path / "few.pt"], path).set_index("frame")
    later = found.probability[expected.frame]
    np.testing.assert_allclose(later, expected.probability, atol=1e-5)
    plain = dict(zip(*offline(files, read_recording(path)), strict=True))
    assert max(abs(plain[t] - p) for t, p in later.items()) > 1e-3
    assert main([str(word) for word in (*words, "--coral", "--first-unlabelled", 0.05)]) == 1
    assert "coral, first_unlabelled are not in weights" in capsys.readouterr().err
