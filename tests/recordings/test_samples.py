"""Samples and frames at both sides of each limit: what is returned, said and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mesodecode.recordings.readers import samples
from mesodecode.recordings.readers.arrays import Bouts, Variable
from mesodecode.recordings.readers.clocks import Frames
from mesodecode.recordings.readers.samples import Trace
from told import assert_told

TOLD = Path(__file__).with_name("told")
DATE = 1_700_000_000.0  # s since 1970
TYX = {"XTY": 640, "YXT": 512}  # other orders of a movie's axes, and how many frames it then has


def trace(values, time, frames, name="x"):
    time = None if time is None else np.asarray(time, float)
    return Trace("b.csv", name, Variable(np.asarray(values)), time, frames)


def spans(time, n_frames=100, rate=10.0, starts=None, guessed=False, **about):
    starts = None if starts is None else np.asarray(starts, float)
    frames = Frames(n_frames, rate, starts, **about)
    samples.check_spans(np.asarray(time, float), frames, "speed", "b.csv", guessed=guessed)


def test_samples_cover_the_movie_by_one_clock(capsys):
    """A movie of 100 frames lasts 10 s."""
    each = np.arange(0, 10, 0.1)
    pause = np.r_[0:3:0.1, 7:9.5:0.1]
    cases = {
        "as long as the movie": lambda: spans(each),
        "of 8 a second": lambda: spans(np.arange(0, 10, 0.125)),
        "begins a sample late": lambda: spans(each[1:] + 0.05),
        "begins two samples late": lambda: spans(each[2:] + 0.05),
        "ends a frame early": lambda: spans(each[:-1] - 0.0),
        "ends two frames early": lambda: spans(each[:-2]),
        "of a sample a second, from 1 s on": lambda: spans(np.arange(1.0, 12)),
        "of a sample a second, from 1.25 s on": lambda: spans(np.arange(1.25, 12)),
        "of a sample a second, to 8.9 s": lambda: spans(np.arange(-0.1, 9)),
        "of a sample a second, to 8.75 s": lambda: spans(np.arange(-0.25, 9)),
        "goes on to 10.9 s": lambda: spans(np.arange(0, 10.95, 0.1)),
        "goes on to 11.1 s": lambda: spans(np.arange(0, 11.15, 0.1)),
        "goes on, where frames have times": lambda: spans(np.arange(0, 20, 0.1), starts=each),
        "with a pause, and ends early": lambda: spans(pause),
        "with a pause, and begins late and ends late": lambda: spans(np.r_[1:3:0.1, 7:9.5:0.1, 12]),
        "with a pause, and begins late": lambda: spans(np.r_[1:3:0.1, 7:9.95:0.1]),
        "with a pause, and begins early": lambda: spans(np.r_[-5:-3:0.1, 0:9:0.1]),
        "with a pause, and begins early and ends early": lambda: spans(np.r_[-5, pause]),
        "with a sample now and then, and ends early": lambda: spans([0, 0.1, 0.3, 2.4, 2.5, 9.2]),
        "of dates, where frames have none": lambda: spans(DATE + each),
        "of dates, where frames have other times": lambda: spans(DATE + each, starts=each),
        "no dates, where frames have": lambda: spans(each, starts=DATE + each),
        "dates of both, apart": lambda: spans(DATE + 60 + each, starts=DATE + each),
        # by another frame_rate
        "as many as frames, 4 % faster": lambda: spans(each / 1.04),
        "as many as frames, 6 % faster": lambda: spans(each / 1.06),
        "as many as frames, 6 % slower": lambda: spans(each * 1.06),
        "as many as frames, 4 % slower": lambda: spans(each * 1.04),
        "as many as frames but one, slower": lambda: spans(each[:-1] * 1.06),
        "as many as frames, which have times": lambda: spans(each * 1.06, starts=each),
        "as many as frames, with a pause": lambda: spans(each * 1.04 + (each > 5)),
        # a small part
        "a tenth of it": lambda: spans(np.arange(0, 100.05, 0.1)),
        "more than a tenth of it": lambda: spans(np.arange(0, 99.95, 0.1)),
        "less than a tenth, and more than half of another order": lambda: spans(
            np.arange(0, 110.05, 0.1), orders={"XTY": 540, "YXT": 560}, sure=False
        ),
        "less than a tenth, and less than half of another order": lambda: spans(
            np.arange(0, 110.05, 0.1), orders={"XTY": 540}, sure=False
        ),
        "less than a tenth, and more than half of another order, but sure": lambda: spans(
            np.arange(0, 110.05, 0.1), orders={"YXT": 560}
        ),
        "less than two thirds of the movie": lambda: spans(np.arange(0, 6.65, 0.1)),
        "more than two thirds of the movie": lambda: spans(np.arange(0, 6.75, 0.1)),
        "less than two thirds of it, by times": lambda: spans(np.arange(0, 6.65, 0.1), starts=each),
        "behind the movie": lambda: spans(20 + each),
        "a tenth of it, by times": lambda: spans(np.arange(0, 100.05, 0.1), starts=each),
        "as another order of axes": lambda: spans(np.arange(0, 64, 0.1), orders=TYX, sure=False),
        "as another order, nearly": lambda: spans(np.arange(0, 53.5, 0.1), orders=TYX, sure=False),
        "as no other order": lambda: spans(np.arange(0, 57, 0.1), orders=TYX, sure=False),
        "as another order, but sure": lambda: spans(np.arange(0, 64, 0.1), orders=TYX),
        "as this order, and another": lambda: spans(each, orders={"XTY": 104}, sure=False),
        # in s, where that is not said
        "in ms": lambda: spans(1000 * each, guessed=True),
        "in us": lambda: spans(1e6 * each, guessed=True),
        "in min": lambda: spans(each / 60, guessed=True),
        "in ms, said to be s": lambda: spans(1000 * each),
        "50 times as long": lambda: spans(np.arange(0, 500.05, 0.1), guessed=True),
        "more than 50 times as long": lambda: spans(np.arange(0, 500.15, 0.1), guessed=True),
        "5 times as long, of a sample a second": lambda: spans(np.arange(51.0), guessed=True),
        "6 times as long, of a sample a second": lambda: spans(np.arange(61.0), guessed=True),
        "6 times as long, of two a second": lambda: spans(np.arange(0, 60, 0.5), guessed=True),
        "numbers of frames": lambda: spans(np.arange(100.0), guessed=True),
        "numbers of some of the frames": lambda: spans(np.arange(96.0), guessed=True),
        "numbers of 95 of 100 frames": lambda: spans(np.arange(95.0), guessed=True),
        "numbers of fewer frames": lambda: spans(np.arange(94.0), guessed=True),
        "as another order, of fewer frames": lambda: spans(
            np.arange(0, 5, 0.1), orders={"XTY": 50}, sure=False
        ),
        "in ms, with frames in it": lambda: spans(
            100.0 * np.arange(101), starts=100 + each, guessed=True
        ),
        "in s, with frames at its end": lambda: spans(
            100.0 * np.arange(101), starts=9990.1 + each, guessed=True
        ),
        "in s, with a frame behind its end": lambda: spans(
            100.0 * np.arange(101), starts=9990.2 + each, guessed=True
        ),
        "in s, with frames at its beginning": lambda: spans(
            5000 + 100.0 * np.arange(101), starts=5000 + each, guessed=True
        ),
        "in s, with a frame before its beginning": lambda: spans(
            5000 + 100.0 * np.arange(101), starts=4999.9 + each, guessed=True
        ),
        "in ms, with frames behind it in any finer unit": lambda: spans(
            100.5 * np.arange(101), starts=9000 + each, guessed=True
        ),
    }
    assert_told(cases, TOLD / "samples_spans.txt", capsys)


GAP = np.r_[0:2:0.1, 4:6:0.1]  # s; 20 samples, 2 s without any, 20 samples


def at_frames(kind, values, time, n_frames=30, rate=5.0, starts=None):
    held = trace(values, time, Frames(n_frames, rate, starts))
    return getattr(held, f"{kind}_at_frames")(held.values())


def rare(gap):
    """Twenty samples, one every 0.3 s but for a gap."""
    return np.r_[np.arange(10) * 0.3, 2.7 + gap + np.arange(10) * 0.3]


def placed_alone(kind):
    held = trace([0, 1, 0], [0, 1, 9], None)
    held.check_way(np.array([0, 1, 99]))
    return getattr(held, f"{kind}_at_frames")(held.values())


def speed(*zeros, time=GAP):
    """A speed of 3 cm/s, but 0 in some samples."""
    values = np.full(len(time), 3.0)
    values[list(zeros)] = 0
    return at_frames("speed", values, time)


def way(step, time=GAP, unit="counts", usual=2.0):
    counts = np.cumsum(np.full(len(time), usual))
    counts[20:] += step - usual
    trace(counts, time, Frames(30, 5.0)).check_way(counts, unit)


def test_gaps_between_samples(capsys):
    late, two = GAP + 0.3, np.r_[0:1:0.1, 2:3:0.1, 5:6:0.1]
    slow = np.r_[0:6:1.0]
    uneven = np.cumsum([0] + [0.1] * 20 + [0.25] * 8 + [2.0] + [0.1] * 11)
    cases = {
        "0 before a gap": lambda: speed(18, 19),
        "0 at its end": lambda: speed(19),
        "3 before a gap": lambda: speed(20),
        "0 for a second elsewhere": lambda: speed(0, 1, *range(3, 14), 19),
        "0 for more than a second elsewhere": lambda: speed(0, 1, *range(3, 15), 19),
        "0 before the gap for a second": lambda: speed(*range(9, 20)),
        "0 before the gap for longer": lambda: speed(*range(8, 20)),
        "two gaps": lambda: speed(9, 19, time=two),
        "two gaps, 3 before the second": lambda: speed(9, time=two),
        "two gaps, 3 before both": lambda: speed(time=two),
        "of dates": lambda: at_frames(
            "speed", [3.0] * 40, DATE + GAP, starts=DATE + np.arange(30) / 5
        ),
        "slow samples have no gap": lambda: at_frames("speed", np.arange(6.0), slow),
        "a gap of a speed is 1.5 s at most": lambda: at_frames(
            "speed", np.r_[np.zeros(7), 9.0], np.r_[0:2.8:0.4, 5.0]
        ),
        "a gap of a speed of a little more than 1.5 s": lambda: at_frames(
            "speed", np.full(12, 3.0), np.arange(12) * 0.35 + 1.25 * (np.arange(12) > 5), 80, 20
        ),
        "a gap of 4.9 medians": lambda: at_frames("trace", np.arange(20.0), rare(1.47), 160, 20.0),
        "a gap of 5.1 medians": lambda: at_frames("trace", np.arange(20.0), rare(1.53), 160, 20.0),
        "a gap without a frame in its middle": lambda: at_frames(
            "trace", np.arange(20.0), rare(1.6), 10, 1.25
        ),
        "words for numbers": lambda: trace(list("ab"), None, None).numbers(),
        "words for a speed": lambda: at_frames("speed", list("abc"), None),
        **{
            f"{kind}, no times": (lambda kind=kind: at_frames(kind, np.arange(30), None))
            for kind in ("states", "trace", "codes", "segment")
        },
        **{
            f"{kind}, no frames": (lambda kind=kind: placed_alone(kind))
            for kind in ("speed", "states", "trace", "codes", "segment")
        },
        "a first change to run, and a last to rest": lambda: at_frames(
            "states", [1, 0], [0.5, 3.0]
        ),
        "no times": lambda: at_frames("speed", np.arange(30.0), None),
        # a wheel
        "turned as between samples": lambda: way(4),
        "turned by more": lambda: way(4.5),
        "moved by more": lambda: way(-4.5, unit="cm"),
        "turned where nothing was missing": lambda: way(99, np.r_[0:4:0.1]),
        # states
        "states logged as they change": lambda: at_frames("states", [0, 1, 0, 1], [0, 1, 2.5, 4]),
        "states logged time and again": lambda: at_frames("states", np.arange(40) // 10 % 2, GAP),
        "states logged time and again, 0 before": lambda: at_frames(
            "states", np.where(np.isin(np.arange(40), (3, 4, 12)), 1, 0), GAP
        ),
        "states logged at uneven times": lambda: at_frames("states", [0] * 41, uneven),
        "states that change at each sample": lambda: at_frames("states", np.arange(40) % 2, GAP),
        "a first change to run": lambda: at_frames("states", [1, 0, 1], [0.5, 1, 3]),
        "a first change to run at 0.25 s": lambda: at_frames("states", [1, 0, 1], [0.25, 1, 3]),
        "a first change to rest at 1 s": lambda: at_frames("states", [0, 1, 0], [1, 2, 3]),
        "a first change to rest at 1.1 s": lambda: at_frames("states", [0, 1, 0], [1.1, 2, 3]),
        "states that repeat begin late": lambda: at_frames("states", [1, 1, 0], [0.5, 1, 3]),
        # traces and codes
        "a trace": lambda: at_frames("trace", np.arange(40.0), np.arange(40) / 5 - 1),
        "a trace with a gap": lambda: at_frames("trace", np.arange(40.0), GAP),
        "codes": lambda: at_frames("codes", [2, 0, 5], [0, 1.05, 3]),
        "codes with a gap": lambda: at_frames("codes", np.arange(40) // 10, GAP),
        "codes that begin 0.25 s late": lambda: at_frames("codes", [2, 0, 5], [0.25, 1, 3]),
        "codes that begin 0.3 s late": lambda: at_frames("codes", [2, 0, 5], [0.3, 1, 3]),
        "segments": lambda: at_frames("segment", [7, 8, 9], [0, 2.05, 4]),
        "a wheel, late": lambda: at_frames("speed", np.where(np.arange(40) == 19, 0, 3), late),
    }
    assert_told(cases, TOLD / "samples_gaps.txt", capsys)


def placed(values, time=None, rate=None, frames=None, unit=None, own=None, rests=False):
    data = Variable(np.asarray(values), None if own is None else np.asarray(own, float))
    held = Trace("b.csv", "x", data)
    stamps = None if time is None else Trace("b.csv", "t", Variable(np.asarray(time)))
    held.place(stamps, rate, frames or Frames(10, 2.0), unit, rests=rests)
    return held.values(), held.time


def test_where_samples_are_placed(capsys):
    """Ten frames of 0.5 s, of which a camera of two wavelengths took every second."""
    both = Frames(10, 2.0, taken=np.arange(10) * 2 + 1, n_raw=20)
    values, half = np.arange(10), np.arange(10) / 2
    rare = [0.4, 0.5, 0.6, 0.7, 2.2, 2.3, 2.4, 4.0]
    cases = {
        "a value a frame": lambda: placed(values),
        "a value a frame of two wavelengths": lambda: placed(np.arange(20), frames=both),
        "times of its own": lambda: placed(np.arange(12), own=np.arange(12) / 2 - 0.5),
        "times that go back": lambda: placed(values, own=[0, 1, 2, 1.5, *range(4, 10)]),
        "times by name": lambda: placed(values, half),
        "times by name, in ms": lambda: placed(values, 1000 * half, unit="ms"),
        "times by name, in ms that are not said": lambda: placed(values, 1000 * half),
        "times of day": lambda: placed(values, [f"12:00:0{i // 2}.{i % 2 * 5}" for i in range(10)]),
        "fewer times, but a value a frame": lambda: placed(values, half[:-1]),
        "fewer times": lambda: placed(np.arange(11), half),
        "by a rate": lambda: placed(np.arange(20), rate=4.0),
        "by a rate, from the first frame on": lambda: placed(
            np.arange(20), rate=4.0, frames=Frames(10, 2.0, 100 + half)
        ),
        # a place stays where it is before its first sample and after its last
        "a place that is logged as it changes": lambda: placed(range(8), own=rare, rests=True),
        "a place that is logged as it changes, of faster frames": lambda: placed(
            range(8), own=rare, rests=True, frames=Frames(20, 4.0)
        ),
        "a speed that is logged as it changes": lambda: placed(range(8), own=rare),
        "a place logged long after": lambda: placed(range(8), own=np.array(rare) + 1.2, rests=True),
        "a place logged until long before": lambda: placed(
            range(8), own=[0, 0.1, 0.2, 0.3, 1.5, 1.6, 1.7, 2.9], rests=True
        ),
        "a place logged time and again": lambda: placed(
            range(10), own=np.arange(10) / 2 + 0.25, rests=True
        ),
    }
    assert_told(cases, TOLD / "samples_placed.txt", capsys)


def test_intervals_are_as_long_as_the_movie_may_be(capsys):
    def of(*stop, orders=None, time=None, start=(0.0, 1.0)):
        bouts = Bouts(np.array(start[: len(stop)]), np.array(stop, float), None, None)
        frames = Frames(100, 10.0, time, orders=orders or {}, sure=not orders)
        Trace("b.csv", "runs", bouts).place(None, None, frames)

    cases = {
        "ten times": lambda: of(1, 100.0),
        "more than ten times": lambda: of(1, 100.5),
        "more than ten times, by the first to end": lambda: of(101.0, 2),
        "more than ten times, where frames have times": lambda: of(
            1, 101, time=np.arange(100) / 10
        ),
        "no interval": lambda: of(),
        "as another order of axes": lambda: of(1, 51, orders=TYX),
    }
    assert_told(cases, TOLD / "samples_intervals.txt", capsys)


def test_a_span_is_of_dates_where_it_can_be():
    assert samples.shown(0.12345, 7.0) == "0.123 to 7 s"
    assert samples.shown(1e8, 2e8) == "100000000 to 200000000 s"  # 1973
    assert (
        samples.shown(1.5e9, 1.5e9 + 0.25) == "2017-07-14T02:40:00.000 to 2017-07-14T02:40:00.250"
    )
    assert samples.shown(4e9, 4.1e9) == "4000000000 to 4100000000 s"
