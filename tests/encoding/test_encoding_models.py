"""Encoding models: ridge and baselines against closed forms, networks, their training."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest
import torch

from make_decoders import responses
from mesodecode.base.files import UserError
from mesodecode.decoders.checkpoint import Checkpoint
from mesodecode.encoding import folds, linear, networks, sweep, train
from mesodecode.encoding.columns import HISTORY
from mesodecode.encoding.explainable import image_means
from mesodecode.encoding.gabor import gabor, gabor_pyramid
from mesodecode.encoding.presentations import Presentations, averaged, fit_scaler
from mesodecode.encoding.responses import Responses
from mesodecode.encoding.scores import r2
from mesodecode.study import schema

TINY = "test_resnet"  # of timm: thousands of weights


def network(**change):
    small = {"backbone": TINY, "convolutions": 1, "hidden": [8], "epochs": 2, "batch_size": 8}
    return schema.defaults("encoding_network", **small | change)


# Closed form


def test_ridge_is_the_closed_form_with_the_best_leave_one_image_out_penalty(monkeypatch):
    data = responses(n_images=9, repeats=3)
    split = folds.split_images(data, 1, 3, 0)
    alphas = np.array([1e-3, 1e-1, 10.0])
    monkeypatch.setattr(linear, "ALPHAS", alphas)
    features = np.random.default_rng(1).normal(size=(9, 4))
    features[:, 0] += data.images.mean((1, 2)) * 20
    found = linear.ridge(features, data, split)
    shown = np.unique(data.image[split.fit])
    y = np.array([data.response[split.fit][data.image[split.fit] == i].mean(0) for i in shown])
    x = features[shown] - features[shown].mean(0)
    scale = np.sqrt((x**2).sum() / len(x))
    x = x / scale

    def weights(x, y, alpha):
        x0, y0 = x.mean(0), y.mean(0)
        w = np.linalg.solve((x - x0).T @ (x - x0) + alpha * np.eye(4), (x - x0).T @ (y - y0))
        return lambda new: (new - x0) @ w + y0

    for n in range(5):
        errors = []
        for alpha in alphas * len(x):
            left = [
                weights(np.delete(x, i, 0), np.delete(y[:, n], i), alpha)(x[i]) - y[i, n]
                for i in range(len(x))
            ]
            errors.append(np.square(left).sum())
        best = alphas[np.argmin(errors)] * len(x)
        new = (features[data.image[split.test]] - features[shown].mean(0)) / scale
        np.testing.assert_allclose(found[:, n], weights(x, y[:, n], best)(new), rtol=1e-6)


def test_covariates_take_what_differs_between_repeats():
    data = responses(repeats=40)
    split = folds.split_images(data, 1, 4, 0)
    features = data.images.reshape(12, -1)
    plain = linear.ridge(features, data, split)
    with_speed = linear.ridge(features, data, split, data.covariates)
    # the slope that was planted is .5
    change = with_speed - plain
    mean = np.array([change[data.image[split.test] == i].mean(0) for i in data.image[split.test]])
    speed = data.covariates[split.test, 0]
    slope = np.polyfit(speed, (change - mean)[:, 0], 1)[0]
    assert slope == pytest.approx(0.5, rel=0.15)
    # behaviour alone: the mean of all images, and the planted slope
    alone = schema.defaults("encoding_linear", model="mean", covariates=True)
    found = linear.fit_predict(data, split, alone)
    line = np.polyfit(speed, found[:, 0], 1)
    assert line[0] == pytest.approx(0.5, rel=0.05)
    usual = data.covariates[split.fit].mean()
    assert np.polyval(line, usual) == pytest.approx(data.response[split.fit, 0].mean())


@pytest.mark.parametrize("n", [1, 2])
def test_slopes_of_covariates_are_those_within_images(n):
    """Of a mouse that runs at some images more than at others, with no noise."""
    rng = np.random.default_rng(0)
    data = responses(repeats=5, neurons=2)
    of_image = rng.normal(size=(12, n))[data.image]
    covariates = 3 * of_image + rng.normal(size=(60, n))
    slopes = np.array([[0.5, -2.0], [0.25, 1.0]])[:n]
    answer = 7 + of_image @ np.ones((n, 2))
    data = dataclasses.replace(data, response=answer + covariates @ slopes, covariates=covariates)
    split = folds.split_images(data, 1, 4, 0)
    left, added = linear.without_covariates(data, split, covariates)
    np.testing.assert_allclose(left, answer[split.fit])
    np.testing.assert_allclose(added, covariates[split.test] @ slopes)


def test_baselines():
    data = responses(n_images=3, repeats=3)
    split = folds.split_images(data, 1, 3, 0)
    mean = linear.fit_predict(data, split, schema.defaults("encoding_linear", model="mean"))
    np.testing.assert_allclose(mean[0], data.response[split.fit].mean(0), rtol=1e-5)
    oracle = schema.defaults("encoding_linear", model="image_mean")
    found = linear.fit_predict(data, split, oracle)
    a, b, c = data.response[split.test].astype(float)  # one image, three repeats
    np.testing.assert_allclose(found, [(b + c) / 2, (a + c) / 2, (a + b) / 2], rtol=1e-5)


def test_features_are_of_images_that_are_standardised_by_those_of_the_training(monkeypatch):
    """Each image once, however often it was shown: some have two repeats, others four."""
    data = responses()
    kept = np.flatnonzero((data.image > 4) | (np.arange(48) < 24))
    names = ("image", "response", "covariates", "session_of")
    data = dataclasses.replace(data, **{name: getattr(data, name)[kept] for name in names})
    data.images[:] += np.arange(12)[:, None, None]
    split = folds.split_images(data, 1, 4, 0)
    settings = schema.defaults("encoding_linear", model="ridge", features="backbone", screen=False)
    settings |= {"backbone": TINY, "convolutions": 2, "pool": 3, "seed": 5}
    seen = data.images[sorted({*data.image[split.train], *data.image[split.valid]})]
    assert len(seen) == 9
    torch.manual_seed(5)
    layers = networks.cut_backbone(TINY, 2).eval()
    with torch.inference_mode():
        shown = torch.tensor((data.images - seen.mean()) / seen.std())[:, None]
        maps = torch.nn.functional.adaptive_avg_pool2d(layers(shown), 3).flatten(1).numpy()
    found = linear.fit_predict(data, split, settings)
    np.testing.assert_allclose(found, linear.ridge(maps, data, split), rtol=1e-4)
    given = []
    monkeypatch.setattr(linear, "image_features", lambda images, _: given.append(images) or maps)
    linear.fit_predict(data, split, settings)
    np.testing.assert_array_equal(given[0], (data.images - seen.mean()) / seen.std())


def test_a_gabor_filter_by_hand():
    """A cosine of 8 px under a normal envelope of 0.4 wavelengths, upwards of grey."""
    found = gabor(33, 16.5, 16.5, 0.0, 8, 0.0)
    y, x = np.mgrid[-16:17, -16:17]
    envelope = np.exp(-(x**2 + y**2) / (2 * 3.2**2))
    expected = envelope * np.cos(np.pi * x / 4)
    expected -= envelope * expected.sum() / envelope.sum()
    np.testing.assert_allclose(found, expected / np.sqrt((expected**2).sum()), atol=1e-12)


def test_gabor_filters_see_their_own_orientation_and_no_grey():
    one = gabor(24, 12, 12, 0.0, 8, 0.0)
    assert abs(one.sum()) < 1e-9 and np.linalg.norm(one) == pytest.approx(1)
    x = np.arange(24) + 0.5
    wave = np.cos(2 * np.pi * (x - 12) / 8)
    along, across = np.tile(wave, (24, 1)), np.tile(wave[:, None], (1, 24))
    assert (one * along).sum() > 20 * abs((one * across).sum())
    # a moved grating leaves the energy of a pair alone, though both of the pair change
    pair = [gabor(24, 12, 12, 0.0, 8, p) for p in (0, np.pi / 2)]
    energy = [
        np.hypot(*((p * np.cos(2 * np.pi * (x - 12) / 8 + shift)).sum() for p in pair))
        for shift in (0.0, 0.7, 1.9)
    ]
    np.testing.assert_allclose(energy, energy[0], rtol=0.02)


def test_a_pyramid_has_pairs_of_filters_a_third_of_a_wavelength_apart_and_their_energies():
    """Of 16 px: wavelengths of 4, 6, 9 and 13.6 px, on grids of 12, 8, 5 and 4, four ways each."""
    image = np.random.default_rng(0).normal(size=(16, 16))
    (found,) = gabor_pyramid(image[None])
    n = 144 + 64 + 25 + 16
    assert found.shape == (4 * (2 * n + n),)
    at, energy = 0, 4 * 2 * n
    for wavelength, across in ((4, 12), (6, 8), (9, 5), (13.6, 4)):
        for angle in (0, np.pi / 4, np.pi / 2, 3 * np.pi / 4):
            where = (0.5 + np.array([1, across - 1])) * 16 / across  # the last of the second row
            pair = [(image * gabor(16, *where, angle, wavelength, p)).sum() for p in (0, np.pi / 2)]
            place = 2 * across - 1
            mine = found[at : at + 2 * across**2]
            np.testing.assert_allclose([mine[place], mine[across**2 + place]], pair, atol=1e-12)
            np.testing.assert_allclose(found[energy + place], np.hypot(*pair), atol=1e-12)
            at, energy = at + 2 * across**2, energy + across**2


def test_pyramid_of_a_grey_image_is_zero_and_of_a_bright_one_linear():
    images = np.stack([np.full((16, 16), 3.0), np.random.default_rng(0).normal(size=(16, 16))])
    features = gabor_pyramid(images)
    assert np.abs(features[0]).max() < 1e-9 and np.isfinite(features).all()
    np.testing.assert_allclose(gabor_pyramid(2 * images)[1], 2 * features[1])


# Networks


@pytest.mark.slow
def test_vgg19_is_cut_after_its_fifth_convolution():
    torch.manual_seed(0)
    cut = networks.cut_backbone("vgg19", 5).eval()
    convolutions = [m for m in cut.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [64, 64, 128, 128, 256]
    images = torch.randn(2, 1, 48, 48)
    maps = cut(images)
    assert maps.shape == (2, 256, 12, 12)  # 48 px, halved twice
    # by hand: convolutions, ReLU after each, pooling after the second and the fourth
    x = images.repeat(1, 3, 1, 1)
    for i, convolution in enumerate(convolutions, 1):
        x = torch.relu(convolution(x))
        x = torch.nn.functional.max_pool2d(x, 2) if i in (2, 4) else x
    torch.testing.assert_close(maps, x)


def test_a_backbone_that_cannot_be_cut_there_is_named():
    with pytest.raises(UserError, match=r"test_resnet': has \d+ convolutions, not 99"):
        networks.cut_backbone(TINY, 99)


class Undecided(torch.nn.Module):
    """Layers that hang on what is shown, or make no maps of it."""

    def __init__(self, plain: bool):
        super().__init__()
        self.plain, self.layer = plain, torch.nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return self.forward_features(x)

    def forward_features(self, x):
        if not self.plain and x.sum() > 0:
            return x
        return self.layer(x.repeat(1, 3 // x.shape[1], 1, 1)).mean((2, 3))


def test_layers_that_cannot_be_followed_and_those_without_maps_are_named(monkeypatch):
    monkeypatch.setattr(networks, "create_backbone", lambda name, *_, head: Undecided(name == "a"))
    with pytest.raises(UserError, match=r"^backbone 'b': cannot be cut, .* graph \(.*; choose an"):
        networks.cut_backbone("b", None)
    words = r"^backbone 'a': makes no maps of images; shape \(4,\)$"
    with pytest.raises(UserError, match=words):
        networks.make_network(network(backbone="a", convolutions=None, pool=None), (8, 8), 2, 0)


def test_a_cut_vgg_is_made_without_its_head_and_has_the_weights_of_its_file(tmp_path):
    whole = networks.cut_backbone("vgg11", None)
    assert sum(p.numel() for p in whole.parameters()) == 9_220_480  # of 132,863,336 with its head
    state = {key.removeprefix("layers.net."): v for key, v in whole.state_dict().items()}
    path = tmp_path / "w.pt"
    torch.save(state, path)
    cut = networks.cut_backbone("vgg11", 2, f"file:{path}")
    convolutions = [m for m in cut.modules() if isinstance(m, torch.nn.Conv2d)]
    for convolution, n in zip(convolutions, (0, 3), strict=True):
        assert torch.equal(convolution.weight, state[f"features.{n}.weight"])
        assert torch.equal(convolution.bias, state[f"features.{n}.bias"])
    torch.save({key: v for key, v in state.items() if key != "features.3.weight"}, path)
    with pytest.raises(UserError, match=r"'features\.3\.weight' is missing or of another shape"):
        networks.cut_backbone("vgg11", 2, f"file:{path}")


def batch(readout, shape, index, covariates=0):
    torch.manual_seed(0)
    n, t = index.shape
    return torch.randn(index.max() + 1, *shape), index, torch.randn(n, t, covariates)


def test_factorised_readout_is_mask_times_weights():
    readout = networks.Factorised((3, 2, 2), 1, 4).eval()
    index = torch.tensor([[1, 0], [0, 1], [1, 0]])  # the last image is read
    maps, index, covariates = batch(readout, (3, 2, 2), index, 1)
    found = readout(maps, index, covariates)
    scaled = readout.norm(maps)
    for p, image in enumerate([0, 1, 0]):
        for n in range(4):
            value = readout.bias[n] + readout.covariates.weight[n, 0] * covariates[p, 1, 0]
            for c in range(3):
                for place in range(4):
                    seen = scaled[image, c].flatten()[place]
                    value = value + readout.mask[n, place] * readout.weight[n, c] * seen
            torch.testing.assert_close(found[p, n], value)
    begun = networks.Factorised((256, 5, 5), 0, 20)  # of a map of SD 1 a response of .05
    assert begun.weight.std().item() == pytest.approx(1 / 16, rel=0.05)
    assert begun.mask.std().item() == pytest.approx(0.01, rel=0.1)


def test_a_readout_over_presentations_is_a_gru_over_what_was_shown():
    """Steps of a cell; the third image of two is the hidden one, of which nothing is seen."""
    index = torch.tensor([[2, 0, 1], [1, 1, 0], [2, 2, 1]])
    maps, _, covariates = batch(None, (3, 2, 2), index, 1)
    readout = networks.OverPresentations((3, 2, 2), 1, 4, 5).eval()
    cell = torch.nn.GRUCell(5, 4)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in readout.rnn.state_dict().items()})
    for p, found in enumerate(readout(maps[:2], index, covariates)):
        state = torch.zeros(4)
        for t, image in enumerate(index[p].tolist()):
            seen = torch.zeros(4)
            if image < 2:
                seen = torch.relu(readout.image.weight @ maps[image].flatten() + readout.image.bias)
            state = cell(torch.cat([seen, covariates[p, t]])[None], state[None])[0]
        expected = readout.head.weight @ state + readout.head.bias
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_covariates", [0, 2])
def test_fully_connected_layers_read_the_last_image_and_its_covariates(n_covariates):
    index = torch.tensor([[0, 1], [1, 0], [0, 0]])
    maps, _, covariates = batch(None, (3, 2, 2), index, n_covariates)
    readout = networks.FullyConnected((3, 2, 2), n_covariates, [4], "relu", 5)
    first, _, last = readout.layers
    for p, found in enumerate(readout(maps, index, covariates)):
        given = torch.cat([maps[index[p, 1]].flatten(), covariates[p, 1]])
        hidden = torch.relu(first.weight @ given + first.bias)
        torch.testing.assert_close(found, last.weight @ hidden + last.bias)


def test_fully_connected_layers_are_those_of_the_study():
    readout = networks.FullyConnected((256, 1, 1), 0, [4096, 1000, 250], "tanh", 212)
    sizes = [(m.in_features, m.out_features) for m in readout.layers if hasattr(m, "in_features")]
    assert sizes == [(256, 4096), (4096, 1000), (1000, 250), (250, 212)]
    assert [type(m).__name__ for m in readout.layers][1::2] == ["Tanh"] * 3


@pytest.mark.parametrize("readout", ["fully_connected", "factorised", "rnn"])
@pytest.mark.parametrize("covariates", [False, True])
def test_one_presentation_gives_the_same_alone_and_among_others(readout, covariates):
    data = responses()
    settings = network(readout=readout, covariates=covariates, presentations=3, pool=2)
    split = folds.split_images(data, 1, 4, 0)
    model = train.network_of(data, settings).eval()
    for source in train.sources(data, split, settings)[:3]:  # in training some are hidden
        together = source.logits(model, source.centres)
        with torch.inference_mode():
            for i in (0, 3, 7):
                alone = model(source.batch(source.centres[i : i + 1]))
                torch.testing.assert_close(alone[0], together[i], rtol=1e-4, atol=1e-5)


def test_initialisations_have_the_spread_of_their_papers():
    settings = network(hidden=[400], pool=8)
    data = responses()
    for how, gain in (("kaiming", 2.0), ("xavier", None)):
        model = train.network_of(data, settings | {"initialisation": how})
        layer = model.readout.layers[0]
        fan_in, fan_out = layer.in_features, layer.out_features
        variance = gain / fan_in if gain else 2 / (fan_in + fan_out)
        assert layer.weight.var().item() == pytest.approx(variance, rel=0.05)
        assert not layer.bias.any()


@pytest.mark.parametrize("pretrained", ["none", "file:w.pt"])
@pytest.mark.parametrize("frozen", [False, True])
def test_weights_of_a_backbone_that_was_trained_or_stays_are_not_drawn_anew(
    monkeypatch, pretrained, frozen
):
    class Backbone(torch.nn.Conv2d):
        def __init__(self):
            super().__init__(1, 4, 3)
            torch.nn.init.constant_(self.weight, 0.25)

    asked = []
    monkeypatch.setattr(networks, "cut_backbone", lambda *given: asked.append(given) or Backbone())
    how = {"initialisation": "xavier", "pool": None, "pretrained": pretrained, "frozen": frozen}
    made = networks.make_network(network(**how), (8, 8), 2, 0)
    assert asked == [(TINY, 1, pretrained)] and made.frozen == frozen
    drawn = pretrained == "none" and not frozen
    assert (made.backbone.weight == 0.25).all() != drawn
    assert made.readout.layers[0].weight.std() > 0 and not made.readout.layers[0].bias.any()


def test_rnn_reads_what_was_shown_before_and_never_a_held_out_image_while_training():
    data = responses()
    split = folds.split_images(data, 1, 4, 0)
    settings = network(readout="rnn", presentations=3)
    training, _, test, _ = train.sources(data, split, settings)
    hidden = len(data.images)
    held = set(data.image[split.valid]) | set(data.image[split.test])
    index = training._index[training.centres].numpy()
    assert not held & set(index[index < hidden])
    at = int(split.train[-1])
    before = [hidden if i in held else i for i in data.image[at - 2 : at]]
    assert training._index[at].tolist() == [*before, data.image[at]]
    assert test._index[0].tolist() == [hidden, hidden, data.image[0]]  # nothing before the first
    later = int(split.test[-1])
    assert test._index[later].tolist() == data.image[later - 2 : later + 1].tolist()


def test_a_new_session_has_no_presentation_before_it():
    data = responses(session_of=np.repeat([0, 1], 24))
    rows = np.arange(48)
    source = Presentations(data, rows, fit_scaler(data, rows), history=2)
    assert source._index[24].tolist() == [len(data.images), data.image[24]]


# Training


def test_scaler_knows_training_presentations_only():
    data = responses()
    rows = np.flatnonzero(data.image < 6)
    scaler = fit_scaler(data, rows)
    np.testing.assert_allclose(scaler.response[0], data.response[rows].mean(0), rtol=1e-5)
    np.testing.assert_allclose(scaler.response[1], data.response[rows].std(0), rtol=1e-5)
    assert scaler.pixel[0] == pytest.approx(data.images[:6].mean(), abs=1e-6)
    assert fit_scaler(data, rows, standardise=False).response[1].tolist() == [1] * 5
    often = np.append(rows, [rows[data.image[rows] == 0][0]] * 9)  # shown more often than others
    assert fit_scaler(data, often).pixel == scaler.pixel


def test_networks_are_shown_what_is_standardised_by_the_training_set():
    data = responses()
    rows = np.flatnonzero(data.image < 6)
    source = Presentations(data, rows, fit_scaler(data, rows), history=2, covariates=True)
    at = int(rows[-1])
    batch = source.batch(torch.tensor([at]))

    def standard(values, known):
        return (values - known.mean(0)) / known.std(0)

    pixels = data.images[:6].mean(), data.images[:6].std()
    shown = (data.images[data.image[[at - 1, at]]] - pixels[0]) / pixels[1]
    found = batch.images[batch.index[0]][:, 0]
    np.testing.assert_allclose(found, shown, atol=1e-5)
    given = standard(data.covariates, data.covariates[rows])[[at - 1, at]]
    np.testing.assert_allclose(batch.covariates[0], given, atol=1e-5)
    labels = standard(data.response, data.response[rows])
    np.testing.assert_allclose(source.labels, labels, atol=1e-4)


def test_averages_are_means_of_repeats():
    data = responses()
    rows = np.flatnonzero(data.image < 6)
    found = averaged(data, rows)
    assert found.image.tolist() == list(range(6))
    np.testing.assert_allclose(found.response[2], data.response[data.image == 2].mean(0), rtol=1e-5)


def fit_small(data, checkpoint=None, **change):
    settings = network(**change)
    split = folds.split_images(data, 1, 4, 0)
    return train.train_network(data, split, settings, checkpoint=checkpoint), split


def test_training_lowers_the_loss_and_predicts_in_units_of_the_responses():
    data = responses(n_images=40)
    shifted = Responses(**vars(data) | {"response": 100 * data.response + 1000})
    (fitted, predicted), split = fit_small(
        shifted, epochs=25, optimizer="adam", learning_rate=0.01, train_on="averages"
    )
    history = fitted.history
    assert list(history) == list(HISTORY)
    assert history["train_loss"].iloc[-1] < 0.5 * history["train_loss"][0]
    assert history["train_r2"].iloc[-1] > 0.5
    assert predicted.shape == (len(split.test), 5) and 800 < predicted.mean() < 1200


@pytest.mark.parametrize(("optimizer", "patience"), [("sgd", 2), ("adam", 3)])
def test_a_training_that_learns_nothing_more_ends_and_tells_each_epoch(capsys, optimizer, patience):
    """Of 48 training presentations in batches of 20: three steps an epoch, at a rate of 0."""
    data = responses()
    settings = network(
        **{"optimizer": optimizer, "learning_rate": 0.0, "epochs": 9, "batch_size": 20},
        **{"early_stopping": patience, "l2": 0.0, "momentum": 0.5, "frozen": True},
    )
    split = folds.split_images(data, 1, 4, 0)
    training, valid, _, _ = train.sources(data, split, settings)
    model = train.network_of(data, settings)
    for source in (training, valid):
        source.freeze(model)
    chosen = {key: settings[key] for key in train.SETTINGS}
    history = train.fit(model, training, valid, **chosen).history
    n, steps = 1 + patience, -(-len(split.train) // 20)
    assert history["epoch"].tolist() == [*range(1, n + 1)] and set(history["lr"]) == {0}
    assert history["step"].tolist() == [steps * epoch for epoch in range(1, n + 1)]
    both = []
    for source in (training, valid):
        outputs, labels = source.logits(model, source.centres), source.labels[source.centres]
        found = r2(labels.numpy(), outputs.numpy()).mean()
        both.append((((outputs - labels) ** 2).mean().item(), found))
    (_, train_r2), (valid_loss, valid_r2) = both
    for name, value in {
        "train_r2": train_r2,
        "valid_r2": valid_r2,
        "valid_loss": valid_loss,
    }.items():
        np.testing.assert_allclose(history[name], value, rtol=1e-5, err_msg=name)
    said = capsys.readouterr().err.splitlines()
    losses = [
        f"train loss {loss:.4f}, valid loss {valid_loss:.4f}" for loss in history["train_loss"]
    ]
    assert [line for line in said if line.startswith("epoch")] == [
        f"epoch {epoch}/9: {loss}, train R2 {train_r2:.3f}, valid R2 {valid_r2:.3f}"
        for epoch, loss in enumerate(losses, 1)
    ]
    train.fit(model, training, valid, **chosen, quiet=True)
    assert "train loss" not in capsys.readouterr().err


def test_sgd_is_that_of_torch_with_momentum_and_l2():
    data = responses()
    settings = network(learning_rate=0.05, momentum=0.8, l2=0.01, epochs=1, batch_size=1000)
    split = folds.split_images(data, 1, 4, 0)
    training, valid, _, _ = train.sources(data, split, settings)
    model = train.network_of(data, settings)
    twin = train.network_of(data, settings)
    fitted = train.fit(model, training, valid, **{k: settings[k] for k in train.SETTINGS})
    twin.train()
    steps = torch.optim.SGD(twin.parameters(), 0.05, momentum=0.8, weight_decay=0.01)
    loss = (
        (twin(training.batch(training.centres)) - training.labels[training.centres]) ** 2
    ).mean()
    loss.backward()
    steps.step()
    assert fitted.history["train_loss"][0] == pytest.approx(loss.item(), rel=1e-5)
    for name, value in twin.state_dict().items():
        torch.testing.assert_close(fitted.state[name], value, rtol=1e-4, atol=1e-6)


def test_a_frozen_backbone_stays_as_it_was():
    data = responses()
    settings = network(frozen=True, learning_rate=0.1)
    split = folds.split_images(data, 1, 4, 0)
    before = train.network_of(data, settings).state_dict()
    fitted, _ = train.train_network(data, split, settings)
    for name, value in before.items():
        same = torch.equal(fitted.state[name], value)
        assert same == name.startswith("backbone"), name


def test_neurons_that_share_no_weights_have_a_best_epoch_each(monkeypatch):
    data = responses(n_images=24, neurons=8)
    data.response[:, 4:] = np.random.default_rng(1).normal(3, 1, (96, 4))  # nothing to be learned
    split = folds.split_images(data, 1, 4, 0)
    settings = network(
        **{"frozen": True, "readout": "factorised", "pool": 4, "train_on": "averages"},
        **{"optimizer": "adam", "learning_rate": 0.05, "epochs": 12, "standardise": False},
    )
    training, valid, _, _ = train.sources(data, split, settings)
    model, seen = train.network_of(data, settings), []
    for source in (training, valid):
        source.freeze(model)
    labels = valid.labels[valid.centres]
    original = train.Regression.validate

    def validate(self, source, at, n):
        original(self, source, at, n)
        error = ((source.logits(self.model, at) - labels) ** 2).mean(0)
        seen.append((error, {k: v.clone() for k, v in self.model.state_dict().items()}))

    monkeypatch.setattr(train.Regression, "validate", validate)
    state = train.fit(model, training, valid, **{k: settings[k] for k in train.SETTINGS}).state
    mean = training.labels[training.centres].mean(0)
    errors = torch.stack([((labels - mean) ** 2).mean(0), *(error for error, _ in seen)])
    best = errors.argmin(0).tolist()
    assert len(set(best)) > 2 and 0 in best  # epoch 0: the mean is predicted
    for neuron, epoch in enumerate(best):
        if epoch == 0:
            assert not state["readout.mask"][neuron].any()
            assert state["readout.bias"][neuron] == mean[neuron]
        else:
            for name in ("mask", "weight", "bias"):
                key = f"readout.{name}"
                assert torch.equal(state[key][neuron], seen[epoch - 1][1][key][neuron])


OWN_BEST = {"frozen": True, "readout": "factorised", "pool": 4, "standardise": False}


@pytest.mark.parametrize("change", [{}, OWN_BEST | {"optimizer": "adam", "learning_rate": 0.1}])
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path, monkeypatch, change):
    """Also where neurons have a best epoch each, some of them before the end."""
    data = responses()
    fit = functools.partial(fit_small, **change)
    (whole, _), _ = fit(data, epochs=3)
    checkpoint = Checkpoint(tmp_path / "c.pt", {})
    fit(data, checkpoint, epochs=1)
    assert not checkpoint.path.exists()  # seconds are not worth a file, which may be of 2 GB
    checkpoint.result.unlink()
    original, calls = train.Regression.next_epoch, []

    def stop(self):
        original(self)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(train.Regression, "next_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        fit(data, Checkpoint(tmp_path / "c.pt", {}, every=0), epochs=3)
    assert checkpoint.load()["epoch"] == 3
    monkeypatch.setattr(train.Regression, "next_epoch", original)
    (again, _), _ = fit(data, checkpoint, epochs=3)
    for name, value in whole.state.items():
        assert torch.equal(again.state[name], value), name
    columns = ["train_loss", "valid_loss", "train_r2", "valid_r2"]
    assert again.history[columns].equals(whole.history[columns])


def test_a_training_that_has_ended_is_not_repeated(tmp_path, capsys):
    data = responses()
    checkpoint = Checkpoint(tmp_path / "c.pt", {})
    (first, predicted), _ = fit_small(data, checkpoint)
    capsys.readouterr()
    (again, same), _ = fit_small(data, checkpoint)
    said = capsys.readouterr().err
    assert f"trained before: taken from {checkpoint.result}" in said and "epoch 1" not in said
    pd.testing.assert_frame_equal(again.history, first.history)
    np.testing.assert_array_equal(same, predicted)


def test_a_network_is_screened_as_ridge_is(monkeypatch):
    data = responses(repeats=6)
    data.response[:, 3:] = np.random.default_rng(1).normal(9, 1, (72, 2))  # of no image
    (_, plain), split = fit_small(data)
    (_, found), _ = fit_small(data, screen=True)
    np.testing.assert_array_equal(found[:, :3], plain[:, :3])
    mean = data.response[split.fit][:, 3:].mean(0)
    np.testing.assert_allclose(found[:, 3:], np.tile(mean, (len(split.test), 1)), rtol=1e-6)
    assert (np.abs(plain[:, 3:] - mean) > 1e-4).all()


@pytest.mark.parametrize("screen", [False, True])
def test_ridge_is_screened_where_it_says_so(screen):
    data = responses(repeats=6)
    data.response[:, 3:] = np.random.default_rng(1).normal(9, 1, (72, 2))  # of no image
    split = folds.split_images(data, 1, 4, 0)
    settings = schema.defaults("encoding_linear", model="ridge", features="pixels", screen=screen)
    found = linear.fit_predict(data, split, settings)
    assert np.ptp(found[:, :3], axis=0).all()  # of what differs between images by however little
    assert np.ptp(found[:, 3:], axis=0).any() != screen
    mean = data.response[split.fit].mean(0)
    np.testing.assert_allclose(found[:, 3:], np.tile(mean[3:], (18, 1)), rtol=0.05)
    fewer = np.append(split.fit[data.image[split.fit] != data.image[split.fit[0]]], split.fit[:1])
    mean = np.mean(
        [
            data.response[fewer][data.image[fewer] == i].mean(0)
            for i in np.unique(data.image[fewer])
        ],
        axis=0,
    )  # of images, not of repeats
    found = linear.fit_predict(
        data, dataclasses.replace(split, train=fewer, valid=fewer[:0]), settings
    )
    assert np.allclose(found[:, 3:], mean[3:]) == screen


def test_images_that_a_backbone_cannot_take_are_told(monkeypatch):
    small = dataclasses.replace(responses(), images=np.zeros((12, 1, 1), np.float32))
    settings = network(backbone="vgg11", convolutions=None)
    with pytest.raises(UserError, match=r"'vgg11': takes no images of 1 x 1 px .* set responses"):
        train.network_of(small, settings)

    def maps(*_):  # as vision transformers say it
        raise AssertionError("Wrong image height! Expected 224")

    monkeypatch.setattr(networks.EncodingNetwork, "maps", maps)
    with pytest.raises(UserError, match=r"'vgg11': takes no images of 1 x 1 px \(Wrong image hei"):
        train.network_of(small, settings)


def test_divergence_is_an_error_of_one_training_and_a_line_of_a_sweep(tmp_path, capsys):
    data = responses()
    split = folds.split_images(data, 1, 4, 0)
    with pytest.raises(UserError, match="the loss is not finite; lower learning_rate"):
        train.train_network(data, split, network(learning_rate=1e6, epochs=20))
    lines = sweep.grid([0.01, 1e6], [0.0, 0.9], [0.0], ["default"])
    partial = tmp_path / "part.jsonl"
    settings = network(epochs=20, train_on="averages")
    table = sweep.train_all(data, split, settings, lines, partial=partial, identity="a")
    said = capsys.readouterr().err.splitlines()
    assert [line[1:3] for line in said] == ["/4"] * 4  # and nothing of epochs
    assert ["diverged" in line for line in said] == table["diverged"].tolist()
    assert table["diverged"].tolist() == [False, False, True, True]
    assert table["learning_rate"].tolist() == [0.01, 0.01, 1e6, 1e6]
    assert table.loc[:1, "test_r2"].notna().all() and table.loc[2:, "valid_loss"].isna().all()
    # test images are scored as averages too, as the network was trained
    _, predicted = train.train_network(data, split, settings | lines[0])
    _, index = np.unique(data.image[split.test], return_inverse=True)
    means = [image_means(x.astype(float), index) for x in (data.response[split.test], predicted)]
    assert table["test_r2"][0] == pytest.approx(r2(*means).mean(), abs=1e-5)
    # finished lines are taken as they are; a line cut short and other inputs are not
    text = partial.read_text().splitlines()
    partial.write_text("\n".join([text[0].replace('"epochs": 20', '"epochs": 7'), text[1][:30]]))
    again = sweep.train_all(data, split, settings, lines[:2], partial=partial, identity="a")
    assert again["epochs"].tolist() == [7, 20]
    other = sweep.train_all(data, split, settings, lines[:1], partial=partial, identity="b")
    assert other["epochs"].tolist() == [20]


def test_all_of_a_sweep_is_on_its_device(monkeypatch):
    def fit(network, *sources, device, **_):
        held = [next(network.parameters()), *(source.labels for source in sources)]
        devices.extend([device, *(one.device.type for one in held)])
        raise train.Diverged

    devices, data = [], responses()
    monkeypatch.setattr(sweep, "fit", fit)
    lines = sweep.grid([0.01], [0.0], [0.0], ["default"])
    split = folds.split_images(data, 1, 4, 0)
    sweep.train_all(data, split, network(), lines, "meta")
    assert devices == ["meta"] * 4


def test_a_line_of_a_sweep_has_the_scores_of_the_epoch_of_lowest_validation_loss(monkeypatch):
    """Which is not the last, nor that of the best R2 or the lowest training loss."""
    history = pd.DataFrame(0.0, index=range(4), columns=list(HISTORY)).assign(
        **{"epoch": [1, 2, 3, 4], "train_loss": [0.9, 0.7, 0.5, 0.6]},
        **{"valid_loss": [0.8, 0.6, 0.65, 0.7], "train_r2": [0.1, 0.2, 0.3, 0.4]},
        valid_r2=[0.15, 0.25, 0.2, 0.35],
    )
    data, settings = responses(), network(frozen=True)
    split = folds.split_images(data, 1, 4, 0)

    def fit(model, *sources, **_):
        return train.Fit(model.state_dict(), history)

    monkeypatch.setattr(sweep, "fit", fit)
    lines = sweep.grid([0.01], [0.9], [0.5], ["default"])
    (row,) = sweep.train_all(data, split, settings, lines).to_dict("records")
    given = {"learning_rate": 0.01, "momentum": 0.9, "l2": 0.5, "initialisation": "default"}
    scores = {"train_loss": 0.7, "valid_loss": 0.6, "train_r2": 0.2, "valid_r2": 0.25}
    known = given | scores | {"diverged": False, "epochs": 4, "best_epoch": 2}
    assert {name: row[name] for name in known} == known
    assert set(row) - set(known) == {"test_loss", "test_r2"}


def test_held_out_presentations_have_no_part_in_what_standardises():
    one = responses()
    rows = np.flatnonzero(one.image < one.image.max())
    given = np.arange(len(one.image))[:, None] * 1.0
    scaler = fit_scaler(dataclasses.replace(one, covariates=given), rows)
    held = one.image == one.image.max()
    images, response, covariates = one.images.copy(), one.response.copy(), given.copy()
    images[one.image.max()] = response[held] = covariates[held] = 100
    other = dataclasses.replace(one, images=images, response=response, covariates=covariates)
    again = fit_scaler(other, rows)
    assert scaler.pixel == again.pixel
    for name in ("response", "covariate"):
        np.testing.assert_array_equal(getattr(scaler, name), getattr(again, name))
    np.testing.assert_allclose(scaler.covariate, [given[rows].mean(0), given[rows].std(0)])


def test_the_epoch_kept_is_that_of_the_lowest_loss_of_validation():
    """Of responses that are larger in training, whose loss never comes down to that."""
    data = responses(n_images=24)
    split = folds.split_images(data, 1, 4, 0)
    settings = network(optimizer="adam", learning_rate=0.05, epochs=12)
    training, valid, _, _ = train.sources(data, split, settings)
    training.labels *= 5
    model = train.network_of(data, settings)
    fitted = train.fit(model, training, valid, **{k: settings[k] for k in train.SETTINGS})
    losses = fitted.history["valid_loss"]
    assert fitted.history["train_loss"].min() > losses.max() and losses.argmin() < len(losses) - 1
    model.load_state_dict(fitted.state)
    outputs = valid.logits(model, valid.centres)
    kept = ((outputs - valid.labels[valid.centres]) ** 2).mean().item()
    assert kept == pytest.approx(losses.min(), rel=1e-5)


def test_what_is_predicted_is_of_the_epoch_that_is_kept():
    data = responses()
    settings = {"optimizer": "adam", "learning_rate": 0.3, "epochs": 4}
    (fitted, predicted), split = fit_small(data, **settings)
    assert fitted.history["valid_loss"].argmin() < 3  # not of the last one
    _, _, test, scaler = train.sources(data, split, network(**settings))
    model = train.network_of(data, network(**settings))
    model.load_state_dict(fitted.state)
    mean, sd = scaler.response
    outputs = test.logits(model, test.centres).numpy() * sd + mean
    np.testing.assert_allclose(predicted, outputs, rtol=1e-4, atol=1e-5)
    # and of a sweep, the scores beside it
    line = dict.fromkeys(sweep.SWEPT) | {"learning_rate": 0.3, "momentum": 0.0, "l2": 0.0}
    line["initialisation"] = "default"
    row = sweep.train_all(data, split, network(**settings), [line]).iloc[0]
    assert row["best_epoch"] == fitted.history["valid_loss"].argmin() + 1
    error = (((outputs - data.response[split.test]) / sd) ** 2).mean()
    assert row["test_loss"] == pytest.approx(error, rel=1e-3)
    frozen = sweep.train_all(data, split, network(**settings, frozen=True), [line]).iloc[0]
    assert np.isfinite(frozen["test_loss"]) and frozen["test_loss"] != row["test_loss"]


def test_neurons_that_never_change_have_no_part_in_the_mean_r2():
    labels = torch.tensor([[1.0, 0, 0], [1, 2, 2]])
    outputs = torch.tensor([[0.0, 0, 1], [0, 2, 1]])
    assert train.mean_r2(outputs, labels) == 0.5  # of 1 and 0


def test_readouts_of_one_image_are_given_one_presentation():
    data = responses()
    split = folds.split_images(data, 1, 4, 0)
    for readout, n in (("rnn", 3), ("factorised", 1)):
        parts = train.sources(data, split, network(readout=readout, presentations=3))[:3]
        assert [part.batch(part.centres[:2]).index.shape for part in parts] == [(2, n)] * 3
