"""Cut-out importance: against one image and one window at a time, and worked by hand."""

from __future__ import annotations

import copy
import functools
import itertools
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from sklearn.metrics import roc_auc_score
from torch import nn

from mesodecode.base.files import UserError
from mesodecode.decoders.extraction import extract
from mesodecode.decoders.feature_files import read_features
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder
from mesodecode.decoders.predict import predict_cnn, predict_finetuned, predict_rnn
from mesodecode.decoders.weights import Trained, load_trained
from mesodecode.explain import cutout_fill, cutout_logits, cutout_masks
from mesodecode.explain.cutout import cutout_importance, cutout_session
from mesodecode.explain.cutout_masks import CutoutMasks
from mesodecode.recordings.recording import read_recording

SIDE = 32


pytestmark = pytest.mark.usefixtures("one_thread")


def movie(n_frames=40, side=SIDE, seed=0):
    """Return frames (T, H, W) with a patch that is brighter in run frames, and labels (T,)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n_frames).astype(np.uint8)
    labels[: n_frames // 2 : 3] = 1  # both states, wherever
    frames = rng.normal(2000, 60, (n_frames, side, side))
    frames[labels == 1, 4:12, 4:12] += 40
    return frames.astype(np.uint16), labels


# Masks ------------------------------------------------------------------------------------------


def test_the_published_grid_is_7_by_7_squares_of_32_px_every_16():
    grid = cutout_masks.squares(128, 128)
    assert len(grid) == 49 and grid.areas.shape == (49, 128, 128)
    assert (grid.areas.sum((1, 2)) == 32 * 32).all()
    by_hand = {
        "square r1 c1": np.s_[0:32, 0:32],
        "square r1 c7": np.s_[0:32, 96:128],
        "square r7 c1": np.s_[96:128, 0:32],
        "square r7 c7": np.s_[96:128, 96:128],
        "square r2 c4": np.s_[16:48, 48:80],
    }
    for name, where in by_hand.items():
        expected = np.zeros((128, 128), bool)
        expected[where] = True
        np.testing.assert_array_equal(grid.areas[grid.names.index(name)], expected)
    assert grid.centres()[1].tolist() == [31.5, 15.5]  # x, y of r1 c2
    pixels = cutout_masks.squares(128, 128, size=32, stride=16)
    np.testing.assert_array_equal(pixels.areas, grid.areas)


@pytest.mark.parametrize("side", [*range(16, 70), 96, 100, 224, 256])
def test_the_grid_is_7_by_7_at_every_size_and_mirrors_itself_within_a_pixel(side):
    grid = cutout_masks.squares(side, side)
    assert len(grid) == 49
    assert grid.areas.any(0).all()
    x = np.unique(grid.centres()[:, 0])
    np.testing.assert_allclose(x + x[::-1], side - 1, atol=1)


def test_squares_reach_the_last_pixel_whatever_the_stride():
    grid = cutout_masks.squares(10, 13, size=4, stride=4)
    # rows start at 0, 4, 6; columns at 0, 4, 8, 9
    assert grid.centres().tolist() == [[x + 1.5, y + 1.5] for y in (0, 4, 6) for x in (0, 4, 8, 9)]
    assert grid.areas.any(0).all()


@pytest.mark.parametrize(("blocks", "sizes"), [(1, [7]), (3, [2, 2, 3]), (7, [1] * 7)])
def test_blocks_share_all_masks_as_evenly_as_can_be(blocks, sizes):
    masks = cutout_masks.squares(8, 8, size=2, stride=2)[:7]
    parts = [cutout_masks.part(masks, number, blocks) for number in range(1, blocks + 1)]
    assert [len(one) for one in parts] == sizes
    assert sum((one.names for one in parts), ()) == masks.names
    for block, n, words in (
        *(
            (none, blocks, f"^block {none}/{blocks}: give 1/{blocks} to {blocks}/{blocks}$")
            for none in (0, blocks + 1)
        ),
        (1, 8, "^7 masks in 8 blocks: set blocks to 7 at most$"),
    ):
        with pytest.raises(UserError, match=words):
            cutout_masks.part(masks, block, n)


@pytest.mark.parametrize(("name", "called"), [("m_day1", "m_day1"), (None, "20240101")])
def test_a_file_of_areas_is_that_of_a_sessions_name_and_mouse(monkeypatch, name, called):
    monkeypatch.setattr(cutout_masks, "from_file", lambda *given: given)
    about = {"session": "20240101", "mouse": "m", "shape": (9, 4, 5), "recorded_size": (8, 10)}
    settings = {"masks": "{mouse}/{session}.npy", "size": None, "stride": None}
    found = cutout_masks.masks_of(settings, SimpleNamespace(name=name, **about))
    assert found == (f"m/{called}.npy", 4, 5, (8, 10))


def test_circles_lie_within_the_squares():
    circles = cutout_masks.circles(8, 8, size=4, stride=4)
    disc = np.array([[0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 0]], bool)
    assert circles.names == ("circle r1 c1", "circle r1 c2", "circle r2 c1", "circle r2 c2")
    np.testing.assert_array_equal(circles.areas[1], np.pad(disc, ((0, 4), (4, 0))))
    assert len(cutout_masks.circles(64, 64)) == 49


def test_edges_and_corners_hide_both_sides_at_once():
    left_right, top_bottom, everything = cutout_masks.edges(5, 7, size=1).areas
    assert _rows(left_right) == ["1000001"] * 5
    assert _rows(top_bottom) == ["1111111", "0000000", "0000000", "0000000", "1111111"]
    assert _rows(everything) == ["1111111", "1000001", "1000001", "1000001", "1111111"]
    top, bottom, four = cutout_masks.corners(5, 7, size=2).areas
    assert _rows(top) == ["1100011", "1100011", "0000000", "0000000", "0000000"]
    assert _rows(bottom) == _rows(top)[::-1]
    assert _rows(four) == ["1100011", "1100011", "0000000", "1100011", "1100011"]


def _rows(area):
    return ["".join("01"[pixel] for pixel in row.astype(int)) for row in area]


def test_pairs_are_squares_with_their_mirror_images():
    grid, pairs = cutout_masks.squares(128, 128), cutout_masks.pairs(128, 128)
    assert len(pairs) == 7 * 4
    for name, area in zip(pairs.names, pairs.areas, strict=True):
        np.testing.assert_array_equal(area, area[:, ::-1])
        row, column = (int(part[1:]) for part in name.split()[1:])
        left, right = (
            grid.areas[grid.names.index(f"square r{row} c{c}")] for c in (column, 8 - column)
        )
        np.testing.assert_array_equal(area, left | right)
    assert pairs.areas.any(0).all()


def test_areas_of_a_file_and_all_but_them(tmp_path):
    labels = np.zeros((4, 6), np.uint8)
    labels[1:3, 1:3], labels[3, 4] = 8, 3
    np.save(tmp_path / "areas.npy", labels)
    masks = cutout_masks.from_file(tmp_path / "areas.npy", 4, 6)
    assert masks.names == ("area 3", "area 8", "all but area 3", "all but area 8")
    np.testing.assert_array_equal(masks.areas[1], labels == 8)
    np.testing.assert_array_equal(masks.areas[3], labels != 8)


def test_areas_drawn_on_the_recorded_movie_fit_smaller_images(tmp_path):
    labels = np.zeros((8, 8), np.uint8)
    labels[0:4, 2:5], labels[6:, 6:] = 1, 2  # area 1 has half of the pixels of its last column
    np.save(tmp_path / "areas.npy", labels)
    masks = cutout_masks.from_file(tmp_path / "areas.npy", 4, 4, recorded=(8, 8))
    assert _rows(masks.areas[0]) == ["0110", "0110", "0000", "0000"]
    assert _rows(masks.areas[1]) == ["0000", "0000", "0000", "0001"]
    labels[6:, 6:] = 0
    labels[7, 7] = 2  # a quarter of a pixel
    np.save(tmp_path / "areas.npy", labels)
    with pytest.raises(UserError, match=r"areas\.npy: mask 'area 2': covers nothing"):
        cutout_masks.from_file(tmp_path / "areas.npy", 4, 4, recorded=(8, 8))
    with pytest.raises(UserError, match="8 x 8 px, but the movie has 4 x 4"):
        cutout_masks.from_file(tmp_path / "areas.npy", 4, 4)
    np.save(tmp_path / "all.npy", np.ones((4, 4), np.uint8))
    with pytest.raises(UserError, match=r"all\.npy: mask 'area 1': covers the whole image"):
        cutout_masks.from_file(tmp_path / "all.npy", 4, 4)


def test_masks_that_cannot_be_are_refused_by_name():
    areas = np.zeros((2, 4, 4), bool)
    areas[0, 0, 0] = True
    with pytest.raises(UserError, match="'b': covers nothing"):
        CutoutMasks(("a", "b"), areas)
    areas[1] = True
    with pytest.raises(UserError, match="'b': covers the whole image"):
        CutoutMasks(("a", "b"), areas)
    for names, bad in (
        (("a", "a"), areas[[0, 0]]),
        (("a",), areas),
        (("a", "b", "c"), areas),
        (("a", "b"), areas * 1.0),
        (("a", "b"), areas[0]),
        (("a", "b"), areas[..., None]),
    ):
        with pytest.raises(UserError, match=r"^mask") as caught:
            CutoutMasks(names, bad)
        if len(names) != 2:
            assert f"{len(names)} names and bool of shape (2, 4, 4); need" in str(caught.value)
    with pytest.raises(UserError, match="there is none"):
        CutoutMasks((), areas[:0])
    with pytest.raises(UserError, match="'edges left and right': covers the whole image"):
        cutout_masks.edges(8, 8, size=0.5)
    with pytest.raises(UserError, match=r"^size: squares of 9 px do not fit into images of 8 x 7"):
        cutout_masks.squares(8, 7, size=9)
    for options in ({"size": 0}, {"stride": -1}, {"size": float("nan")}):
        ((key, value),) = options.items()
        words = f"^{key}: {value}; needs px, or a share of the image between 0 and 1$"
        with pytest.raises(UserError, match=words):
            cutout_masks.squares(8, 8, **options)
    with pytest.raises(UserError, match="must be one of squares, circles"):
        cutout_masks.make_masks("triangles", 8, 8)
    with pytest.raises(UserError, match="'edges': has no 'stride', only size"):
        cutout_masks.make_masks("edges", 8, 8, stride=2)
    with pytest.raises(UserError, match=r"^masks of \(8, 8\) and \(8, 9\) px$"):
        cutout_masks.edges(8, 8) + cutout_masks.edges(8, 9)
    with pytest.raises(UserError, match=r"^masks of \(8, 9\) and \(8, 8\) px$"):
        cutout_masks.edges(8, 9) + cutout_masks.edges(8, 8)


@pytest.mark.parametrize("kind", cutout_masks.MAKERS)
def test_every_kind_of_mask_can_be_made_by_name(kind):
    masks = cutout_masks.make_masks(kind, 48, 64, size=0.25)
    assert masks.areas.shape[1:] == (48, 64)
    assert (masks[1:3] + masks[:1]).names == (*masks.names[1:3], masks.names[0])


# Decoders worked by hand ------------------------------------------------------------------------


class OnePixel(nn.Module):
    """A decoder whose logit is one pixel of the frame itself."""

    n_features = 1

    def __init__(self, y, x):
        super().__init__()
        self.y, self.x = y, x
        self.n_seen = 0

    def features(self, images):
        self.n_seen += len(images)
        return images[:, 1, self.y, self.x][:, None]

    def forward(self, images):
        return self.features(images)[:, 0]


def mean_read_out(half_window):
    """Return an RNN whose logit grows with the last image of its window."""
    rnn = RNNDecoder(1, cell="rnn", hidden_size=1)
    with torch.no_grad():
        for parameter in rnn.parameters():
            parameter.fill_(0.0)
        rnn.rnn.weight_ih_l0.fill_(0.1)
        rnn.head.weight.fill_(1.0)
    return rnn


@pytest.mark.parametrize("fill", cutout_fill.FILLS)
def test_only_what_covers_the_one_pixel_that_is_read_has_a_score(fill):
    frames, labels = movie(60)
    masks = cutout_masks.squares(SIDE, SIDE)
    table = cutout_importance(OnePixel(7, 9), frames, labels, masks, fill=fill)
    intact = roc_auc_score(labels[1:-1], frames[1:-1, 7, 9] - frames[:, 7, 9].mean())
    np.testing.assert_allclose(table.auc_intact, intact, atol=1e-12)
    covers = masks.areas[:, 7, 9]
    assert covers.sum() == 4
    assert (table.score[~covers] == 0).all()
    if fill == "zero":  # a constant: AUC 0.5
        np.testing.assert_allclose(table.score[covers], intact - 0.5, atol=1e-12)
        assert (table.score[covers] > 0.05).all()
    else:
        assert (table.score[covers] != 0).all()
    assert table.n_frames.eq(58).all() and table.n_run.eq(labels[1:-1].sum()).all()
    assert list(table["mask"]) == list(masks.names)


def test_a_planted_patch_is_found_and_everything_but_it_is_not_missed():
    class Patch(nn.Module):
        def forward(self, images):
            return images[:, 1, 4:12, 4:12].mean((1, 2))

    frames, labels = movie(80)
    patch = np.zeros((SIDE, SIDE), bool)
    patch[4:12, 4:12] = True
    masks = CutoutMasks(("patch", "all but patch"), np.stack([patch, ~patch]))
    table = cutout_importance(Patch(), frames, labels, masks).set_index("mask")
    assert table.score["patch"] == table.auc_intact["patch"] - 0.5 > 0.4
    assert table.score["all but patch"] == 0


@pytest.mark.parametrize(("dtype", "near"), [(torch.float64, 0.01), (torch.float16, 0.05)])
def test_a_network_takes_images_of_the_type_of_its_weights(dtype, near):
    frames, labels = movie(30)
    masks = cutout_masks.corners(SIDE, SIDE)
    own = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 1))
    with torch.no_grad():
        own[1].weight.copy_(torch.linspace(-1, 1, own[1].in_features)[None])
    plain = cutout_importance(own, frames, labels, masks).drop(columns="mask")
    made = cutout_importance(own.to(dtype), frames, labels, masks).drop(columns="mask")
    share = (made - plain).abs() / plain.abs().max()
    assert (share <= near).all(axis=None)


def test_every_image_passes_once_per_mask_whatever_the_window():
    frames, labels = movie(100)
    cnn, masks = OnePixel(7, 9), cutout_masks.corners(SIDE, SIDE)
    cutout_importance(
        CNNRNNDecoder(cnn, mean_read_out(5)), frames, labels, masks, half_window=5, batch_size=7
    )
    assert cnn.n_seen == (len(masks) + 1) * 98
    cnn.n_seen = 0
    # runs 0 and 2 of 20 windows (frames 6 … 25, 46 … 65) and 4 (86 … 93) need 30, 30 and 18 images
    table = cutout_importance(
        (cnn, mean_read_out(5)),
        frames,
        labels,
        masks,
        half_window=5,
        frame_step=2,
        run_length=20,
    )
    assert cnn.n_seen == (len(masks) + 1) * (30 + 30 + 18)
    used = np.r_[6:26, 46:66, 86:94]
    assert table.n_frames.eq(48).all() and table.n_run.eq(labels[used].sum()).all()
    last = frames[used + 5, 7, 9].astype(np.float64)  # the read-out keeps the last image only
    np.testing.assert_allclose(table.auc_intact, roc_auc_score(labels[used], last), atol=1e-3)


def test_a_pair_reads_features_as_rounded_as_those_of_extract():
    class Offset(OnePixel):
        def features(self, images):
            return 1000 + 0.01 * super().features(images)  # float16 steps by 0.5 here

    frames, labels = movie(60)
    masks = cutout_masks.corners(SIDE, SIDE)
    cnn, rnn = Offset(7, 9), mean_read_out(0)
    with torch.no_grad():  # out of the flat part of tanh
        rnn.rnn.bias_ih_l0.fill_(-100.0)
    pair = cutout_importance((cnn, rnn), frames, labels, masks, half_window=0)
    together = cutout_importance(CNNRNNDecoder(cnn, rnn), frames, labels, masks, half_window=0)
    assert pair.auc_intact.eq(0.5).all() and together.auc_intact.gt(0.55).all()


@pytest.mark.parametrize("size", [(40, 24), (24, 40)])
def test_the_blur_is_a_share_of_the_shorter_side(size):
    """Labels are what SciPy's filter of that SD leaves of the one pixel that is read."""
    frames = np.random.default_rng(2).normal(2000, 60, (80, *size)).astype(np.uint16)
    normal = (frames - frames.mean(0)) / frames.std()
    of_shorter, of_longer = (
        np.array([gaussian_filter(one, 0.125 * side)[11, 13] for one in normal])
        for side in (24, 40)
    )
    labels = (of_shorter > np.median(of_shorter)).astype(np.uint8)
    areas = np.zeros((1, *size), bool)
    areas[0, 6:18, 8:20] = True
    (row,) = cutout_importance(
        *(OnePixel(11, 13), frames, labels, CutoutMasks(("it",), areas)),
        fill="blur",
        blur_sigma=0.125,
    ).itertuples()
    assert row.auc_intact - row.score == pytest.approx(1)
    assert roc_auc_score(labels[1:-1], of_longer[1:-1]) < 0.98


