"""A decoder applied to a new mouse: what it may not see it does not see, what it fits is right."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from make_decoders import assert_same_bits
from mesodecode.base.files import UserError
from mesodecode.decoders import applied, networks, past, predict, weights
from mesodecode.decoders.adapt import adapted as adapting
from mesodecode.decoders.adapt import domain
from mesodecode.recordings import baseline, sample
from mesodecode.shift import adapted_features
from mesodecode.study import schema

DEFAULTS = schema.defaults("adapted", adapted_from="cnn") | {"warm_up": 1}
RATE = 10.0


class Net(nn.Module):
    """A CNN of one layer, with what a timm model is asked for."""

    head_hidden_size = 4

    def __init__(self):
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4, 1)

    def forward_features(self, images):
        return self.layer(images)

    def forward_head(self, maps, pre_logits=True):
        return maps.mean((2, 3))

    def get_classifier(self):
        return self.head


@pytest.fixture
def cnn(monkeypatch):
    monkeypatch.setattr(networks, "create_backbone", lambda *_: Net())
    torch.manual_seed(1)
    return networks.CNNDecoder("net").eval()


@pytest.fixture
def gru(cnn):
    rnn = networks.RNNDecoder(4, cell="gru", hidden_size=5)
    return networks.CNNRNNDecoder(cnn, rnn).eval()


def recording(mouse="t", session="t1", n=80, seed=0, scale=1.0, **changed):
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) // 7 % 2).astype(np.uint8)
    frames = rng.normal(1000, 40, (n, 12, 12)) * scale
    frames[:, 3:6, 3:6] += 60 * labels[:, None, None]
    frames = frames.astype(np.uint16)
    mean, sd = frames.mean(0).astype(np.float32), float(frames.std())
    plain = sample.Sample(
        *(Path(f"{session}.h5"), session, mouse, RATE, labels, None, None, None, mean, sd),
        shape=frames.shape,
        frames=frames,
    )
    return replace(plain, **changed)


def run(model, recordings, half_window=None, known=(), **settings):
    decoder = applied.ImageDecoder(model, half_window)
    return adapting.predict(decoder, recordings, known, DEFAULTS | settings)


@pytest.fixture(autouse=True)
def samples_in_memory(monkeypatch):
    """Samples of recordings that lie in memory: the whole of them."""
    monkeypatch.setattr(applied, "sample", lambda recording, *_: recording)


def test_without_adaptation_it_predicts_as_published(cnn):
    mine = [recording(), recording(session="t2", seed=1)]
    made = run(cnn, mine)
    trained = weights.Trained("cnn", {"backbone": "net"}, ("a",), ("b",), cnn.state_dict())
    for name, session in predict.predict_cnn(trained, mine).items():
        assert np.array_equal(made[name].frame, session.frame)
        assert made[name].probability == pytest.approx(session.probability, abs=1e-6)


@pytest.mark.parametrize("half_window", [None, 2])
def test_strict_sees_nothing_after_the_window(cnn, gru, half_window):
    model, reach = (gru, 3) if half_window else (cnn, 1)
    first = recording()
    later = first.frames.copy()
    later[50:] = np.random.default_rng(9).integers(0, 4000, later[50:].shape)
    # what is known of the whole recording differs too
    other = replace(first, frames=later, pixel_mean=later.mean(0), stack_sd=later.std())
    a, b = (run(model, [r], half_window, normalise="past")["t1"] for r in (first, other))
    assert a.frame[0] == 10 + reach  # 1 s of warm-up at 10 frames/s, for all images of the window
    same = a.frame + reach < 50
    assert np.array_equal(a.probability[same], b.probability[same])
    assert not np.array_equal(a.probability[~same], b.probability[~same])
    usual, changed = (run(model, [r], half_window)["t1"].probability[:20] for r in (first, other))
    assert not np.allclose(usual, changed)  # as published: normalised by what comes later, too


# whatever a decoder may take of its mouse, of the first minutes
FIRST = {"first_unlabelled": 3 / 60, "coral": True}  # 30 frames at 10 frames/s


def changed_from(first, frame):
    """A recording that is another from `frame` on, and what is known of the whole of it."""
    later = first.frames.copy()
    later[frame:] = np.random.default_rng(9).integers(0, 4000, later[frame:].shape)
    return replace(first, frames=later, pixel_mean=later.mean(0), stack_sd=later.std())


@pytest.mark.parametrize("register", [False, True])
@pytest.mark.parametrize("normalise", ["recording", "past"])
@pytest.mark.parametrize("half_window", [None, 2])
def test_the_first_minutes_are_all_that_is_known(cnn, gru, half_window, normalise, register):
    model, reach = (gru, 3) if half_window else (cnn, 1)
    how = FIRST | {"batch_norm": True, "normalise": normalise, "register": register}
    known, mine = [recording("a", "a1", seed=5)], recording()
    a, b = (
        run(model, [r], half_window, known, **how)["t1"] for r in (mine, changed_from(mine, 50))
    )
    assert a.frame.tolist() == [*range(30 + reach, 80 - reach)]  # the first are not scored
    same = a.frame + reach < 50
    assert same.any() and np.array_equal(a.probability[same], b.probability[same])
    assert not np.array_equal(a.probability[~same], b.probability[~same])
    early = replace(changed_from(mine, 0), labels=mine.labels)
    early.frames[30:] = mine.frames[30:]
    c = run(model, [early], half_window, known, **how)["t1"]
    assert not np.allclose(c.probability[reach:], a.probability[reach:])  # they count
    hidden = replace(mine, labels=np.r_[1 - mine.labels[:30], mine.labels[30:]])
    d = run(model, [hidden], half_window, known, **how)["t1"]
    assert np.array_equal(d.probability, a.probability)  # without their labels


@pytest.mark.parametrize("warm_up", [0.2, 1.0, 2.5])
def test_the_past_is_of_a_second_at_least(cnn, warm_up):
    """Whatever the warm-up: before it nothing is known to normalise by."""
    found = run(cnn, [recording()], normalise="past", warm_up=warm_up)["t1"]
    assert found.frame[0] == max(10, 10 * warm_up) + 1


@pytest.mark.parametrize("half_window", [None, 2])
def test_what_aligns_features_is_told_by_the_first_minutes_alone(cnn, gru, half_window):
    """Not by images or windows of them that reach beyond."""
    model = gru if half_window else cnn
    known, mine = [recording("a", "a1", seed=5)], recording()

    def told(one):
        decoder = applied.ImageDecoder(model, half_window)
        settings = DEFAULTS | FIRST | {"batch_norm": True}
        made = adapting.adapted(decoder, [one], known, settings)
        return made.coral.state_dict() | made.decoder.network.state_dict()

    first, later, early = map(told, (mine, changed_from(mine, 30), changed_from(mine, 29)))
    assert_same_bits(first, later)
    assert not torch.equal(first["mean"], early["mean"])


def test_first_statistics_are_those_of_the_frames_by_hand():
    mine = recording(n=80)
    known = past.by_first(mine, 35)  # no whole number of seconds
    frames = mine.frames[:35].astype(float)
    assert known.pixel_mean == pytest.approx(frames.mean(0), rel=1e-6)
    assert known.stack_sd == pytest.approx(frames.std(), rel=1e-6)


def test_first_minutes_that_are_the_whole_recording_are_as_published(cnn):
    """But for scoring: two recordings of which one is long enough to be decoded."""
    short, long = recording(session="t2", n=30, seed=1), recording()
    made = run(cnn, [short, long], first_unlabelled=3 / 60)
    assert list(made) == ["t1"]
    cut = replace(long, frames=long.frames[:30])
    by_hand = replace(long, pixel_mean=cut.frames.mean(0), stack_sd=cut.frames.std())
    expected = run(cnn, [by_hand])["t1"]
    kept = np.isin(expected.frame, made["t1"].frame)
    assert made["t1"].probability == pytest.approx(expected.probability[kept], abs=1e-6)


def test_a_session_that_is_no_longer_than_the_first_minutes_is_said(cnn, capsys):
    run(cnn, [recording(session="t2", n=30), recording()], first_unlabelled=3 / 60)
    assert "session t2: not scored" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"no frame is left to decode; lower .*first_unlabelled"):
        run(cnn, [recording(n=30)], first_unlabelled=3 / 60)


def test_first_minutes_that_hold_no_window_are_refused(cnn, gru):
    with pytest.raises(UserError, match=r"0.01 min are 6 frames of t1.h5, but a window has 7"):
        run(gru, [recording()], 2, first_unlabelled=0.01)
    cuts = replace(recording(), segment=np.r_[np.arange(30) // 2, [99] * 50])
    with pytest.raises(UserError, match="no window lies in the first minutes"):
        run(cnn, [cuts], first_unlabelled=3 / 60, batch_norm=True)


def test_past_statistics_are_those_of_the_frames_before_the_second():
    frames = recording(n=35).frames.astype(float)
    of, means, sds = baseline.past_statistics(recording(n=35))
    assert of.tolist() == [0] * 10 + [1] * 10 + [2] * 10 + [3] * 5
    for block in (1, 2, 3):
        before = frames[: 10 * block]
        assert means[block] == pytest.approx(before.mean(0), rel=1e-5)
        assert sds[block] == pytest.approx(before.std(), rel=1e-4)


def test_registration_turns_a_brain_back():
    from scipy.ndimage import gaussian_filter, rotate

    rng = np.random.default_rng(3)
    image = 1000 + 3000 * gaussian_filter(rng.random((64, 64)), 2)
    image *= np.outer(np.hanning(64), np.hanning(64))
    turned = rotate(image, -10, reshape=False, order=1)  # clockwise as it is shown
    other = recording("a", pixel_mean=image)
    mine = recording(pixel_mean=turned)
    move = past.onto(mine, [other])
    assert np.rad2deg(np.arctan2(move[1, 0], move[0, 0])) == pytest.approx(10, abs=1)
    frames = np.stack([turned] * 5).astype(np.uint16)
    still = replace(mine, frames=frames, shape=frames.shape, labels=np.zeros(5, np.uint8))
    still = replace(still, pixel_mean=np.zeros((64, 64)), stack_sd=1.0)
    back = past.AdaptedImages(still, "cpu", move=move).batch(torch.tensor([2]))[0, 1].numpy()
    middle = np.s_[12:52, 12:52]
    image, turned, back = (one[middle].ravel() for one in (image, turned, back))
    missed = [np.square(one - image).mean() for one in (turned, back)]
    assert missed[1] < 0.1 * missed[0]


def test_images_are_moved_where_that_is_asked_for(cnn, monkeypatch):
    found = {"x": 8, "y": -4, "rotation": 90}
    monkeypatch.setattr(past, "place", lambda *_: found)
    mine, known = recording(), [recording("a", "a1", seed=2)]
    plain, moved = (run(cnn, [mine], known=known, register=on)["t1"] for on in (False, True))
    source = past.AdaptedImages(mine, "cpu", move=past.onto(mine, known))
    with torch.no_grad():
        expected = torch.sigmoid(cnn(source.batch(torch.as_tensor(moved.frame)))).numpy()
    np.testing.assert_allclose(moved.probability, expected, atol=1e-6)
    assert not np.allclose(plain.probability, moved.probability, atol=1e-3)


def test_images_are_moved_on_their_device(monkeypatch):
    """Of what a GPU holds, that nothing of it lies on the host."""
    monkeypatch.setattr(
        past.Images, "__init__", lambda self, _, device: setattr(self, "device", device)
    )
    monkeypatch.setattr(past.Images, "assemble", lambda _, fed: fed)
    source = past.AdaptedImages(None, "meta", move=np.eye(2, 3))
    moved = source.assemble(torch.zeros(2, 3, 8, 9, device="meta"))
    assert moved.device.type == "meta" and moved.shape == (2, 3, 8, 9)


def test_a_move_of_images_that_are_not_square_is_a_turn_in_pixels(monkeypatch):
    """The mean against the first session of each mouse: 8 % right, 5 % up, 20°; by hand, in px."""
    images = {name: np.full((30, 50), float(i)) for i, name in enumerate(["mine", "a", "b", "a2"])}
    found = {1.0: (6, -4, 15), 2.0: (10, -6, 25), 3.0: (90, 90, 90)}
    monkeypatch.setattr(
        past,
        "place",
        lambda _, other: dict(zip(("x", "y", "rotation"), found[other[0, 0]], strict=True)),
    )
    others = [recording(n[0], n, pixel_mean=images[n]) for n in ("a", "b", "a2")]
    move = past.onto(recording(pixel_mean=images["mine"]), others)
    cos, sin = np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))
    half = np.array([25, 15])  # px, of width and height
    for px in np.array([[0, 0], [7, 0], [0, 7], [-11, 4]]):  # right and down from the middle
        comes_from = move @ [*(px / half), 1] * half
        turned = cos * px[0] - sin * px[1], sin * px[0] + cos * px[1]
        np.testing.assert_allclose(comes_from, np.add(turned, (0.08 * 50, -0.05 * 30)))


def test_coral_gives_features_the_mean_and_covariance_of_others():
    rng = np.random.default_rng(4)
    mine = rng.normal(size=(4000, 3)) @ np.array([[2, 0, 0], [1, 1, 0], [0, 0, 3.0]]) + 5
    others = rng.normal(size=(4000, 3)) @ np.array([[1, 1, 0], [0, 2, 1], [0, 0, 1.0]]) - 1
    align = domain.Coral(mine, others)
    made = align(torch.tensor(mine, dtype=torch.float32)).numpy()
    assert made.mean(0) == pytest.approx(others.mean(0), abs=1e-3)
    assert np.cov(made.T) == pytest.approx(np.cov(others.T), rel=0.03, abs=0.05)


def test_batch_norm_takes_the_statistics_of_the_mouse_and_leaves_the_model_alone(cnn, monkeypatch):
    before = copy.deepcopy(cnn.state_dict())
    mine = recording(scale=2)
    run(cnn, [mine], batch_norm=True)
    monkeypatch.setattr(adapted_features, "sample", lambda one, *_: one)
    of_shift = adapted_features.AdaptedFeatures(40, DEFAULTS | {"batch_norm": True})
    decoder = applied.ImageDecoder(cnn, None)
    (found,) = of_shift.of(decoder, [mine], ["a"])
    plain = adapted_features.AdaptedFeatures(40, DEFAULTS).of(decoder, [mine], ["a"])[0]
    assert not np.allclose(found.features, plain.features)
    assert all(torch.equal(before[key], value) for key, value in cnn.state_dict().items())
    adapted = copy.deepcopy(cnn)
    source = past.AdaptedImages(mine, "cpu")
    domain.set_batch_norm(adapted, [source])
    with torch.no_grad():
        maps = cnn.net.layer[0](source.batch(source.centres[:64]))
        rest = cnn.net.layer[0](source.batch(source.centres[64:]))
    means = torch.stack([maps.mean((0, 2, 3)), rest.mean((0, 2, 3))]).mean(0)  # of two batches
    assert torch.allclose(adapted.net.layer[1].running_mean, means, atol=1e-5)
    assert not adapted.net.layer[1].training
    # of the first 40 frames images that read no later one: around 1 … 38
    domain.set_batch_norm(adapted, [source], [40])
    with torch.no_grad():
        means = cnn.net.layer[0](source.batch(torch.arange(1, 39))).mean((0, 2, 3))
    assert torch.allclose(adapted.net.layer[1].running_mean, means, atol=1e-5)
    with pytest.raises(UserError, match="batch_norm: this backbone has no BatchNorm layer"):
        domain.set_batch_norm(torch.nn.Linear(2, 1), [source])


@pytest.mark.parametrize("finetune", ["head", "norm", "all"])
def test_few_shot_scores_no_labelled_frame_and_reads_no_other_label(cnn, finetune):
    mine = [recording(n=60), recording(session="t2", n=60, seed=1)]
    settings = {"few_shot": 8 / 60, "finetune": finetune, "passes": 40, "max_lr": 0.05}
    made = run(cnn, mine, **settings)  # 8 s: 80 frames, the first session and 20 of the second
    assert list(made) == ["t2"] and made["t2"].frame[0] == 20 + 1
    hidden = [mine[0], replace(mine[1], labels=np.r_[mine[1].labels[:20], 1 - mine[1].labels[20:]])]
    assert np.array_equal(run(cnn, hidden, **settings)["t2"].probability, made["t2"].probability)

    def loss(session):
        own = np.where(session.label > 0, session.probability, 1 - session.probability)
        return -np.log(own).mean()

    plain = run(cnn, mine)["t2"]
    kept = np.isin(plain.frame, made["t2"].frame)
    plain = replace(plain, label=plain.label[kept], probability=plain.probability[kept])
    assert loss(made["t2"]) < loss(plain) - 0.005


FEW = {"few_shot": 4 / 60, "passes": 3, "max_lr": 0.05}  # 40 frames at 10 frames/s


def tuned(model, recordings, half_window=None, **settings):
    """The network that was fine-tuned."""
    decoder = applied.ImageDecoder(model, half_window)
    made = adapting.adapted(decoder, recordings, (), DEFAULTS | FEW | settings)
    return made.decoder.network.state_dict()


def alike(a, b):
    return {key for key, value in a.items() if torch.equal(value, b[key])}


@pytest.mark.parametrize("what", ["head", "norm", "all"])
def test_what_is_fine_tuned_is_what_was_asked_for_and_statistics_stay(cnn, what):
    before = copy.deepcopy(cnn.state_dict())
    layers = {"head": ["head"], "norm": ["head", "layer.1"], "all": ["head", "layer.1", "layer.0"]}
    names = {f"net.{layer}.{kind}" for layer in layers[what] for kind in ("weight", "bias")}
    changed = before.keys() - alike(before, tuned(cnn, [recording()], finetune=what))
    assert changed == names


def test_each_pass_of_fine_tuning_is_a_step_of_adam_down_the_gradient(cnn):
    """30 labelled frames are one batch; the first step of Adam is as long as the learning rate."""
    mine = recording()
    first = run(cnn, [mine])["t1"]
    label, probability = (x[first.frame < 29] for x in (first.label, first.probability))
    down = np.sign(label.mean() - probability.mean())  # the gradient of the bias is of p - y
    before = cnn.net.head.bias.item()
    for passes, length in ((0, 0.0), (1, 0.01), (2, 0.02)):
        bias = tuned(cnn, [mine], finetune="head", few_shot=3 / 60, passes=passes, max_lr=0.01)
        moved = bias["net.head.bias"].item() - before
        assert moved == pytest.approx(down * length, rel=0.05)


def test_batches_of_labelled_frames_are_drawn_by_the_seed(cnn):
    first, again, other = (tuned(cnn, [recording()], finetune="head", seed=s) for s in (1, 1, 2))
    assert alike(first, again) == first.keys()
    assert "net.head.weight" not in alike(first, other)


@pytest.mark.parametrize("half_window", [None, 2])
def test_nothing_is_learned_from_frames_that_are_scored(cnn, gru, half_window):
    model, mine = (gru, recording()) if half_window else (cnn, recording())
    later = mine.frames.copy()
    later[40:] = 4000 - later[40:]
    other = replace(mine, frames=later)  # normalised by the same mean and SD
    first, second = (tuned(model, [one], half_window, finetune="all") for one in (mine, other))
    assert alike(first, second) == first.keys()


def test_windows_of_labelled_frames_do_not_reach_into_the_score(gru):
    made = run(gru, [recording()], 2, few_shot=4 / 60)
    assert made["t1"].frame[0] == 40 + 3


def test_nothing_left_to_score_is_said(cnn):
    with pytest.raises(UserError, match="no frame is left to decode; lower few_shot"):
        run(cnn, [recording()], few_shot=1)
    with pytest.raises(UserError, match="fewer than two states"):
        run(cnn, [recording()], few_shot=0.5 / 60)


def test_statistics_of_a_mouse_are_of_frames_spread_over_its_recording(monkeypatch):
    """Of eight, three: the first, the one nearest to the middle (3.5, to even) and the last."""
    monkeypatch.setattr(adapting, "SAMPLED", 3)
    monkeypatch.setattr(domain, "SAMPLED", 3)
    frames = torch.arange(8)
    decoder = SimpleNamespace(features=lambda _, at: at.tolist())
    assert adapting._sampled(decoder, ["one", "none"], [frames, frames[:0]]) == [[0, 4, 7]]

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.BatchNorm2d(1)

    model = Layer()
    images = SimpleNamespace(
        centres=frames, device=torch.device("cpu"), batch=lambda at: at.float().view(-1, 1, 1, 1)
    )
    domain.set_batch_norm(model, [images])
    assert model.features.running_mean.item() == pytest.approx(11 / 3)
    assert model.features.running_var.item() == pytest.approx((121 + 1 + 100) / 9 / 2)
    assert not model.features.training and model.features.momentum == 0.1


def test_first_minutes_may_hold_one_window_and_no_less():
    mine, decoder = recording(n=20), SimpleNamespace(before=3, after=1)  # 10 frames/s
    for minutes, n in ((5 / 600, 5), (9 / 600, 9), (1, 20), (0, 0)):
        assert adapting.first_frames(mine, decoder, {"first_unlabelled": minutes}) == n
    with pytest.raises(UserError, match=r"are 4 frames of .*, but a window has 5; give more min"):
        adapting.first_frames(mine, decoder, {"first_unlabelled": 4 / 600})


def test_images_of_another_size_cannot_be_registered_and_the_file_is_named():
    small = replace(recording(), pixel_mean=np.ones((4, 4)), path="small.h5")
    with pytest.raises(UserError, match=r"^small\.h5: its images have another size"):
        past.onto(small, [recording("a", "a1")])
