"""The running baseline of image decoders, against a mean worked out window by window."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from make_recordings import stack, write_recording
from mesodecode.base.roc_auc import roc_auc
from mesodecode.cli import main
from mesodecode.decoders import applied, predict
from mesodecode.decoders.extraction import extract
from mesodecode.decoders.feature_files import read_features
from mesodecode.decoders.fitted import linear
from mesodecode.decoders.inputs import Images, ImageWindows
from mesodecode.decoders.networks import CNNDecoder
from mesodecode.decoders.predictions import read
from mesodecode.decoders.weights import Trained
from mesodecode.recordings import roi_signals
from mesodecode.recordings.baseline import Past, block_length, not_decoded, prepared, running
from mesodecode.recordings.recording import read_recording
from mesodecode.recordings.sample import sample

TINY = "test_efficientnet"


def slow_mean(frames, t, window, segment):
    """The mean of pixels over t - w/2 … of the frames of the same segment, as MATLAB's movmean."""
    first, last = t - window // 2, t + (window - 1) // 2
    near = [i for i in range(max(first, 0), min(last + 1, len(frames))) if segment[i] == segment[t]]
    return frames[near].astype(np.float64).mean(axis=0)


def test_a_hand_worked_baseline(tmp_path):
    frames = np.array([1, 3, 8, 0, 10], np.float32)[:, None, None]
    recording = write_recording(tmp_path / "s.h5", frames, segment=[0, 0, 0, 1, 1])
    base = running(recording, 3)
    # means of (1 3), (1 3 8), (3 8); and of (0 10) twice
    np.testing.assert_allclose(base.at(np.arange(5)).ravel(), [2, 4, 5.5, 5, 5], atol=1e-6)


@settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    window=st.integers(2, 19),
    seed=st.integers(0, 99),
)
def test_small_windows_are_exact_in_every_frame(tmp_path_factory, lengths, window, seed):
    segment = np.repeat(np.arange(len(lengths)), lengths)
    frames = stack("uint16", len(segment), seed)
    path = tmp_path_factory.mktemp("r") / "s.h5"
    base = running(write_recording(path, frames, segment=segment), window)
    expected = [slow_mean(frames, t, window, segment) for t in range(len(frames))]
    np.testing.assert_allclose(base.at(np.arange(len(frames))), expected, rtol=1e-6)


def test_long_windows_are_close_and_small(tmp_path):
    """A drift of one period in 2,000 frames and noise; the window is half of a period."""
    t = np.arange(2000)
    rng = np.random.default_rng(1)
    frames = 100 * np.sin(2 * np.pi * t / 2000)[:, None, None] + rng.normal(0, 10, (2000, 2, 3))
    recording = write_recording(tmp_path / "s.h5", frames.astype(np.float32))
    base = running(recording, 1000)
    assert len(base.images) <= 22
    flat = frames.reshape(2000, -1)
    exact = roi_signals.moving_mean(flat, 1000).reshape(frames.shape)
    # of a line instead of a curve: (100 frames)² / 8 of its second derivative, some .1, and noise
    assert np.abs(base.at(t) - exact).max() < 1.5


def test_networks_and_linear_decoders_subtract_it(tmp_path):
    segment = np.repeat([0, 1], [14, 9])
    frames = stack("uint16", 23)
    recording = write_recording(tmp_path / "s.h5", frames, segment=segment)
    other = write_recording(tmp_path / "t.h5", stack("uint16", 8, seed=3))
    based = list(prepared([other, recording], {"baseline": 6}))
    images = Images(based)
    sd = frames.astype(np.float64).std()
    at = [4, 13 - 1, 15, 21]
    base = np.array([slow_mean(frames, t, 6, segment) for t in at])
    expected = [
        (frames[t - 1 : t + 2].astype(np.float64) - b) / sd for t, b in zip(at, base, strict=True)
    ]
    batch = images.batch(torch.tensor(at) + len(other))
    np.testing.assert_allclose(batch.numpy(), expected, atol=1e-5)

    decoded, rows = linear.pixel_features(based[1], pixels=32)
    chosen = np.searchsorted(decoded, at)
    np.testing.assert_allclose(rows[chosen], ((frames[at] - base) / sd).reshape(4, -1), atol=1e-5)

    few = sample(based[1], 3, reach=1)  # a few frames of it are normalised as there
    shown = Images([few])
    taken = [int(np.flatnonzero((frames == one).all((1, 2)))[0]) for one in few.frames]
    assert few.labels.tolist() == recording.labels[taken].tolist()
    # about the first, the tenth and the last of frames 1 to 12 and 15 to 21
    assert taken == [0, 1, 2, 9, 10, 11, 20, 21, 22]
    assert few.segment.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    whole = Images([based[1]]).batch(torch.tensor(taken[1:2]))
    torch.testing.assert_close(shown.batch(shown.centres[:1]), whole)