# Against one image and one window at a time -----------------------------------------------------


@functools.cache
def neighbours(height, width):
    """Return the weights of ROAD (H W, H W), pixel by pixel."""
    y, x = (axis.ravel() for axis in np.mgrid[:height, :width])
    apart = np.maximum(abs(y[:, None] - y), abs(x[:, None] - x))
    weights = np.where(apart == 1, np.where((y[:, None] == y) | (x[:, None] == x), 2.0, 1.0), 0)
    return weights / weights.sum(1, keepdims=True)


def interpolated(frame, mask):
    """Return a frame whose masked pixels solve the dense equations of ROAD, without noise."""
    weights = neighbours(*mask.shape)
    inside, values = mask.ravel(), frame.ravel().astype(np.float64)
    if inside.any():
        left = np.eye(inside.sum()) - weights[inside][:, inside]
        values[inside] = np.linalg.solve(left, weights[inside][:, ~inside] @ values[~inside])
    return values.reshape(frame.shape).astype(np.float32)


def slow_scores(
    decoder, frames, labels, masks, *, half_window=0, segment=None, fill="zero", sigma=2.0
):
    """Score masks in the order of the definition: each window's images made and passed alone."""
    pixels = frames.astype(np.float64)
    normal = ((pixels - pixels.mean(0)) / pixels.std()).astype(np.float32)
    segment = np.zeros(len(frames)) if segment is None else segment
    reach = half_window + 1
    used = [
        t
        for t in range(reach, len(frames) - reach)
        if len(set(segment[t - reach : t + reach + 1])) == 1
    ]

    @torch.no_grad()
    def auc(mask):
        @functools.cache
        def channel(t):  # of three images
            filler = {
                "zero": lambda f: np.zeros_like(f),
                "blur": lambda f: gaussian_filter(f, sigma),
                "mean": lambda f: np.full_like(f, f[~mask].mean()),
                "road": lambda f: interpolated(f, mask),
            }[fill](normal[t])
            return np.where(mask, filler, normal[t])

        def image(t):
            return torch.from_numpy(np.stack([channel(s) for s in (t - 1, t, t + 1)]))[None]

        if not (isinstance(decoder, tuple) or hasattr(decoder, "rnn")):
            return roc_auc_score(labels[used], [decoder(image(t)).item() for t in used])
        cnn, rnn = decoder if isinstance(decoder, tuple) else (decoder.cnn, decoder.rnn)
        seen = functools.cache(lambda t: cnn.features(image(t)))  # of several windows
        logits = []
        for t in used:
            window = torch.cat([seen(s) for s in range(t - half_window, t + half_window + 1)])
            if isinstance(decoder, tuple):
                window = window.to(torch.float16).to(torch.float32)
            logits.append(rnn(window[None]).item())
        return roc_auc_score(labels[used], logits)

    intact = auc(np.zeros(frames.shape[1:], bool))
    return intact, np.array([auc(mask) for mask in masks.areas]), len(used)


