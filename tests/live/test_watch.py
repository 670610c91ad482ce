"""When a live decoder is not to be trusted: what is planted is named, what is usual is not."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.io
import tifffile

from make_live import RATE, live, make_weights, movie, offline, table, write
from mesodecode.base.files import UserError
from mesodecode.live import watch as watching
from mesodecode.live.frame_sources import HELD, Feed, Frame, Opened
from mesodecode.live.outputs import Hysteresis
from mesodecode.live.rig import Rig
from mesodecode.live.stream_corrections import Corrected, Corrections
from mesodecode.live.watch import Watch, known_of
from mesodecode.recordings.recording import read_recording
from mesodecode.shift import distances
from mesodecode.study import schema
from mesodecode.study.targets import RUN

LIMITS = schema.defaults("live") | {"watched_over": 2.0}


def seen(frames, lost=(), watch=None, read=None, limits=LIMITS):
    """The reasons at each frame."""
    watch = watch or Watch(limits, RATE)
    return [
        watch.see(
            Corrected(t, f, f, f, None, time.monotonic(), t in lost),
            5 * (t in lost),
            None if read is None else read[t],
        )
        for t, f in enumerate(frames)
    ]


def first(reasons, name):
    """The first frame at which a reason is given, None if at none."""
    return next((t for t, why in enumerate(reasons) if name in why), None)


def test_nothing_is_said_of_a_usual_movie():
    assert seen(movie(200)) == [[]] * 200


def test_light_that_goes_out_is_seen_within_its_average():
    frames = movie(200)
    frames[100:] //= 5  # log2 of 5 is 2.3
    at = first(seen(frames), "brightness")
    assert 100 < at < 160
    assert first(seen(frames, limits=LIMITS | {"brightness": None}), "brightness") is None


def test_lost_frames_are_counted_for_a_while():
    reasons = seen(movie(200), lost=(50,))
    named = [t for t, why in enumerate(reasons) if "lost" in why]
    assert named[0] == 50 and 60 < named[-1] < 150


def test_lost_frames_are_a_share_of_all_those_that_were_taken():
    watch = Watch(LIMITS | {"watched_over": 10.0}, RATE)
    for t, frame in enumerate(movie(12)):
        watch.see(Corrected(t, frame, frame, frame, None, 0.0, t == 5), 4 * (t == 5), None)
        assert watch.measures["lost"] == pytest.approx(4 / (t + 5) if t >= 5 else 0)


def test_nothing_is_said_of_the_light_of_what_is_no_light():
    frames = movie(200).astype(np.float32)
    frames[100:] /= 5
    assert first(seen(frames, watch=Watch(LIMITS, RATE)), "brightness") is not None
    assert first(seen(frames, watch=Watch(LIMITS, RATE, light=False)), "brightness") is None


@pytest.mark.parametrize("full", [4095, 65535, 65520])
def test_a_saturated_camera_is_seen_at_once(full):
    frames = movie(60).astype(np.uint16)
    frames[30:, :4] = full  # an eighth of the pixels
    reasons = seen(frames)
    assert first(reasons, "saturated") == 30
    measured = Watch(LIMITS, RATE)
    assert not first(seen(frames, watch=measured, limits=LIMITS), "stuck")
    assert measured.measures["saturated"] == pytest.approx(4 / frames.shape[1])
    frames[30:] = movie(60)[30:]
    frames[30:].reshape(30, -1)[:, : frames[0].size // 100] = full  # at the limit, not above it
    assert first(seen(frames), "saturated") is None
    frames[30:, :4] = 3000  # bright, but no end of a camera's range
    assert first(seen(frames), "saturated") is None


def test_a_stuck_camera_is_seen_at_its_second_repeat():
    frames = movie(60)
    frames[31:35] = frames[30]
    reasons = seen(frames)
    assert [t for t, why in enumerate(reasons) if "stuck" in why] == [32, 33, 34]


def memory(values, n):
    """The mean of values so far: of all of them at first, then a new one counts for 1 / n."""
    means = [values[0]]
    for i, value in enumerate(values[1:], 2):
        share = 1 / min(i, n)
        means.append((1 - share) * means[-1] + share * value)
    return np.array(means)


def test_an_average_is_of_all_at_first_and_then_of_as_many_as_it_remembers():
    three, one = watching.Average(3), watching.Average(0.5)
    assert [three(value) for value in (1.0, 2.0, 6.0, 9.0)] == [1, 1.5, 3, 5]
    assert [one(value) for value in (4.0, 7.0)] == [4, 7]


@pytest.mark.parametrize("known", [None, (900.0, 1100.0)])
def test_brightness_and_noise_are_of_the_frames_so_far(known):
    """A memory of five frames: the variance of a pixel is known after five, noise after ten.

    The mean of a pixel is over a minute, of twelve frames.
    """
    rng, n, begins, rate = np.random.default_rng(3), 5, 17, 0.2
    frames = rng.normal(1000, 40, (30, 4, 5)) * np.linspace(1, 1.5, 30)[:, None, None]
    mice = known and watching.Known(np.log2(known), np.array([0.3, np.nan, 0.9]), None, 1.0)
    watch = Watch(LIMITS | {"watched_over": n / rate}, rate, mice)
    found = []
    for t, frame in enumerate(frames):
        watch.see(Corrected(t, frame, frame, frame, None, 0.0, t == begins), 0, None)
        found.append(watch.measures)
    means = frames.mean((1, 2))
    here, before = np.log2(memory(means, n)), np.log2(np.cumsum(means) / np.arange(1, 31))
    expected = np.abs(here - before)
    if known:
        expected = np.abs(here[:, None] - np.log2(known)).min(1)
    assert [one["brightness"] for one in found] == pytest.approx(expected)
    if not known:
        assert not any("noise" in one for one in found)
        return
    away = frames.astype(np.float32) - memory(frames.astype(np.float32), 60 * rate)
    variance = memory((away**2).mean((1, 2))[n:], n)
    bend = frames[1:-1] - (frames[:-2] + frames[2:]) / 2
    rest = {t: (bend[t - 2] ** 2).mean() / 1.5 for t in range(n, 30) if t not in (17, 18)}
    rests = dict(zip(rest, memory([*rest.values()], n), strict=True))
    for t, one in enumerate(found):
        share = rests[max(i for i in rests if i <= max(t, n))] / variance[max(t - n, 0)]
        nearest = min(abs(share - 0.3), abs(share - 0.9))
        assert one["noise"] == (pytest.approx(nearest, rel=1e-4) if t >= 2 * n else 0)


def test_counts_near_the_end_of_their_type_are_as_noisy_as_numbers_without_an_end():
    frames = (np.random.default_rng(5).normal(50000, 40, (20, 4, 5))).astype(np.uint16)
    found = []
    for kind in (np.uint16, np.float64):
        mice = watching.Known(np.log2([50000.0]), np.array([0.3]), None, 1.0)
        watch = Watch(LIMITS | {"watched_over": 1.0}, 5.0, mice)
        for t, frame in enumerate(frames.astype(kind)):
            watch.see(Corrected(t, frame, frame, frame, None, 0.0, False), 0, None)
        found.append(watch.measures["noise"])
    assert found[0] > 0 and found[0] == pytest.approx(found[1], rel=1e-3)


# --- a decoder that falls behind ------------------------------------------------------------------


class Sure:
    """A decoder that says run of every frame, and calls `before` each."""

    members = (SimpleNamespace(read=None),)

    def __init__(self, before=int):
        self.push = lambda values, begins: before() or 0.9

    def learn(self, values):
        """Nothing is learnt."""


def rows_of(frames, engine, **limits):
    """The rows that come of frames, with limits of the defaults but for some."""
    out = SimpleNamespace(rows=[])
    out.write = out.rows.append
    corrections = Corrections(schema.defaults("corrections"), RATE, "camera")
    watch = Watch(schema.defaults("live") | limits, RATE)
    rig = Rig(corrections, engine, Hysteresis(0.6, 0.4), watch, [out])
    rig.run(frames)
    return out.rows, rig.words()


def came(ages):
    """Frames that have come so many s ago, when they are taken; below 0 of the future."""
    for i, age in enumerate(ages):
        yield Frame(i, movie()[i], arrived=time.monotonic() - age)


def test_a_row_that_comes_late_is_unsure_and_no_other():
    ages = [-600, 0.051, -600, 2, -600]  # the future leaves a busy machine ten minutes
    rows, words = rows_of(came(ages), Sure())
    late = [age > 0 for age in ages]
    assert [row["unsure_why"] for row in rows] == ["latency" if one else "" for one in late]
    assert [row["state"] for row in rows] == ["unsure" if one else "run" for one in late]
    assert [row["latency_ms"] > 50 for row in rows] == late
    assert "5 decoded (2 unsure; latency 2)" in words
    rows, _ = rows_of(came(ages), Sure(), latency=None)
    assert {row["state"] for row in rows} == {"run"}


@pytest.mark.parametrize(("limit", "named"), [(HELD // 2, "waiting"), (None, "")])
def test_frames_that_come_faster_than_they_are_decoded_are_unsure(limit, named):
    full = threading.Event()

    def camera():
        for i in range(3 * HELD):
            if i == HELD:
                full.set()
            yield Frame(i, movie()[i % 9], arrived=time.monotonic() + 600)  # never late by its age

    with Feed(Opened("camera", camera()), 60) as feed:
        rows, _ = rows_of(feed, Sure(lambda: full.wait(60) and None), waiting=limit)
    assert len(rows) == 3 * HELD
    assert rows[1]["unsure_why"] == named  # the first took as long as all others take to come
    assert (rows[-1]["state"], rows[-1]["unsure_why"]) == ("run", "")  # none waits any more


def test_rows_that_are_late_say_so_in_the_table(tmp_path, capsys):
    files = make_weights(tmp_path, "gru")
    words = ["--weights", *files, "--source", write(tmp_path / "t1.h5"), "--rate", 1e6]
    assert live(*words, "--out", tmp_path / "o.tsv", "--latency", 1e-6, "--waiting", "none") == 0
    found = table(tmp_path / "o.tsv")
    assert set(found.state) == {"unsure"} and set(found.unsure_why) == {"latency"}
    n = len(found)
    assert f"{n} decoded ({n} unsure; latency {n})" in capsys.readouterr().err.splitlines()[-1]


# --- against mice that the decoder knows ----------------------------------------------------------


@pytest.fixture
def setup(tmp_path):
    """Weights, and recordings of two mice that the decoder knows."""

    def make(kind):
        files = make_weights(tmp_path, kind, mice=("a", "b"))
        return files, [tmp_path / "a_known.h5", tmp_path / "b_known.h5"]

    return make


@pytest.mark.parametrize("kind", ["finetuned", "frozen", "linear", "gru", "logistic_regression"])
def test_a_mouse_like_those_known_is_trusted_and_nothing_changes(tmp_path, setup, kind):
    files, known = setup(kind)
    path = write(tmp_path / "t1.h5", movie(seed=12))
    out = ["--weights", *files, "--source", path, "--known", *known, "--out", tmp_path / "o.tsv"]
    assert live(*out, "--distance", 2.5) == 0
    found = table(tmp_path / "o.tsv")
    frames, probability = offline(files, read_recording(path))
    assert found.frame.tolist() == frames.tolist()
    np.testing.assert_allclose(found.probability, probability, atol=1e-5)
    assert set(found.unsure_why) == {""}
    assert found.state.tolist() == slow_states(found.probability)


def slow_states(probability, enter=0.6, leave=0.4):
    states, state = [], "rest"
    for p in probability:
        state = "run" if p >= enter else "rest" if p < leave else state
        states.append(state)
    return states


def test_mice_are_as_far_apart_as_each_is_from_all_others_on_average():
    rng = np.random.default_rng(4)
    mice = ["a", "b", "a", "c"]  # of a two recordings
    rows = [rng.normal(2 * ord(mouse), 1, (60, 4)) for mouse in mice]
    labels = [np.arange(60) // 9 % 2] * 4
    each = []
    for own in ([0, 2], [1], [3]):
        others = [i for i in range(4) if i not in own]
        space = distances.known(
            *(np.concatenate([one[i] for i in others]) for one in (rows, labels))
        )
        each.append(distances.mahalanobis(space, np.concatenate([rows[i] for i in own])))
    assert watching._apart(rows, labels, mice, RUN.kind) == pytest.approx(np.mean(each))
    assert max(each) > 1.1 * np.mean(each)
    assert watching._apart(rows[:1], labels[:1], mice[:1], RUN.kind) == 1


def test_a_distance_is_in_that_of_known_mice_from_each_other():
    rng = np.random.default_rng(5)
    space = distances.known(rng.normal(0, 1, (60, 4)), np.arange(60) // 9 % 2)
    watch = SimpleNamespace(_known=SimpleNamespace(space=space, distance=4.0), _far=lambda x: x)
    read = np.full(4, 9.0)
    expected = distances.mahalanobis(space, read[None]) / 4
    assert Watch._distance(watch, read) == pytest.approx(expected)


def test_another_brightness_and_noise_are_told_from_known_mice(tmp_path, setup):
    from mesodecode.live.engine import open_members

    files, known = setup("finetuned")
    (loaded,) = open_members(files)
    space = known_of(loaded, [read_recording(path) for path in known])
    assert space.distance > 0 and len(space.noise) == 2
    few = watching._few(loaded, read_recording(known[0]))
    assert few.centres[-1] == len(few.labels) - 1  # its windows end at the frame they decode
    means = [read_recording(path).pixel_mean for path in known]
    np.testing.assert_allclose(space.brightness, [np.log2(one.mean()) for one in means])
    assert abs(np.log2(means[0].mean() / np.median(means[0]))) > 1e-4
    usual = seen(movie(150, seed=3), watch=Watch(LIMITS, RATE, space))
    assert first(usual, "brightness") is None and first(usual, "noise") is None
    white = Watch(LIMITS, RATE, space)
    for t, frame in enumerate(movie(150, seed=3)):
        white.see(Corrected(t, frame, frame, frame, None, 0.0, False), 0, None)
        known = t >= 40  # twice the memory of 20 frames
        assert (white.measures["noise"] > 0) == known
    assert white.measures["noise"] < 0.15  # white noise is all noise, as in the mice known
    dim = (movie(150, seed=3) // 4).astype(np.uint16)
    assert first(seen(dim, watch=Watch(LIMITS, RATE, space)), "brightness") == 0
    smooth = movie(150, seed=3).astype(float)
    slow = 1000 + 40 * np.sin(np.arange(150) / 9)[:, None, None] + 0 * smooth  # no noise
    assert first(seen(slow, watch=Watch(LIMITS, RATE, space)), "noise") is not None


def test_known_recordings_shorter_than_a_window_are_refused(tmp_path, setup):
    from mesodecode.live.engine import open_members

    files, _ = setup("finetuned")
    (loaded,) = open_members(files)
    short = read_recording(write(tmp_path / "short.h5", movie(3), mouse="a"))
    with pytest.raises(UserError, match="--known: none is as long as a window"):
        known_of(loaded, [short])


def test_features_far_from_all_known_ones_are_named(tmp_path, setup):
    from mesodecode.live.engine import open_members

    files, known = setup("gru")
    rng = np.random.default_rng(0)
    rois = 10 + 5 * rng.normal(size=(80, 3)).cumsum(0)  # as no known mouse has them
    path = write(tmp_path / "t1.h5", rois=rois.astype(np.float32))
    out = ["--weights", *files, "--source", path, "--known", *known, "--out", tmp_path / "o.tsv"]
    assert live(*out) == 0
    found = table(tmp_path / "o.tsv")
    assert (found.unsure_why == "distance").mean() > 0.5
    assert set(found.state[found.unsure_why == "distance"]) == {"unsure"}
    (loaded,) = open_members(files)
    of_signals = known_of(loaded, [read_recording(path) for path in known])
    assert np.isnan([of_signals.brightness, of_signals.noise]).all()  # those of a movie


# --- as the known recordings were made ------------------------------------------------------------


def corrected_recording(folder, raw, name, *more):
    """A recording that `mesodecode preprocess` made of a movie of two wavelengths."""
    from mesodecode.cli import main

    tifffile.imwrite(folder / f"{name}.tif", raw, photometric="minisblack")
    run = np.arange(len(raw) // 2) // 7 % 2
    scipy.io.savemat(folder / f"{name}.mat", {"runrest": run[None]})
    words = ["--movie", folder / f"{name}.tif", "--behavior", folder / f"{name}.mat"]
    words += ["--session", name, "--mouse", name[0], "--frame-rate", RATE]
    words += ["--out", folder / f"{name}.h5", *more]
    assert main(["preprocess", *map(str, words)]) == 0
    return folder / f"{name}.h5"


HOW = ["--channels", 2, "--reference-channel", 2, "--dark-offset", 90, "--binning", 2]
HOW += ["--dff", "mean", "--baseline-window", 2, "--baseline-causal", "--hemodynamics", "ratio"]


def test_corrections_and_size_are_those_of_known_recordings(tmp_path, capsys):
    both = np.stack([movie(80, 1, 128), movie(80, 2, 128)], axis=1).reshape(-1, 128, 128)
    files = make_weights(tmp_path, "finetuned", mice=("a", "b"))
    known = corrected_recording(tmp_path, both[:80], "a", *HOW, "--image-size", 32)
    path = corrected_recording(tmp_path, both, "t", *HOW, "--image-size", 32)
    frames, probability = offline(files, read_recording(path))
    out = ["--weights", *files, "--source", tmp_path / "t.tif", "--timeout", 0.2]
    out += ["--out", tmp_path / "o.tsv", "--known", known]
    assert live(*out) == 0
    found = table(tmp_path / "o.tsv")
    assert found.frame.tolist() == frames.tolist()
    np.testing.assert_allclose(found.probability, probability, atol=1e-5)
    (tmp_path / "o.tsv").unlink()
    assert live(*out, "--binning", 4) == 1
    assert "a.h5 was made with 2" in capsys.readouterr().err
    regressed = [word if word != "ratio" else "regression" for word in HOW]
    (tmp_path / "a.h5").unlink()
    corrected_recording(tmp_path, both[:80], "a", *regressed, "--image-size", 32)
    assert live(*out) == 1
    assert "hemodynamics: regression" in capsys.readouterr().err
    assert not (tmp_path / "o.tsv").exists()
