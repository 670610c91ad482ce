"""Channels that take turns: where their order changes is told, and nothing else is taken for it."""

from __future__ import annotations

import warnings

import h5py
import numpy as np
import pytest
import tifffile

import told
from make_recordings import DEFAULTS, RATE, Stack, interleave
from mesodecode.base.files import UserError, doubts
from mesodecode.recordings.corrections import turns
from mesodecode.recordings.corrections.turns import InTurn
from mesodecode.recordings.preprocess import preprocess
from mesodecode.study import correction_table, schema

T, H, W = 200, 20, 24


def channel(level, seed=0, texture=0.3):
    """Return frames (T, H, W) of one wavelength: an image, noise, and blood."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:H, :W]
    image = 1 + texture * np.sin(rows / 5) * np.cos(columns / 7)
    blood = 1 + 0.02 * np.sin(np.arange(T) / 5)
    return level * image * blood[:, None, None] * (1 + 0.02 * rng.normal(size=(T, H, W)))


def two(ratio=0.7):
    return interleave(channel(1000, 1), channel(1000 * ratio, 2))


def read(frames, n=2, size=37):
    movie = InTurn(Stack(frames.astype(np.uint16)), n)
    blocks = list(movie.blocks(size))
    np.testing.assert_array_equal(np.concatenate([b for _, b in blocks]), movie.source.frames)
    list(movie.blocks(size))  # at later readings, too


def refusal(frames, n=2, size=37):
    return told.refusal(read, frames, n, size)


@pytest.mark.parametrize("size", [1, 50, 1000])
@pytest.mark.parametrize("dropped", [1, 2, 7, 150, 396])
def test_the_frame_at_which_two_wavelengths_swap_is_named(dropped, size):
    words = refusal(np.delete(two(), dropped, axis=0), size=size)
    assert f"change their order at frame {dropped} of 399:" in words and "light_sources" in words


@pytest.mark.parametrize("ratio", [0.5, 0.9, 1.4])
def test_wavelengths_of_any_brightness_are_told_apart(ratio):
    read(two(ratio))
    assert "at frame 250 " in refusal(np.delete(two(ratio), 250, axis=0))


def test_wavelengths_of_one_brightness_are_told_by_their_images():
    frames = interleave(channel(1000, 1, texture=0.3), channel(1000, 2, texture=-0.3))
    read(frames)
    assert "at frame 250 " in refusal(np.delete(frames, 250, axis=0))


@pytest.mark.parametrize("second", [105, 301])
def test_all_changes_are_counted(second):
    words = refusal(np.delete(two(), [100, second], axis=0))
    assert "at frame 100 of 398 and 1 times more" in words


@pytest.mark.parametrize("dropped", [[133], [133, 134]])
def test_three_channels(dropped):
    frames = interleave(channel(1000, 1), channel(800, 2), channel(500, 3))
    read(frames, 3)
    assert "the 3 channels change their order at frame 133" in refusal(
        np.delete(frames, dropped, axis=0), 3
    )


def test_dark_frames_before_the_light(capsys):
    dark = 100 + np.random.default_rng(0).normal(0, 2, (3, H, W))
    words = refusal(np.concatenate([dark, two()]))
    assert "the light goes on at frame 3, which is no multiple of 2" in words
    read(np.concatenate([dark[:2], two()]))  # the order stays
    assert "the first 2 frames are dark" in capsys.readouterr().err


def test_dark_frames_within_the_recording():
    dark = 100 + np.random.default_rng(0).normal(0, 2, (5, H, W))
    frames = two()
    frames[200:205] = dark  # a shutter, while lights go on taking turns
    read(frames)
    words = refusal(np.concatenate([two()[:200], dark, two()[200:]]))  # lights waited
    assert "at frame 205 " in words


def test_nothing_else_is_taken_for_it():
    frames, late = two(), np.arange(2 * T)[:, None, None] >= 200
    rng = np.random.default_rng(5)
    kinds = {
        "equal wavelengths": two(1.0),
        "equal wavelengths, one dropped": np.delete(two(1.0), 100, axis=0),
        "a whole cycle dropped": np.delete(frames, [100, 101], axis=0),
        "less light": np.where(late, frames * 0.7, frames),
        "more light": np.where(late, frames / 0.7, frames),
        "one light fails": np.where(late & (np.arange(2 * T) % 2 == 1)[:, None, None], 90, frames),
        "one light grows past the other": frames
        * np.where(np.arange(2 * T) % 2, np.linspace(1, 2, 2 * T), 1)[:, None, None],
        "movement": np.where(late, np.roll(frames, 5, axis=2), frames),
        "flashes": frames * np.where(rng.random(2 * T) < 0.02, 1.6, 1)[:, None, None],
        "a first frame half exposed": frames * np.r_[0.5, np.ones(2 * T - 1)][:, None, None],
        "neurons": frames * np.where(np.arange(2 * T) % 80 < 20, 1.3, 1)[:, None, None],
    }
    for kind, made in kinds.items():
        try:
            read(made)
        except UserError as error:
            raise AssertionError(kind) from error


def test_what_says_nothing_of_turns_is_passed_on():
    """Less than two cycles; one light alone; images that differ by less than 3 %, without noise."""
    read(two()[:3])
    read(np.concatenate([np.full((1, H, W), 100.0), two()[:2]]))  # the first may be dark, or not
    tiles = np.tile([[1.0, 2.0], [2.0, 1.0]], (20, 1))
    swapped = np.delete(tiles, 11, axis=0)
    dark = np.zeros(39, bool)
    assert turns.changes_of_order(swapped, 2, dark) == [11]
    assert turns.changes_of_order(swapped, 2, np.arange(39) % 2 == 0) == []
    assert turns.changes_of_order(100 + swapped, 2, dark) == []  # by 1 of 101.5
    assert turns.changes_of_order(30 + swapped, 2, dark) == [11]  # by 1 of 31.5
    assert not turns._take_turns(tiles[:3], 2) and turns._take_turns(tiles, 2)


@pytest.mark.parametrize("side", [slice(0, 4), slice(4, 8)], ids=["before", "after"])
@pytest.mark.parametrize(("noise", "clear"), [(1.9, True), (2.1, False)])
def test_a_frame_is_clear_that_is_four_times_as_near_to_its_own_channel(side, noise, clear):
    """Of channels of 0 and of 10, where frames of the first are off by 1.9: 8.1 from the other."""
    tiles = np.tile([0.0, 10.0], 4)
    tiles[side] += noise * np.array([1, 0, -1, 0])
    lit = [np.arange(0, 8, 2), np.arange(1, 8, 2)]
    assert turns._each_is_clear(tiles[:, None], 4, lit, 2) == clear
    assert turns._each_is_clear(10 - tiles[:, None], 4, lit, 2) == clear


def test_where_a_channel_has_no_frame_before_what_follows_decides():
    tiles = np.array([[0.0], [10], [0], [10], [0], [10]])
    lit = [np.arange(0, 6, 2), np.arange(1, 6, 2)]
    with warnings.catch_warnings(action="error"):  # of the mean of nothing
        assert turns._each_is_clear(tiles, 1, lit, 2)


def tiles_of(*values):
    return np.array(values, float).reshape(len(values), -1)


@pytest.mark.parametrize(
    ("values", "n", "apart"),
    [
        ([0, 10, 0, 10, 0, 10, 5], 2, False),  # 4 of 5 frames are clear: no more than 0.8
        ([0, 10, 0, 10, 0, 10, 0, 5], 2, True),  # 5 of 6
        ([0, 10, 2, 8, 0, 10], 2, False),  # 2 from its own, 8 and less from the other
        ([0, 10, 1, 11, 0, 10], 2, True),
        ([0, 10, 20, 0, 10, 20], 3, True),
        ([0, 10, 0, 0, 10, 0], 3, False),  # the third is as the first
        ([0, 10], 2, False),
        ([0, 10, 0], 2, True),
    ],
)
def test_channels_are_told_apart_where_most_frames_are_four_times_as_near_to_their_own(
    values, n, apart
):
    with warnings.catch_warnings(action="error"):
        assert turns._tell_apart(tiles_of(*values), n) == apart


@pytest.mark.parametrize(
    ("first", "dark"),
    [
        ((36, 43), True),  # mean 39.5 of 80, SD 3.5 of 20
        ((37, 43), False),  # 40
        ((34, 42), False),  # 4
        ((34.2, 42), True),
        ((-1, 1), False),  # no counts
    ],
)
def test_a_dark_frame_has_half_the_light_and_a_fifth_of_the_contrast_of_the_darkest_channel(
    first, dark
):
    lit = [(100, 200), (60, 100)]  # by the second half of the movie
    tiles = tiles_of(first, (1000, 3000), *lit, *lit, *lit, lit[0], (5000, 5000))  # a flash
    assert turns.dark_frames(tiles, 2).tolist() == [dark, *[False] * 9]


@pytest.mark.parametrize(("apart", "changes"), [(4.9, []), (5.1, [53])])
def test_an_order_changes_where_channels_are_half_as_unlike_as_usual_or_more(apart, changes):
    size = np.where(np.abs(np.arange(101) - 53) <= 12, apart, 10.0)
    tiles = 100 + size * np.delete(np.arange(102) % 2, 53)
    assert turns.changes_of_order(tiles[:, None], 2, np.zeros(101, bool)) == changes


@pytest.mark.parametrize(
    "seed", [9, 137, 929]
)  # the frame after or before it is clear too, or both
def test_of_changes_within_a_look_the_clearest_is_named(seed):
    rng = np.random.default_rng(seed)
    tiles = np.tile(rng.normal(size=(4, 3)), (24, 1)) + rng.normal(0, 0.07, (96, 3))
    tiles = np.delete(tiles, 41, axis=0)
    assert turns.changes_of_order(tiles, 4, np.zeros(95, bool)) == [41]


def test_most_of_the_first_half_may_be_dark():
    tiles = tiles_of(*[(10, 10)] * 8, *[(100, 200), (60, 100)] * 3)
    assert turns.dark_frames(tiles, 2).tolist() == [True] * 8 + [False] * 6


@pytest.mark.parametrize(
    ("values", "n", "after"),
    [
        ([10] * 4 + [20] * 4, 2, True),
        ([10] * 2 + [20] * 6, 2, True),  # a cycle from the middle
        ([10] * 1 + [20] * 7, 2, False),
        ([10] * 6 + [20] * 2, 2, True),
        ([10] * 7 + [20] * 1, 2, False),
        ([10] * 3 + [20] * 3, 2, False),  # too few frames to tell
        ([10] * 6 + [20] * 6 + [5] * 6, 3, True),
        ([10] * 6 + [20] * 12, 3, False),
        ([100] * 4 + [103.0] * 4, 2, False),  # 3 % of 101.5 are 3.045
        ([100] * 4 + [103.1] * 4, 2, True),
        ([-100] * 4 + [-103.1] * 4, 2, True),
        ([10, 11, 10, 11, 15.1, 14.1, 15.1, 14.1], 2, True),  # by 4.1, where others are by 1
        ([10, 11, 10, 11, 14.9, 13.9, 14.9, 13.9], 2, False),
    ],
)
def test_channels_follow_each_other_where_each_has_a_step_at_its_end(values, n, after):
    assert turns.one_after_the_other(tiles_of(*values), n) == after


@pytest.mark.parametrize(
    ("values", "unlike"),
    [
        ([100, 103.0] * 4, False),  # by 3 of 101.5: less than 3 %
        ([100, 103.1] * 4, True),
        ([-100, -103.1] * 4, True),
        ([100, 110, 100], False),
        ([100, 110, 100, 110], True),
        ([100, 110, 100, np.nan], False),
    ],
)
def test_two_images_that_take_turns_differ_by_three_percent(values, unlike):
    assert turns._take_turns(tiles_of(*values), 2) == unlike


@pytest.mark.parametrize(("n", "length"), [(2, 1), (2, 3), (3, 2)])
def test_images_around_frames_are_compared_as_a_slow_loop_does(n, length):
    tiles = np.random.default_rng(n).random((13, 4))
    lit = [np.arange(i, 13, n) for i in range(n)]
    lit[1] = lit[1][lit[1] != 1 + n]  # a dark frame

    def apart(some, others, shift):
        each = [
            np.mean((a - b) ** 2)
            for a, b in zip(some, [*others[shift:], *others[:shift]], strict=True)
            if a is not None and b is not None
        ]
        return np.mean(each) if each else np.nan

    def around(t):
        before = [[i for i in own if i < t][-length:] for own in lit]
        after = [[i for i in own if i >= t][:length] for own in lit]
        sides = [[tiles[i].mean(axis=0) if i else None for i in side] for side in (before, after)]
        same, *others = (apart(*sides, shift) for shift in range(n))
        ratio = min(others) / same * (turns.FEW if t < n else 1)
        known = np.isfinite(ratio) and t <= lit[0][-1]
        unlike = [[apart(side, side, shift) for shift in range(1, n)] for side in sides]
        return ratio if known else np.inf, np.fmin(*(np.min(one) for one in unlike))

    sums = [np.cumsum(np.vstack([0 * tiles[:1], tiles[i]]), axis=0) for i in lit]
    found = turns._compared(np.arange(13), lit, sums, length)
    np.testing.assert_allclose(np.transpose(found), [around(t) for t in range(13)])


@pytest.mark.parametrize("step", [3, 8, 4096])
@pytest.mark.parametrize("dropped", [[2], [23], [36], [13, 18], [12, 20], [12, 26]])
def test_changes_of_order_do_not_hang_on_how_many_frames_are_looked_at(monkeypatch, step, dropped):
    monkeypatch.setattr(turns, "STEP", step)
    tiles = np.delete(np.tile([[1.0, 2.0], [2.0, 1.0]], (20, 1)), dropped, axis=0)
    expected = [at - i for i, at in enumerate(dropped)]
    assert turns.changes_of_order(tiles, 2, np.zeros(len(tiles), bool)) == expected


def test_channels_one_after_the_other_are_no_turns():
    words = refusal(np.concatenate([channel(1000, 1), channel(700, 2)]))
    assert "follow each other after 200 frames" in words and "wavelengths: separate" in words


def test_files_of_one_wavelength_each_hold_no_turns_of_two():
    def look(frames):
        movie = InTurn(Stack(frames.astype(np.uint16)), 2, apart=True)
        assert len(np.concatenate([b for _, b in movie.blocks(37)])) == len(frames)

    look(two())
    look(interleave(channel(1000, 1), channel(1000, 1)))
    flicker = 1 + 0.01 * (np.arange(2 * T) // 2 % 2)[:, None, None]
    look(two() * flicker)
    for files in ((two()[:T], two()[T:]), (channel(500), two()[:T]), (two()[:T], channel(500))):
        with pytest.raises(UserError, match="wavelengths: in_turn"):
            look(interleave(*files))  # rec_w1 and rec_w2 of two weeks, or one that is mixed


def test_files_taken_for_one_wavelength_each_are_looked_at_one_by_one(tmp_path):
    files = sources(tmp_path, two()[:T], np.arange(T) // 20 % 2)
    tifffile.imwrite(tmp_path / "t.tif", two()[T:].astype(np.uint16), photometric="minisblack")
    files["movie"] = [files["movie"], tmp_path / "t.tif"]
    settings = {"corrections": DEFAULTS | {"channels": 2}, "wavelengths": "separate"}
    with pytest.raises(UserError, match="2 unlike images take turns in its frames: set wavelen"):
        preprocess(tmp_path / "o.h5", **files, **settings)


def sources(folder, frames, labels):
    tifffile.imwrite(folder / "s.tif", frames.astype(np.uint16), photometric="minisblack")
    np.save(folder / "labels.npy", labels)
    return {
        **{"movie": folder / "s.tif", "behavior": folder / "labels.npy"},
        **{"session": "s1", "mouse": "m1", "frame_rate": RATE},
    }


@pytest.mark.parametrize(
    ("settings", "taken"),
    [
        (
            {"channels": 2, "reference_channel": 2},
            "frames 0, 2, 4 … for calcium (signal_channel), frames 1, 3, 5 … for blood",
        ),
        (
            {"channels": 2, "signal_channel": 2},
            "frames 0, 2, 4 … for none of both and left out, frames 1, 3, 5 … for calcium",
        ),
    ],
)
def test_which_frames_are_taken_for_calcium_is_said(tmp_path, capsys, settings, taken):
    files = sources(tmp_path, two(), np.arange(T) // 20 % 2)
    corrections = DEFAULTS | settings
    preprocess(tmp_path / "s1.h5", **files, corrections=corrections)
    said = capsys.readouterr().err
    assert f"s.tif: 2 channels take turns in its frames; taken are {taken}" in said
    with h5py.File(tmp_path / "s1.h5") as file:  # as the table of quality control has it
        words = file["corrections"].attrs["effects"]
    assert f"channel {corrections['signal_channel']} of 2: 200 of 400 frames are taken for" in words
    one = sources(tmp_path, channel(1000), np.arange(T) // 20 % 2)
    preprocess(tmp_path / "s1.h5", **one, corrections=DEFAULTS)
    assert "take turns" not in capsys.readouterr().err


def test_a_recording_with_a_dropped_frame_is_refused_and_mended_by_its_light_sources(
    tmp_path, capsys
):
    frames = np.delete(two(), 121, axis=0).astype(np.uint16)  # a frame of the reference
    lights = np.delete(np.tile([2, 3], T), 121)
    labels = np.arange(T) // 20 % 2
    files = sources(tmp_path, frames, labels)
    settings = DEFAULTS | {"channels": 2, "reference_channel": 2}
    with pytest.raises(UserError, match=r"no whole cycle.*light_sources"):  # 200 labels
        preprocess(tmp_path / "o.h5", **files, corrections=settings)
    np.save(tmp_path / "labels.npy", labels[1:])
    with pytest.raises(UserError, match="at frame 121 of 399"):
        preprocess(tmp_path / "o.h5", **files, corrections=settings)
    assert "399 frames are no whole number of cycles of 2 channels" in capsys.readouterr().err
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "lights.npy", lights)
    settings |= {"channels": 1, "signal_channel": 2, "reference_channel": 3}
    given = {"light_sources": tmp_path / "lights.npy", "corrections": settings}
    preprocess(tmp_path / "o.h5", **files, **given)
    with h5py.File(tmp_path / "o.h5") as file:
        np.testing.assert_array_equal(file["frames"], frames[lights == 2])
        assert file["corrections/signal_frames"][:].tolist() == np.flatnonzero(lights == 2).tolist()
    np.save(tmp_path / "lights.npy", lights[1:])
    with pytest.raises(UserError, match=r"lights\.npy: .*398 light sources.* 399 frames"):
        preprocess(tmp_path / "o.h5", **files, **given)
    with pytest.raises(UserError, match="wavelengths is separate"):
        preprocess(tmp_path / "o.h5", **files, **given, wavelengths="separate")


def test_light_sources_from_0_are_taken_by_their_numbers_and_others_are_said(tmp_path, capsys):
    frames = two().astype(np.uint16)
    files = sources(tmp_path, frames, np.arange(T) // 20 % 2)
    np.save(tmp_path / "lights.npy", np.tile([0, 1], T))
    lights = {"light_sources": tmp_path / "lights.npy"}
    for signal in (0, 1):
        settings = DEFAULTS | {"signal_channel": signal}
        preprocess(tmp_path / "o.h5", **files, **lights, corrections=settings)
        with h5py.File(tmp_path / "o.h5") as file:
            np.testing.assert_array_equal(file["frames"], frames[signal::2])
        words = f"light source {signal} (200 frames) is taken for calcium"
        assert f"{words} (signal_channel); left out: {1 - signal} (200" in capsys.readouterr().err
    settings = DEFAULTS | {"signal_channel": 0, "reference_channel": 1}
    preprocess(tmp_path / "o.h5", **files, **lights, corrections=settings)
    assert "left out" not in capsys.readouterr().err
    schema.check(settings, "corrections", "corrections")
    correction_table.check(settings, by_light=True)
    with pytest.raises(UserError, match="signal_channel 0 of 2 channels; give 1 to 2"):
        correction_table.check(settings | {"channels": 2})


@pytest.mark.parametrize(
    ("cycle", "more", "without"),
    [
        ([3, 2], [], 0),
        ([2, 3], [], 0),
        ([2, 3], [2], 1),  # a last frame without a partner, which has no time in files of IBL
        ([0, 2, 3], [0], 0),  # a dark frame before each pair
        (["violet", "blue"], [], 0),
    ],
)
def test_a_movie_of_the_signal_alone_takes_its_times_of_those_of_all_lights(
    tmp_path, capsys, cycle, more, without
):
    """As components corrected for hemodynamics lie beside the times of all frames (ALF of IBL)."""
    n, signal = 60, 2 if 2 in cycle else "blue"
    frames = np.random.default_rng(0).integers(0, 999, (n, 6, 8)).astype(np.uint16)
    lights = np.array([*cycle * n, *more])
    times = np.arange(len(lights) - without) / (len(cycle) * RATE)
    files = sources(tmp_path, frames, np.arange(n) // 20 % 2)
    np.save(tmp_path / "lights.npy", lights)
    np.save(tmp_path / "times.npy", times)
    settings = DEFAULTS | {"signal_channel": signal}
    given = {"light_sources": tmp_path / "lights.npy", "frame_times": tmp_path / "times.npy"}
    preprocess(tmp_path / "o.h5", **files, **given, corrections=settings)
    with h5py.File(tmp_path / "o.h5") as file:
        np.testing.assert_array_equal(file["frames"], frames)
        np.testing.assert_allclose(file["time"], times[lights[: len(times)] == signal])
    assert f"of {len(lights)} light sources are {signal}" in capsys.readouterr().err
    both = settings | {"reference_channel": 3 if signal == 2 else "violet"}
    with pytest.raises(UserError, match="leave reference_channel out"):
        preprocess(tmp_path / "o.h5", **files, **given, corrections=both)
    np.save(tmp_path / "lights.npy", lights[len(cycle) :])
    with pytest.raises(UserError, match=r"59 of them are|has 120 time stamps, but the movie"):
        preprocess(tmp_path / "o.h5", **files, **given, corrections=settings)


@pytest.mark.parametrize("n", [2, 3])
def test_channels_of_one_light_are_doubted(capsys, n):
    rng = np.random.default_rng(3)
    drift = 1 + 0.05 * np.sin(np.arange(T) / 9)  # slow, as light and neurons are
    one = 1000 * drift[:, None, None] * (1 + 0.02 * rng.normal(size=(T, H, W)))
    with doubts() as found:
        read(one, n)
    (words,) = found
    assert f"the {n} channels look the same" in words and f"all frames but one in {n} are" in words
    assert words in capsys.readouterr().err
    one[1::n] *= 0.97  # another light, all but as bright
    one[2::n] *= 1.04 if n == 3 else 1
    with doubts() as found:
        read(one, n)
    assert not found and not capsys.readouterr().err
    few = np.repeat([10.0, 1000.0], n)[:, None, None] * np.linspace(0.9, 1.1, H)[:, None]
    with warnings.catch_warnings(), doubts() as found:  # a cycle in the dark, and one
        warnings.simplefilter("error")
        read(few * np.ones(W), n)
    assert not found