@functools.cache
def trained():
    torch.manual_seed(3)
    cnn = CNNDecoder("test_efficientnet")
    frames, _ = movie(64, seed=9)
    normal = torch.from_numpy((frames - frames.mean(0)) / frames.std()).float()
    with torch.no_grad():  # gives BatchNorm statistics, without which all logits are nearly equal
        for _ in range(10):
            cnn.train()(normal.unfold(0, 3, 1).permute(0, 3, 1, 2))
    return cnn.eval(), RNNDecoder(cnn.n_features, cell="gru", hidden_size=8).eval()


def decoders(kind):
    cnn, rnn = copy.deepcopy(trained())
    return {"cnn": cnn, "pair": (cnn, rnn), "finetuned": CNNRNNDecoder(cnn, rnn).eval()}[kind]


@pytest.mark.parametrize(
    ("kind", "fill"),
    [*itertools.product(("cnn", "pair", "finetuned"), ("zero", "blur", "mean")), ("cnn", "road")],
)
def test_scores_are_those_of_one_window_at_a_time(kind, fill, monkeypatch):
    monkeypatch.setattr(cutout_fill, "NOISE", 0.0)  # of "road", for which see below
    decoder = decoders(kind)
    frames, labels = movie(28, seed=1)
    segment = np.repeat([0, 1, 2], [14, 3, 11])
    masks = (
        cutout_masks.corners(SIDE, SIDE) + cutout_masks.circles(SIDE, SIDE, size=16, stride=16)[:2]
    )
    window = {} if kind == "cnn" else {"half_window": 2}
    intact, masked, n_used = slow_scores(
        decoder, frames, labels, masks, segment=segment, fill=fill, sigma=3.0, **window
    )
    assert np.abs(intact - masked).max() > 0.01
    for batch_size in (5, None):
        table = cutout_importance(
            decoder,
            frames,
            labels,
            masks,
            segment=segment,
            fill=fill,
            blur_sigma=3,
            batch_size=batch_size,
            **window,
        )
        np.testing.assert_allclose(table.auc_intact, intact, atol=1e-9)
        np.testing.assert_allclose(table.auc_masked, masked, atol=1e-9)
        np.testing.assert_allclose(table.score, intact - masked, atol=1e-9)
        assert table.n_frames.eq(n_used).all()


