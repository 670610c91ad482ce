"""What networks are fed, against a slow computation of each image and window by itself."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from make_recordings import H, W, stack, write_recording
from mesodecode.base.files import UserError
from mesodecode.decoders.feature_files import read_features
from mesodecode.decoders.inputs import Images, SessionFeatures, Windows, normalising_of, spread


def slow_image(frames, t):
    """(x - temporal mean of the pixel) / SD of the whole stack; channels t-1, t, t+1."""
    x = frames.astype(np.float64)
    mean, sd = x.mean(axis=0), x.std()
    return np.stack([(x[t - 1] - mean) / sd, (x[t] - mean) / sd, (x[t + 1] - mean) / sd])


DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_images_are_normalised_triples_of_their_own_recording(tmp_path, dtype):
    stacks = [stack(dtype, 9), stack(dtype, 6, seed=1, scale=0.5)]  # other mean and SD
    recordings = [write_recording(tmp_path / f"s{i}.h5", x) for i, x in enumerate(stacks)]
    if dtype == "uint16":
        assert stacks[0].max() > 32767  # where a signed type would turn negative
    images = Images(recordings)
    expected = [slow_image(stacks[0], t) for t in range(1, 8)]
    expected += [slow_image(stacks[1], t) for t in range(1, 5)]
    assert images.centres.tolist() == [1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13]
    batch = images.batch(images.centres)
    assert batch.dtype == torch.float32
    assert batch.shape == (11, 3, H, W)
    np.testing.assert_allclose(batch.numpy(), expected, atol=2e-5)


def test_images_of_any_positions_in_any_order(tmp_path):
    frames = stack("uint16", 9)
    images = Images([write_recording(tmp_path / "s.h5", frames)])
    batch = images.batch(torch.tensor([7, 2, 2, 5]))
    expected = [slow_image(frames, t) for t in (7, 2, 2, 5)]
    np.testing.assert_allclose(batch.numpy(), expected, atol=2e-5)


def test_a_batch_does_not_change_the_frames(tmp_path):
    images = Images([write_recording(tmp_path / "s.h5", stack("float32", 9))])
    first = images.batch(images.centres).clone()
    torch.testing.assert_close(images.batch(images.centres), first, rtol=0, atol=0)


def test_images_are_laid_out_channels_last(tmp_path):
    images = Images([write_recording(tmp_path / "s.h5", stack("uint16", 9))])
    batch = images.batch(images.centres)
    assert batch.is_contiguous(memory_format=torch.channels_last)


def test_images_cross_neither_recordings_nor_segments(tmp_path):
    a = write_recording(tmp_path / "a.h5", stack("uint8", 8), segment=[0, 0, 0, 1, 1, 1, 0, 0])
    b = write_recording(tmp_path / "b.h5", stack("uint8", 4, seed=1))
    c = write_recording(tmp_path / "c.h5", stack("uint8", 2, seed=2))  # too short for an image
    images = Images([a, b, c])
    assert images.centres.tolist() == [1, 4, 8 + 1, 8 + 2]
    # The rule counts positions: labels are of every frame, so that labels[centres] fits.
    np.testing.assert_array_equal(images.labels, np.concatenate([a.labels, b.labels, c.labels]))
    assert images.labels.dtype == torch.float32


def test_frames_stay_in_their_type_in_memory(tmp_path):
    """18,000 frames of 128 px are 0.6 GB as uint16 and 3.5 GB as float32 triples."""
    frames = stack("uint16", 9)
    images = Images([write_recording(tmp_path / "s.h5", frames)])
    held = vars(images) | vars(images._frames)
    held = [v for v in held.values() if isinstance(v, torch.Tensor) and v.ndim == 3]
    sizes = sorted(tensor.numel() * tensor.element_size() for tensor in held)
    assert sizes == sorted([frames.nbytes, H * W * 4])  # the frames and the mean, no copy more


def test_refuses_recordings_of_different_types(tmp_path):
    a = write_recording(tmp_path / "a.h5", stack("uint8", 8))
    b = write_recording(tmp_path / "b.h5", stack("uint16", 8))
    with pytest.raises(UserError, match=r"b\.h5.*uint16.*uint8"):
        Images([a, b])


def test_all_that_windows_are_made_of_lies_on_the_device_that_was_asked_for():
    source = Windows([session("a", 9), session("b", 8)], 2, 2, "meta")
    held = [value for value in vars(source).values() if isinstance(value, torch.Tensor)]
    assert len(held) == 3 and {value.device.type for value in held} == {"meta"}


# --- windows -----------------------------------------------------------------------------------


def session(name, n_frames, n_features=4, segment=None, mouse="m1", seed=0):
    rng = np.random.default_rng(seed)
    return SessionFeatures(
        name,
        mouse,
        rng.normal(size=(n_frames, n_features)).astype(np.float16),
        rng.integers(0, 2, n_frames).astype(np.uint8),
        None if segment is None else np.asarray(segment, np.int64),
    )


def slow_windows(sessions, half_window, reach):
    """Return (positions, windows, labels): every window by slicing its own session."""
    positions, windows, labels, start = [], [], [], 0
    for s in sessions:
        n = len(s.labels)
        for t in range(n):
            around = range(t - reach, t + reach + 1)
            segment = np.zeros(n) if s.segment is None else s.segment
            if around[0] >= 0 and around[-1] < n and len({segment[k] for k in around}) == 1:
                positions.append(start + t)
                windows.append(s.features[t - half_window : t + half_window + 1])
                labels.append(s.labels[t])
        start += n
    return positions, np.array(windows), np.array(labels)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=3),
    half_window=st.integers(0, 3),
    more=st.integers(0, 1),
    order=st.sampled_from("CF"),
)
def test_windows_equal_slices_of_their_sessions(lengths, half_window, more, order):
    """`lengths` are those of the segments of each session; ids come back (0, 1, 0, …).

    `order`: of features in memory, by frame or by column.
    """
    sessions = [
        session(
            f"s{i}",
            sum(parts),
            segment=[j % 2 for j, part in enumerate(parts) for _ in range(part)],
            seed=i,
        )
        for i, parts in enumerate(lengths)
    ]
    sessions = [replace(one, features=np.asarray(one.features, order=order)) for one in sessions]
    reach = half_window + more
    windows = Windows(sessions, half_window, reach)
    positions, expected, labels = slow_windows(sessions, half_window, reach)
    assert windows.centres.tolist() == positions
    assert windows.n_features == 4
    if positions:
        batch = windows.batch(windows.centres)
        assert batch.dtype == torch.float32
        np.testing.assert_array_equal(batch.numpy(), expected)
        np.testing.assert_array_equal(windows.labels[windows.centres].numpy(), labels)
        assert windows.labels.dtype == torch.float32


def test_few_of_many_positions_are_the_nearest_to_even_steps():
    many = torch.arange(10, 18)
    assert spread(many, 4).tolist() == [10, 12, 15, 17]  # 0, 2.3, 4.7 and 7 from the first
    assert spread(many, 1).tolist() == [10] and spread(many[:0], 3).tolist() == []
    assert spread(many, 8).tolist() == spread(many, 99).tolist() == many.tolist()


def test_a_hand_worked_window():
    one = SessionFeatures(
        "s", "m1", np.arange(7, dtype=np.float16)[:, None], np.zeros(7, np.uint8), None
    )
    windows = Windows([one], 1, 2)  # of images: the outer ones need one frame more
    assert windows.centres.tolist() == [2, 3, 4]
    assert windows.batch(torch.tensor([4, 2]))[..., 0].tolist() == [[3, 4, 5], [1, 2, 3]]


@pytest.mark.parametrize("causal", [False, True])
def test_a_decoder_and_the_cnn_of_all_its_features_are_causal_or_none_is(causal):
    own, other = (
        replace(session(f"{kind}", 5), normalising={"causal": kind, "baseline": 9})
        for kind in (causal, not causal)
    )
    settings = {"causal": causal}
    assert normalising_of(settings, [own, own]) == {"causal": causal, "baseline": 9}
    for mixed in ([own, other], [other, own], [other]):
        said = f"causal: {causal}, but {not causal} of ".lower()
        with pytest.raises(UserError, match=f"^{said}the CNN that made the features; both read"):
            normalising_of(settings, mixed)


# --- the features file -------------------------------------------------------------------------


def write_features(path, sessions):
    with h5py.File(path, "w") as file:
        for s in sessions:
            group = file.create_group(s.session)
            group.attrs["mouse"] = s.mouse
            group["features"], group["labels"] = s.features, s.labels
            if s.segment is not None:
                group["segment"] = s.segment


def test_features_read_back_by_mouse(tmp_path):
    sessions = [
        session("a", 5, mouse="m1"),
        session("b", 6, mouse="m2", segment=[0, 0, 0, 1, 1, 1], seed=1),
        session("c", 4, mouse="m1", seed=2),
    ]
    write_features(tmp_path / "f.h5", sessions)
    for mice, expected in ((None, "abc"), (["m1"], "ac"), (("m2",), "b"), (["m2", "m1"], "abc")):
        got = read_features(tmp_path / "f.h5", mice)
        assert "".join(s.session for s in got) == expected
        for s in got:
            original = sessions["abc".index(s.session)]
            assert s.mouse == original.mouse
            np.testing.assert_array_equal(s.features, original.features)
            assert s.features.dtype == np.float16
            np.testing.assert_array_equal(s.labels, original.labels)
            assert (s.segment is None) == (original.segment is None)


def test_a_mouse_without_features_is_named_even_beside_others(tmp_path):
    write_features(tmp_path / "f.h5", [session("a", 5, mouse="m1")])
    for mice in (["m9"], ["m1", "m9"]):
        with pytest.raises(UserError, match=r"/f\.h5: no features of mice m9$"):
            read_features(tmp_path / "f.h5", mice)


def test_what_is_no_features_file_is_named(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    write_recording(tmp_path / "recording.h5", stack("uint8", 8))
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    for name, said in (
        ("text.h5", r"not a file of features \(.+\); make it with `mesodecode extract`"),
        ("recording.h5", r"not a file of features \(.+\); make it with `mesodecode extract`"),
        ("empty.h5", "no features of mice of any name"),
    ):
        with pytest.raises(UserError, match=rf"/{name}: {said}$"):
            read_features(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"none\.h5"):
        read_features(tmp_path / "none.h5")