def test_between_two_exact_means_it_goes_from_the_one_to_the_other(tmp_path, monkeypatch):
    """Of a window of 40 frames it is exact in every fourth, and in the last."""
    monkeypatch.setattr(linear, "BLOCK", 11)  # frames that a linear decoder reads at once
    n = 47
    frames = (np.arange(n) ** 2)[:, None, None] + np.arange(6.0).reshape(2, 3)
    recording = write_recording(tmp_path / "s.h5", frames.astype(np.float32))
    (based,) = prepared([recording], {"baseline": 40})
    alike = np.zeros(n)

    def slow(t):
        before = t // 4 * 4
        after = min(before + 4, n - 1)
        share = (t - before) / max(after - before, 1)
        ends = [slow_mean(frames, end, 40, alike) for end in (before, after)]
        return (1 - share) * ends[0] + share * ends[1]

    base = np.array([slow(t) for t in range(n)])
    np.testing.assert_allclose(based.baseline.at(np.arange(n)), base, rtol=1e-5)
    kept = based.baseline.take(np.array([9, 6, 45]))
    np.testing.assert_allclose(kept.at(np.arange(3)), base[[9, 6, 45]], rtol=1e-5)
    at = [5, 22, 27, 45]
    expected = [(frames[t - 1 : t + 2] - base[t]) / frames.std() for t in at]
    batch = Images([based]).batch(torch.tensor(at))
    np.testing.assert_allclose(batch.numpy(), expected, atol=1e-4)
    decoded, rows = linear.pixel_features(based, pixels=32)
    np.testing.assert_array_equal(decoded, np.arange(1, n - 1))
    expected = ((frames - base) / frames.std()).reshape(n, -1)[1:-1]
    np.testing.assert_allclose(rows, expected, atol=1e-4)


def test_none_is_the_mean_of_the_recording(tmp_path):
    recording = write_recording(tmp_path / "s.h5", stack("uint16", 9))
    assert list(prepared([recording], {"baseline": None})) == [recording]
    assert (recording.subtracted().at(np.array([0, 5])) == recording.pixel_mean).all()


@pytest.fixture
def drifting(tmp_path):
    """Three mice whose light drifts far more than it says of behaviour; labels change often."""
    paths, t = [], np.arange(240)
    for seed, mouse in enumerate(("m1", "m2", "m3")):
        rng = np.random.default_rng(seed)
        run = (t // 12 + seed) % 2
        frames = rng.normal(1000, 3, (240, 32, 32)) + 4 * run[:, None, None]
        frames += (60 * np.sin(t / 50 + 2 * seed))[:, None, None]
        path = tmp_path / f"{mouse}.h5"
        write_recording(path, frames.astype(np.float32), mouse=mouse, labels=run)
        paths.append(str(path))
    return paths


def test_a_linear_decoder_keeps_it_in_its_weights(drifting, tmp_path):
    aucs = {}
    for name, flags in {"mean": [], "moving": ["--baseline", "24"]}.items():
        weights, out = tmp_path / f"{name}.npz", tmp_path / f"{name}.h5"
        words = ["--train", drifting[0], "--valid-mice", "m2", "--test", drifting[2]]
        files = ["--out", str(weights), "--predictions", str(out), "--pixels", "8"]
        main(["fit-linear", *words, *files, *flags])
        (session,) = read(out).sessions.values()
        aucs[name] = roc_auc(session.label, session.probability)
        decoder = applied.load(weights).decoder
        source = decoder.source(read_recording(drifting[2]))
        again = torch.sigmoid(source.logits(decoder.network, source.centres))
        np.testing.assert_allclose(again, session.probability, atol=1e-4)
    assert aucs["mean"] < 0.7 and aucs["moving"] > 0.95


def test_whoever_applies_a_network_subtracts_it(drifting, tmp_path):
    torch.manual_seed(0)
    model = CNNDecoder(TINY).eval()
    model.net.get_classifier().weight.data *= 100  # drawn small
    about = {"backbone": TINY, "baseline": 24}
    trained = Trained("cnn", about, ("m1",), ("m2",), model.state_dict())
    recording = read_recording(drifting[2])
    images = Images(list(prepared([recording], {"baseline": 24})))
    with torch.no_grad():
        expected = torch.sigmoid(model(images.batch(images.centres))).numpy()
    without = replace(trained, settings={"backbone": TINY})  # as weights of older versions
    plain = predict.predict_cnn(without, [recording])["m3"]
    extract({None: trained}, [recording], tmp_path / "f.h5")
    applied = {
        "predict": predict.predict_cnn(trained, [recording])["m3"],
        "extract": predict.predict_cnn(trained, read_features(tmp_path / "f.h5"))["m3"],
    }
    for name, found in applied.items():
        np.testing.assert_allclose(found.probability, expected, atol=1e-4, err_msg=name)
    assert np.abs(plain.probability - expected).max() > 0.01  # it makes a difference


def test_windows_of_images_have_it_too(drifting):
    (based,) = prepared([read_recording(drifting[0])], {"baseline": 24})
    images, _ = ImageWindows([based], 2).batch(torch.tensor([30]))
    torch.testing.assert_close(images, Images([based]).batch(torch.arange(28, 33)))


@pytest.mark.parametrize("window", [None, 5, 6, 7])
def test_the_past_may_be_asked_at_any_frame(window):
    """Blocks of three frames, of which windows of about six have two, the last the one begun."""
    frames = np.random.default_rng(0).integers(0, 99, (11, 2, 3)).astype(np.uint16)
    past = Past(3, window)
    for t in range(len(frames)):
        past.add(frames[t : t + 1])
        begun = t // 3 * 3
        first = 0 if window is None else max(0, begun - 3)
        np.testing.assert_allclose(past.mean, frames[first : t + 1].mean(axis=0), rtol=1e-6)
        assert past.sd == pytest.approx(max(frames[: t + 1].std(), 1e-12))


@pytest.mark.parametrize(
    ("window", "warm_up", "block", "skip"),
    [
        (None, 5.0, 30, 150),  # a second
        (None, 0.5, 15, 15),  # or the warm-up
        (None, 0.01, 1, 1),
        (400, 5.0, 30, 150),
        (200, 5.0, 20, 150),  # or a tenth of the window
        (5, 0.0, 1, 1),
        (200, 0.0, 1, 1),
    ],
)
def test_blocks_last_a_second_the_warm_up_or_a_tenth_of_the_window(window, warm_up, block, skip):
    assert block_length(30.0, window, warm_up) == block
    assert not_decoded(30.0, window, warm_up) == skip