def test_images_of_one_brightness_stay_what_they_are_but_for_rounding():
    """Their variance is 0, which rounding makes a little less of some."""
    areas = np.zeros((1, 12, 12), bool)
    areas[0, 4:6, 4:7] = True
    images = torch.linspace(0.1, 3, 10)[:, None, None, None].expand(10, 3, 12, 12).contiguous()
    hide = cutout_fill.Fill(areas, "road", 0.1, torch.device("cpu"))
    made = torch.cat([*hide.passes(images, torch.arange(10), 64)])
    torch.testing.assert_close(made, images.repeat(2, 1, 1, 1), rtol=0, atol=2e-3)


def test_what_is_interpolated_is_noisy_and_a_frame_has_the_same_noise_in_all_its_images():
    rng = np.random.default_rng(4)
    frames = torch.as_tensor(rng.standard_normal((9, 20, 20)), dtype=torch.float32)
    frames *= torch.arange(1, 10)[:, None, None]
    areas = np.zeros((2, 20, 20), bool)
    areas[0, 2:12, 3:15], areas[1, 8:, :9] = True, True
    images = frames.unfold(0, 3, 1).permute(0, 3, 1, 2).contiguous()
    at = torch.arange(101, 108)

    def made(images, at, size):
        hide = cutout_fill.Fill(areas, "road", 0.1, torch.device("cpu"))
        return torch.cat([*hide.passes(images, at, size)]).view(3, len(at), 3, 20, 20)

    found = made(images, at, 4)
    assert torch.equal(found[0], images)
    for number, area in enumerate(torch.as_tensor(areas), start=1):
        assert torch.equal(found[number][..., ~area], images[..., ~area])
        # frame t is the last channel of one image, the middle one of the next, then the first
        torch.testing.assert_close(found[number][1:, 0], found[number][:-1, 1], rtol=0, atol=1e-6)
        torch.testing.assert_close(found[number][1:, 1], found[number][:-1, 2], rtol=0, atol=1e-6)
        for image, done in zip(frames[1:-1], found[number][:, 1], strict=True):
            noise = (done - torch.as_tensor(interpolated(image.numpy(), area.numpy())))[area]
            expected = 0.1 * image[~area].std(correction=0)
            assert noise.std() == pytest.approx(expected, rel=0.25) and noise.abs().max() > 0
    torch.testing.assert_close(made(images, at, 100), found, rtol=0, atol=1e-6)
    part = made(images[2:5], at[2:5], 4)
    torch.testing.assert_close(part, found[:, 2:5], rtol=0, atol=1e-6)
    changed = torch.where(torch.as_tensor(areas[0]), 7, images)  # what is hidden does not count
    torch.testing.assert_close(made(changed, at, 4)[1], found[1], rtol=0, atol=1e-6)


class Sums(nn.Module):
    """A CNN of two features: whole numbers, sums over a corner of the first and last channel."""

    n_features = 2

    def features(self, images):
        return torch.stack([images[:, 0, :3, :3].sum((1, 2)), images[:, 2, 1:, 2].sum(1)], 1)


@given(
    n_frames=st.integers(10, 50),
    cuts=st.lists(st.integers(1, 49), max_size=3),
    half_window=st.integers(0, 3),
    batch_size=st.integers(1, 40),
    n_masks=st.integers(1, 4),
    seed=st.integers(0, 2**16),
)
@hypothesis_settings(max_examples=40, deadline=None)
def test_neither_segments_nor_batches_change_a_score(
    n_frames, cuts, half_window, batch_size, n_masks, seed
):
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 4096, (n_frames, 5, 5)).astype(np.uint16)
    labels = rng.integers(0, 2, n_frames).astype(np.uint8)
    segment = np.searchsorted(np.sort(cuts), np.arange(n_frames), side="right")
    areas = rng.random((n_masks, 5, 5)) < 0.5
    areas[:, 0, 0], areas[:, 0, 1] = True, False
    masks = CutoutMasks(tuple(map(str, range(n_masks))), areas)
    torch.manual_seed(seed)
    decoder = CNNRNNDecoder(Sums(), RNNDecoder(2, cell="gru", hidden_size=4)).eval()
    options = {"half_window": half_window, "segment": segment}
    try:
        table = cutout_importance(decoder, frames, labels, masks, batch_size=batch_size, **options)
    except UserError as error:
        assert "fewer than two states" in str(error)
        return
    intact, masked, n_used = slow_scores(decoder, frames, labels, masks, **options)
    # One pair of logits that rounding puts in the other order moves an AUC by 1 / (n_run n_rest).
    n_run = table.n_run[0]
    step = 1.001 / (n_run * (n_used - n_run))
    np.testing.assert_allclose(table.auc_intact, intact, atol=step)
    np.testing.assert_allclose(table.auc_masked, masked, atol=step)
    assert table.n_frames.eq(n_used).all()
    assert (table.score == table.auc_intact - table.auc_masked).all()


@pytest.mark.parametrize("kind", ["pair", "finetuned"])
@torch.no_grad()
def test_an_area_is_hidden_in_one_image_of_the_window_alone(kind, monkeypatch):
    monkeypatch.setattr(cutout_logits, "WINDOWS", 7)
    decoder = decoders(kind)
    cnn, rnn = decoder if kind == "pair" else (decoder.cnn, decoder.rnn)
    frames, labels = movie(30, seed=1)
    masks = cutout_masks.corners(SIDE, SIDE)
    options = {"half_window": 1, "batch_size": 5}
    table = cutout_importance(decoder, frames, labels, masks, **options, times=True)
    normal = torch.from_numpy((frames - frames.mean(0)) / frames.std()).float()
    images = normal.unfold(0, 3, 1).permute(0, 3, 1, 2)  # of frames 1 … 28
    hidden = [images.masked_fill(torch.from_numpy(area), 0) for area in masks.areas]
    intact, *masked = (cnn.features(one) for one in (images, *hidden))
    used = np.arange(2, 28)
    for place, column in enumerate(("-1", "0", "1")):
        for mask, features in enumerate(masked):
            windows = torch.stack([intact[used - 2 + k] for k in range(3)], dim=1)
            windows[:, place] = features[used - 2 + place]
            auc = roc_auc_score(labels[used], rnn(windows))
            expected = table.auc_intact[mask] - auc
            step = 1.001 / (table.n_run[0] * (len(used) - table.n_run[0]))
            assert table[column][mask] == pytest.approx(expected, abs=step)
    plain = cutout_importance(decoder, frames, labels, masks, **options)
    assert list(plain.columns) == list(table.columns[:-3])
    np.testing.assert_array_equal(plain.score, table.score)


def test_what_an_area_says_is_the_logit_that_goes_with_it():
    """The decoder sums two pixels, of which one follows the state and one its opposite."""
    frames, labels = movie(40)
    frames[:, 20, 20] = np.where(labels == 1, 1900, 2100)
    frames[:, 5, 5] = np.where(labels == 1, 2200, 2000)

    class Two(nn.Module):
        def forward(self, images):
            return images[:, 1, 5, 5] + images[:, 1, 20, 20]

    masks = np.zeros((2, SIDE, SIDE), bool)
    masks[0, 5, 5] = masks[1, 20, 20] = True
    table = cutout_importance(Two(), frames, labels, masks)
    normal = ((frames - frames.mean(0)) / frames.std())[1:-1]
    for state, column in ((1, "in_run"), (0, "in_rest")):
        of = normal[labels[1:-1] == state]
        expected = [of[:, 5, 5].mean(), of[:, 20, 20].mean()]
        np.testing.assert_allclose(table[column], expected, rtol=1e-4)
    assert table.in_run[0] > 0 > table.in_rest[0] and table.in_run[1] < 0 < table.in_rest[1]


# Files and errors -------------------------------------------------------------------------------


def write_recording(path, frames, labels):
    with h5py.File(path, "w") as file:
        file["frames"], file["labels"] = frames, labels
        file["pixel_mean"] = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
        file["stack_sd"] = np.float32(frames.std(dtype=np.float64))
        file.attrs.update(session=path.stem, mouse="m1", frame_rate=30.0)
    return read_recording(path)


@pytest.mark.parametrize("feed", ["memory", "stream"])
def test_a_recording_gives_what_its_movie_gives(tmp_path, feed):
    frames, labels = movie(40)
    recording = write_recording(tmp_path / "a.h5", frames, labels)
    masks = cutout_masks.corners(SIDE, SIDE)
    decoder = decoders("finetuned")
    table = cutout_session(decoder, recording, masks, half_window=1, feed=feed, batch_size=11)
    expected = cutout_importance(decoder, frames, labels, masks.areas, half_window=1)
    assert list(expected["mask"]) == ["0", "1", "2"]  # plain arrays are numbered
    np.testing.assert_allclose(table.score, expected.score, atol=1e-9)


@pytest.mark.parametrize("kind", ["cnn", "pair", "finetuned"])
def test_the_intact_auc_is_that_of_the_decoders_predictions(tmp_path, kind):
    """From weights in files, as a stage of the workflow has them."""
    recording = write_recording(tmp_path / "a.h5", *movie(40))
    cnn, rnn = decoders("pair")
    rnn_settings = {"rnn": "gru", "hidden_size": 8, "num_layers": 1, "bidirectional": False}
    settings = {"backbone": "test_efficientnet", "dropout": 0.0, "half_window": 1, **rnn_settings}
    made = {
        "cnn": ("cnn", cnn),
        "pair": ("cnn_rnn", rnn),
        "finetuned": ("finetuned", CNNRNNDecoder(cnn, rnn)),
    }

    def weights(what):
        name, model = made[what]
        path = tmp_path / f"{name}.pt"
        Trained(name, settings, ("m2",), ("m3",), model.state_dict()).save(path)
        return load_trained(path, name)

    if kind == "cnn":
        decoder, options = weights("cnn").build(), {}
        predictions = predict_cnn(weights("cnn"), [recording])
    elif kind == "pair":
        decoder, options = (weights("cnn").build(), weights("pair").build()), {"half_window": 1}
        extract({None: weights("cnn")}, [recording], tmp_path / "features.h5")
        predictions = predict_rnn(weights("pair"), read_features(tmp_path / "features.h5"))
    else:
        decoder, options = weights("finetuned").build(), {"half_window": 1}
        predictions = predict_finetuned(weights("finetuned"), [recording])
    masks = cutout_masks.corners(SIDE, SIDE)
    table = cutout_session(decoder, recording, masks, **options)
    predicted = predictions["a"]
    expected = roc_auc_score(predicted.label, predicted.probability)
    np.testing.assert_allclose(table.auc_intact, expected, atol=1e-9)
    assert table.n_frames.eq(len(predicted.label)).all()


def test_what_does_not_fit_is_refused():
    frames, labels = movie(20)
    masks = cutout_masks.corners(SIDE, SIDE)
    cnn, rnn = OnePixel(0, 0), mean_read_out(1)

    def refusal(match, decoder=cnn, frames=frames, labels=labels, masks=masks, **options):
        with pytest.raises(UserError, match=match):
            cutout_importance(decoder, frames, labels, masks, **options)

    for size in ((16, 16), (32, 33), (32, 31), (64, 32)):
        words = "images of 32 x 32 px, but masks of {} x {}".format(*size)
        refusal(words, masks=cutout_masks.corners(*size))
    refusal("fill 'grey': must be one of zero, blur, mean", fill="grey")
    refusal("blur_sigma: 0", fill="blur", blur_sigma=0)
    refusal("frame_step: 0", frame_step=0)
    refusal("run_length: 0", run_length=0)
    refusal("batch_size: 0", batch_size=0)
    refusal("half_window 2: this decoder takes one image", half_window=2)
    refusal("half_window: None; a decoder with an RNN", decoder=(cnn, rnn))
    refusal(
        "2 features does not fit a CNN of 1",
        (cnn, RNNDecoder(2, cell="gru", hidden_size=1)),
        half_window=1,
    )
    cnn.n_features = 2
    refusal("an RNN of 1 features does not fit a CNN of 2", (cnn, rnn), half_window=1)
    cnn.n_features = 1
    refusal(
        "weights are of torch.float16.*by .float", (cnn, mean_read_out(1).half()), half_window=1
    )
    if not torch.cuda.is_available():
        refusal("device cuda:7: torch sees no GPU here", device="cuda:7")
    refusal("0 frames to decode", (cnn, rnn), half_window=10)
    refusal(r"18 frames to decode, of fewer than two states \(rest\)", labels=labels * 0)
    refusal("labels", labels=labels[1:])
    needs = r"frames of shape {} and labels \(20,\); need \(T, H, W\) and \(T,\)"
    refusal(needs.format(r"\(20, 32\)"), frames=frames[:, 0])
    refusal(needs.format(r"\(20, 32, 32, 1\)"), frames=frames[..., None])
    for wrong in (-1, 2, 255, np.nan):
        words = rf"labels: \d+ are {wrong}.* or others; need 0 to 1"
        refusal(words, labels=np.where(labels, wrong, 0))
    words = ["rest", "run"]
    refusal("labels: 20 are .* need 0 to 1", labels=np.array(words)[labels.astype(int)])
    refusal(r"segment of shape \(19,\) and labels \(20,\)", segment=labels[1:])
    found = [
        cutout_importance(cnn, frames, made, masks) for made in (labels, labels.astype(object))
    ]
    assert found[0].equals(found[1])
    refusal("same value", frames=frames * 0)
    refusal("mask '1': covers nothing", masks=masks.areas & (np.arange(3) != 1)[:, None, None])


def test_the_decoder_keeps_its_weights():
    frames, labels = movie(20)
    decoder = decoders("finetuned")
    before = {name: value.clone() for name, value in decoder.state_dict().items()}
    decoder.train()  # BatchNorm would take its statistics from masked images
    cutout_importance(decoder, frames, labels, cutout_masks.corners(SIDE, SIDE), half_window=1)
    for name, value in decoder.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_a_blur_of_one_is_one_pixel_and_less_is_a_share():
    areas = np.zeros((1, 8, 6), bool)
    for blur, sigma in ((1, 1), (0.5, 3), (2, 2)):
        fill = cutout_fill.Fill(areas, "blur", blur, torch.device("cpu"))
        for made, n in zip(fill._blur, (8, 6), strict=True):
            np.testing.assert_allclose(made, gaussian_filter1d(np.eye(n), sigma, axis=0), atol=1e-6)
