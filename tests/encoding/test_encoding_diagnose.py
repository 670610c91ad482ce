"""The diagnosis names what was planted: six faults of data, preprocessing, network and training."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from make_decoders import responses as make_responses
from mesodecode.encoding import diagnose, diagnose_training, folds, responses, simulate
from mesodecode.encoding.columns import check_row
from mesodecode.encoding.diagnose import FAULTS
from mesodecode.encoding.explainable import Explainable, explainable
from mesodecode.encoding.readers import Session
from mesodecode.study import schema
from texts import as_read

# A network that learns, of timm's smallest, on a population in which there is something to learn.
SETTINGS = {
    **{"backbone": "test_resnet", "convolutions": 1, "pool": 4, "hidden": [64]},
    **{"train_on": "averages", "learning_rate": 0.02, "batch_size": 16},
}


def session(**change) -> Session:
    small = {"neurons": 20, "images": 40, "repeats": 10, "image_size": 16, "explainable": 0.5}
    settings = schema.defaults("encoding_simulate", **small | change)
    made = simulate.simulate_population(**settings)
    images = made.images.astype(np.float32)
    ids = np.arange(len(made.events))
    return Session(images, made.image, made.start, made.end, made.time, made.events, ids)


@pytest.fixture(scope="module")
def whole() -> Session:
    return session()


def run(source: Session, lag: float = 0.0, scale: float = 1.0, history=None, **change):
    data = responses.make_responses(source, "s", reduce="max", image_size=16, lag=lag)
    data.response[:, 0] *= scale
    settings = schema.defaults("encoding_network", **SETTINGS | change)
    split = folds.split_images(data, 1, 5, 0)
    return diagnose.diagnose(data, split, settings, history=history)


def failed(found) -> list[str]:
    checks = found.checks.iloc[:-1]
    return checks.loc[checks["verdict"] == "fail", "check"].tolist()


def named(found, fault: str, check: str) -> None:
    as_read(found.checks["sentence"])
    last = found.checks.iloc[-1]
    assert failed(found)[:1] == [check], found.checks["sentence"].tolist()
    assert found.fault == last["fault"] == fault
    assert last["sentence"].startswith(f"{fault.capitalize()} is at fault ({check}): ")


@pytest.mark.slow
def test_a_healthy_study_has_no_fault(whole):
    found = run(whole)
    assert failed(found) == [] and found.fault == "none", found.checks["sentence"].tolist()
    # 14 of 20 were made responsive
    assert found.neurons["responsive"].sum() == pytest.approx(14, abs=1)
    planted = found.neurons["explainable"][:14].mean()
    assert planted == pytest.approx(0.5, abs=0.06)
    assert found.layers["weights"].tolist() == [432, 16 * 16 * 64, 64 * 20]
    assert set(found.checks["fault"]) <= {"", "none", *FAULTS}


@pytest.fixture
def batch_fits(monkeypatch):
    """The check of one batch, in hundreds of steps, comes after those that fail here."""
    monkeypatch.setattr(diagnose_training, "fit_batch", lambda *_: 0.95)


@pytest.mark.slow
@pytest.mark.usefixtures("batch_fits")
def test_fault_1_neurons_that_do_not_respond_are_data():
    named(run(session(responsive=0.0)), "data", "signal")


@pytest.mark.slow
@pytest.mark.usefixtures("batch_fits")
def test_fault_2_a_window_half_a_second_late_is_preprocessing(whole):
    found = run(whole, lag=0.5)
    named(found, "preprocessing", "lag")
    assert "set lag" in found.checks["sentence"].iloc[-1]


@pytest.mark.slow
@pytest.mark.usefixtures("batch_fits")
def test_fault_3_images_in_another_order_are_preprocessing(whole):
    order = np.random.default_rng(0).permutation(40)
    found = run(Session(**vars(whole) | {"images": whole.images[order]}))
    named(found, "preprocessing", "images")


@pytest.mark.slow
@pytest.mark.usefixtures("batch_fits")
def test_fault_4_one_neuron_that_is_the_loss_is_preprocessing(whole):
    named(run(whole, scale=100.0, standardise=False), "preprocessing", "scale")


@pytest.mark.slow
def test_fault_5_a_network_through_which_no_gradient_comes_is_architecture(whole):
    found = run(whole, activation="tanh", hidden=[8] * 30)
    named(found, "architecture", "gradients")
    ratio = found.layers["ratio"]
    assert ratio.iloc[0] < 1e-6 < ratio.iloc[-1]


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "words"), [(1e-6, "too low"), (50.0, "too high")])
def test_fault_6_a_learning_rate_that_is_too_low_or_too_high_is_optimisation(whole, rate, words):
    found = run(whole, learning_rate=rate)
    named(found, "optimisation", "one batch")
    checks = found.checks.set_index("check")
    assert checks.loc["learning rate", "verdict"] == "fail"
    assert words in checks.loc["learning rate", "sentence"]


# Each check by hand, at its limit


LAG_ROW = check_row("lag", True, "", 0.0, 0.15, "The lag")
LIMITS = {"lag": 0.15, "signal": 0.1, "scale": 0.5, "images": 0.01, "features": 0.01}


def outcome(row) -> tuple[str, str, float]:
    as_read([row["sentence"]])
    assert row["check"] not in LIMITS or row["limit"] == LIMITS[row["check"]]
    return row["verdict"], row["fault"], row["value"]


@pytest.mark.parametrize(
    ("explained", "verdict", "moved", "words"),
    [
        ([0.2, 0.3, 0.1, 0.3], "pass", 0.0, "explain 30.0% of the variance, and at no other lag"),
        ([0.2, 0.3, 0.9, 0.1], "pass", 0.1, "at the best one (0.20 s) 90.0%"),  # less than .15 s
        ([0.2, 0.3, 0.1, 0.4], "pass", 0.3, "at the best one (0.40 s) 40.0%"),
        ([0.2, 0.3, 0.1, 0.47], "fail", 0.3, "set lag"),  # .3 and half as much again, and .01
        ([0.47, 0.3, 0.1, 0.2], "fail", -0.2, "at the best one (-0.10 s) 47.0%"),
        ([-0.3, -0.2, -0.1, 0.009], "pass", 0.3, "explain -20.0%"),  # nothing to be found anywhere
        ([-0.3, -0.2, -0.1, 0.011], "fail", 0.3, "set lag"),
    ],
)
def test_another_lag_must_explain_half_as_much_again(explained, verdict, moved, words):
    lags = np.array([-0.1, 0.1, 0.2, 0.4])
    data = SimpleNamespace(lag=0.1, lags=lags, lag_explained=np.array(explained))
    row = diagnose.check_lag(data)
    fault = "preprocessing" if verdict == "fail" else ""
    assert outcome(row) == (verdict, fault, pytest.approx(moved)) and words in row["sentence"]


def test_where_no_image_is_repeated_neither_lag_nor_data_are_blamed(whole):
    first = {field: getattr(whole, field)[:40] for field in ("image", "start", "end")}
    assert len({*first["image"]}) == 40
    once = responses.make_responses(replace(whole, **first), "s", image_size=16)
    known = explainable(once.response, once.image)
    for name, row in (
        ("lag", diagnose.check_lag(once)),
        ("signal", diagnose.check_signal(diagnose.neuron_table(once, known))),
        ("image information", diagnose.check_decoding(once.response, once.image)),
    ):
        assert (row["check"], *outcome(row)[:2]) == (name, "not made", "")
        assert row["sentence"].endswith(": no image is repeated.")
    assert row["limit"] == pytest.approx(3 / 40)


def test_where_most_presentations_lie_outside_the_recording_no_lag_is_known(whole):
    """Images are repeated in what is left of it, and no words say that they are not."""
    end = len(whole.time) // 3
    short = replace(whole, time=whole.time[:end], traces=whole.traces[:end])
    left = responses.make_responses(short, "s", image_size=16)
    row = diagnose.check_lag(left)
    assert outcome(row)[:2] == ("not made", "")
    assert row["sentence"].endswith("at no lag: most windows leave the recording.")
    assert "repeated" not in diagnose.check_decoding(left.response, left.image)["sentence"]


def test_a_tenth_of_the_neurons_must_answer_images():
    neurons = pd.DataFrame({"responsive": [True] + [False] * 9, "explainable": [0.4] + [0.9] * 9})
    neurons["p"] = [np.nan] + [0.5] * 9
    row = diagnose.check_signal(neurons)
    assert outcome(row) == ("pass", "", 0.1)
    assert row["sentence"] == (
        "Images explain variance of 1 of 10 neurons, on average 40.0% of their variance."
    )
    assert outcome(diagnose.check_signal(pd.concat([neurons] * 2)[1:]))[0] == "fail"  # 1 of 19
    row = diagnose.check_signal(neurons[1:])
    assert outcome(row) == ("fail", "data", 0.0) and "on average" not in row["sentence"]


def test_half_of_the_loss_may_lie_in_a_twentieth_of_the_neurons():
    def of(*sizes):
        return outcome(diagnose.check_scale(np.array(sizes) * np.array([[1.0], [-1.0]])))

    assert of(4, *[1] * 16) == ("pass", "", 0.5)  # one of 17 has 16 of 32
    assert of(*[1] * 16, 4, 1) == ("pass", "", 16 / 33)
    assert of(*[1] * 9, 5, *[1] * 10) == ("fail", "preprocessing", 25 / 44)
    assert of(4, *[1] * 10, -4, *[1] * 9) == ("fail", "preprocessing", 32 / 51)  # two of 21
    for sizes, verdict, value, limit in (  # of few neurons one is much
        ((3, 1), "pass", 0.9, 1),
        ((1, 2, 1), "pass", 4 / 6, 2 / 3),
        ((1, 3, 1), "fail", 9 / 11, 2 / 3),
    ):
        row = diagnose.check_scale(np.array([sizes]) * 1.0)
        assert (row["verdict"], row["value"], row["limit"]) == (verdict, value, limit)


def test_ridge_on_pixels_or_gabor_filters_must_predict_held_out_images():
    row = diagnose.check_images({"pixels": (0.3, 0.02), "gabor": (0.2, 0.01), "backbone": (0, 1)})
    assert outcome(row) == ("pass", "", 0.01)
    assert "Gabor filters predicts averages of held-out images with R² 0.20" in row["sentence"]
    row = diagnose.check_images({"pixels": (0.3, 0.02), "gabor": (0.2, 0.02), "backbone": (0, 0)})
    assert outcome(row) == ("fail", "preprocessing", 0.02) and "on pixels" in row["sentence"]


def test_ridge_must_learn_from_the_maps_of_the_backbone():
    learns = {"pixels": (0.3, 0.001), "gabor": (0.4, 0.001), "backbone": (0.2, 0.01)}
    settings = {"backbone": "vgg19", "convolutions": None}
    row = diagnose.check_features(learns, settings)
    assert outcome(row) == ("pass", "", 0.01)
    assert (
        "vgg19 (convolutions: all) before training has R² 0.20 (p = 0.010); on pixels or Gab"
        in (row["sentence"])
    )
    assert row["sentence"].endswith("filters 0.40.")
    row = diagnose.check_features(learns | {"backbone": (0.5, 0.015)}, settings)
    assert outcome(row) == ("fail", "architecture", 0.015)


def test_what_ridge_learns_is_of_held_out_images_and_of_neurons_that_answer():
    """Of features that are the planted signal of the first neuron; the second is noise."""
    rng = np.random.default_rng(0)
    image = rng.permutation(np.repeat(np.arange(40), 3))
    signal = rng.normal(size=40)
    response = np.stack([3 * signal[image] + 7, rng.normal(size=120)], 1)
    data = SimpleNamespace(response=response, image=image)
    rows = np.flatnonzero(image < 30)
    both = np.array([True, True])
    for chosen in ([True, False], [False, True], both, ~both):
        value, p = diagnose.ridge_learns(signal[:, None], data, rows, np.array(chosen))
        if list(chosen) == [True, False]:
            assert value == pytest.approx(1, abs=1e-3) and p == 1 / 200  # of 199 and its own
        elif list(chosen) == [False, True]:
            assert value < 0 and p > 0.05
        else:  # the mean of both, where none answers too
            assert value < 0.9 and p < 0.05


@pytest.mark.parametrize(("images", "folds_"), [(10, 5), (11, 5), (3, 3)])
def test_what_ridge_learns_is_tested_in_five_folds_of_images_or_as_many_as_there_are(
    monkeypatch, images, folds_
):
    data = make_responses(n_images=images, repeats=2)
    splits, rows = [], np.arange(len(data.image))

    def ridge(features, data, split):
        splits.append(split)
        return np.zeros((len(split.test), 5))

    monkeypatch.setattr(diagnose.linear, "ridge", ridge)
    diagnose.ridge_learns(None, data, rows, np.ones(5, bool))
    held = [{*data.image[split.test].tolist()} for split in splits]
    assert sorted(image for one in held for image in one) == list(range(images))
    assert len(held) == folds_ and {len(one) for one in held} <= {images // folds_, images // 5 + 1}
    for split, one in zip(splits, held, strict=True):
        assert {*data.image[split.fit].tolist()} == {*range(images)} - one
        assert sorted([*split.fit, *split.test]) == rows.tolist()


def test_neurons_are_told_by_their_ids_with_the_rate_of_false_discoveries():
    known = Explainable(np.array([3.0, 1, 0]), np.ones(3), np.array([0.01, 0.04, np.nan]), 4.0)
    table = diagnose.neuron_table(SimpleNamespace(neurons=np.array([7, 3, 9])), known)
    assert table["neuron"].tolist() == [7, 3, 9]
    np.testing.assert_allclose(table["explainable"], [3 / 4, 1 / 2, 0])
    np.testing.assert_allclose(table["ceiling_average"], [3 / 3.25, 1 / 1.25, 0])
    np.testing.assert_allclose(table["q"], [0.03, 0.06, 1])  # 3/1 and 3/2 of p
    assert table["responsive"].tolist() == [True, False, False]


def test_the_first_check_that_fails_names_the_fault():
    rows = [
        ("a", "pass", "", "A."),
        ("b", "fail", "data", "B."),
        ("c", "fail", "optimisation", "C."),
    ]
    table = pd.DataFrame(rows, columns=["check", "verdict", "fault", "sentence"])
    row = diagnose.conclusion(table)
    assert (row["check"], *outcome(row)[:2]) == ("conclusion", "fail", "data")
    words = "Data is at fault (b): B. Also failing, perhaps as a consequence: c."
    assert row["sentence"] == words
    assert diagnose.conclusion(table[:2])["sentence"] == "Data is at fault (b): B."
    row = diagnose.conclusion(table[:1])
    assert (row["verdict"], row["fault"]) == ("pass", "none")


@pytest.mark.parametrize(
    ("ratio", "verdict", "value", "words"),
    [
        ([1e-6, 0.1, 1e3], "pass", 1e-6, "reach all 3 layers: 1e-06 to 1e+03 of the weights"),
        ([0.1, 9e-7, 0.2], "fail", 9e-7, "vanish (layer b: 9e-07 of its weights"),
        ([0.1, 1100.0, 9e-7], "fail", 1100.0, "explode (layer b: 1e+03 of its weights"),
        ([0.1, np.nan, 0.2], "pass", 0.1, "0.1 to 0.2"),  # of weights that are all 0
    ],
)
def test_gradients_reach_all_layers_and_explode_in_none(ratio, verdict, value, words):
    layers = pd.DataFrame({"layer": list("abc"), "gradient": 0.1, "ratio": ratio})
    row = diagnose_training.check_gradients(layers)
    fault = "architecture" if verdict == "fail" else ""
    assert outcome(row) == (verdict, fault, value) and words in row["sentence"]


@pytest.mark.parametrize(("gradient", "at"), [([1, np.inf, 1], "b"), ([np.nan, np.inf, 1], "a")])
def test_gradients_that_are_not_finite_explode(gradient, at):
    layers = pd.DataFrame({"layer": list("abc"), "gradient": gradient, "ratio": gradient})
    row = diagnose_training.check_gradients(layers)
    assert outcome(row) == ("fail", "architecture", np.inf)
    assert f"explode (layer {at}: inf of its weights" in row["sentence"]


def test_a_learning_rate_is_one_at_which_the_loss_falls_and_does_not_grow():
    rates = pd.DataFrame({"learning_rate": [0.1, 1.0, 10.0], "loss": [1.0, 0.4, 9.0]})
    found = {
        rate: diagnose_training.check_learning_rate(rates, rate) for rate in (0.009, 0.01, 9, 10)
    }
    assert [row["verdict"] for row in found.values()] == ["fail", "pass", "pass", "fail"]
    assert [row["limit"] for row in found.values()] == [0.01, 10, 10, 10]
    assert "too low" in found[0.009]["sentence"] and "too high" in found[10]["sentence"]
    assert "from about 0.01 and grows from 1e+01; 9 is set." in found[9]["sentence"]


def test_no_check_but_that_of_the_lag_reads_what_tests(monkeypatch):
    monkeypatch.setattr(diagnose_training, "RATES", np.geomspace(1e-6, 1, 4))
    monkeypatch.setattr(diagnose_training, "fit_batch", lambda *given: given[2].mean().item())
    monkeypatch.setattr(diagnose, "_features", lambda *_: None)
    monkeypatch.setattr(
        diagnose,
        "ridge_learns",
        lambda features, data, rows, responsive: (data.response[rows].mean(), responsive.mean()),
    )
    asked = []
    monkeypatch.setattr(diagnose, "check_lag", lambda data: asked.append(data) or LAG_ROW)
    data = make_responses(n_images=15, repeats=4)
    split = folds.split_images(data, 1, 5, 0)
    other = replace(data, response=data.response.copy(), covariates=data.covariates.copy())
    other.response[split.test] = np.random.default_rng(1).normal(99, 9, (len(split.test), 5))
    other.covariates[split.test] = 99
    settings = schema.defaults("encoding_network", **SETTINGS | {"hidden": [4]})
    first, second = (diagnose.diagnose(one, split, settings) for one in (data, other))
    for name in ("checks", "neurons", "layers", "rates"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))
    assert asked == [data, other] and len(first.checks) == 11
    other.response[split.fit] **= 2  # what they do read counts
    third = diagnose.diagnose(other, split, settings).checks
    assert (third["value"] != first.checks["value"])[3:6].all()


def test_gradients_are_those_of_autograd():
    weight = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.constant_(weight.weight, 2.0)
    x, y = torch.tensor([[1.0, 3.0]]), torch.tensor([[2.0]])
    table = diagnose_training.gradients(weight, x, y)
    # output 8, error 6, gradient 2 x 6 x (1, 3): RMS sqrt((12² + 36²) / 2), over weights of 2
    assert table["gradient"][0] == pytest.approx(np.sqrt((12**2 + 36**2) / 2))
    assert table["ratio"][0] == pytest.approx(table["gradient"][0] / 2)


@pytest.mark.parametrize("scale", [0.1, 10])
def test_the_range_of_rates_ends_where_the_loss_has_grown_fourfold(scale):
    rng = torch.Generator().manual_seed(0)
    inputs = torch.randn(16, 3, generator=rng)
    labels = scale * (inputs.sum(1, keepdim=True) + torch.randn(16, 1, generator=rng))
    train = SimpleNamespace(centres=torch.arange(16), batch=lambda at: inputs[at], labels=labels)
    settings = {"optimizer": "sgd", "momentum": 0.0, "seed": 1, "batch_size": 8}
    loss = diagnose_training.range_test(torch.nn.Linear(3, 1), train, settings)["loss"]
    assert 10 < len(loss) < len(diagnose_training.RATES)
    assert (loss[:-1] <= 4 * loss[0]).all() and loss.iloc[-1] > 4 * loss[0]


def test_what_a_quiet_neuron_knows_of_images_is_not_lost_beside_a_loud_one():
    rng = np.random.default_rng(0)
    image = np.repeat(np.arange(5), 20)
    quiet = 0.01 * image + rng.normal(0, 0.001, 100)
    found = diagnose.check_decoding(np.stack([quiet, rng.normal(0, 100, 100)], 1), image)
    assert found["verdict"] == "pass" and found["value"] > 3 * 0.2


@pytest.mark.parametrize(
    ("images", "repeats", "verdict", "limit"),
    [
        (2, 20, "pass", 0.75),  # thrice chance, 1.5, is never reached
        (4, 20, "pass", 0.625),
        (5, 20, "pass", 0.6),
        (10, 20, "pass", 0.3),
        (2, 6, "not made", 0.75),  # .5 ** 6: all could be told by luck
        (1, 20, "not made", 1.0),
    ],
)
def test_few_images_are_told_half_way_from_chance_to_all(images, repeats, verdict, limit):
    image = np.repeat(np.arange(images), repeats)
    told = np.eye(images)[image] + np.random.default_rng(0).normal(0, 0.01, (len(image), images))
    row = diagnose.check_decoding(told, image)
    assert (row["verdict"], row["limit"]) == (verdict, pytest.approx(limit))
    if verdict == "pass":
        # of this constant the SD is not 0 but 1e-5, by rounding
        for constant in (np.ones_like(told), np.full_like(told, 97.3, np.float32)):
            nothing = diagnose.check_decoding(constant, image)
            assert (nothing["verdict"], nothing["value"]) == ("fail", 1 / images)


def test_rates_at_which_the_loss_falls_and_grows():
    rates = 10.0 ** np.arange(-6, 2)
    table = pd.DataFrame({"learning_rate": rates, "loss": [1, 1, 1, 0.8, 0.5, 0.4, 0.9, np.nan]})
    assert diagnose_training.useful_rates(table) == pytest.approx((1e-3, 1.0))  # lowest at 0.1


@pytest.mark.parametrize(
    ("reached", "verdict", "fault", "words"),
    [
        ([0.9], "pass", "", "by the optimiser set."),
        ([0.5, 0.9], "pass", "", "by Adam with 0.90: it is the slower one."),
        ([0.49, 0.93], "fail", "optimisation", "R² 0.49 in 300 steps by the optimiser set, by Ad"),
        ([0.87, 0.93], "pass", "", "by Adam with 0.93: it is the slower one."),
        ([0.1, 0.93], "fail", "optimisation", "the network can, the optimiser as set cannot."),
        ([np.nan, 0.93], "fail", "optimisation", "(it diverges), by Adam with 0.93"),
        ([0.87, 0.6, 0.88, 0.3], "fail", "architecture", "by Adam with 0.88: the network cannot"),
    ],
)
def test_a_slow_optimiser_is_no_fault(monkeypatch, reached, verdict, fault, words):
    tried, weights = [], [torch.nn.Parameter(torch.zeros(2))]

    def fit_batch(*given):
        tried.append(given[3](weights).param_groups[0]["lr"])
        return reached.pop(0)

    monkeypatch.setattr(diagnose_training, "fit_batch", fit_batch)
    layers = pd.DataFrame({"layer": ["a"], "gradient": [0.1], "ratio": [0.1]})
    settings = schema.defaults("encoding_network")
    row = diagnose_training.check_one_batch(None, None, torch.zeros(16, 2), settings, layers)
    assert (row["verdict"], row["fault"]) == (verdict, fault) and words in as_read(row["sentence"])
    assert not reached and tried == [settings["learning_rate"], 1e-3, 1e-4, 1e-2][: len(tried)]


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD])
def test_a_network_is_tried_by_the_optimiser_that_is_set(kind):
    settings = {"optimizer": kind.__name__.lower(), "learning_rate": 0.03, "momentum": 0.7}
    weights = [torch.nn.Parameter(torch.zeros(2))]
    for rate, expected in ((None, 0.03), (0.2, 0.2), (0.0, 0.0)):
        made = diagnose_training._own(settings, rate)(weights)
        (group,) = made.param_groups
        assert type(made) is kind and group["lr"] == expected and group["fused"]
        assert group.get("momentum", 0.7) == 0.7 and group["params"] == weights


def test_learning_by_heart_is_told_from_not_learning():
    def verdict(train, valid):
        loss = 0.8 * (1 - np.array(valid))  # .8: the variance of validation responses
        history = pd.DataFrame({"train_r2": train, "valid_r2": valid, "valid_loss": loss})
        network = torch.nn.Linear(99, 10)
        row = diagnose_training.check_history(
            history, {"pixels": (0.4, 0.01)}, (0.96, -0.2), network
        )
        return row["verdict"], row["fault"], as_read(row["sentence"])

    # the mean training response has a loss of .96 there: R² 1 - .96 / .8 = -.2
    by_heart = verdict([0.1, 0.9], [-0.2, -0.3])
    assert by_heart[:2] == ("fail", "architecture")
    assert "(the mean response has -0.20 there): it learns by heart: 1,000 weights" in by_heart[2]
    assert verdict([0.0, 0.01], [-0.3, -0.195])[:2] == ("fail", "optimisation")
    assert verdict([0.1, 0.3], [-0.1, -0.05])[:2] == ("pass", "")  # below 0, but above the mean
    assert verdict([0.5, 0.9], [0.2, 0.3])[:2] == ("pass", "")


def test_the_mean_response_is_what_learning_is_measured_from(whole):
    data = responses.make_responses(whole, "s", reduce="max", image_size=16)
    settings = schema.defaults("encoding_network", **SETTINGS)
    split = folds.split_images(data, 1, 5, 0)
    train, valid, _, _ = diagnose.sources(data, split, settings)
    whole_mean = SimpleNamespace(labels=torch.tensor([[0.0], [2], [99], [4]]), centres=[0, 1, 3])
    held = SimpleNamespace(labels=torch.tensor([[99.0], [1], [5]]), centres=[1, 2])
    # the mean training response, 2, beside 1 and 5, whose own is 3
    assert diagnose_training.mean_scores(whole_mean, held) == (5.0, 1 - 10 / 8)
    loss, r2 = diagnose_training.mean_scores(train, valid)
    shown = [
        data.response[split.valid][data.image[split.valid] == i].mean(0)
        for i in np.unique(data.image[split.valid])
    ]
    seen = [
        data.response[split.train][data.image[split.train] == i].mean(0)
        for i in np.unique(data.image[split.train])
    ]
    error = (shown - np.mean(seen, 0)) ** 2
    assert loss == pytest.approx((error / np.var(seen, 0)).mean(), rel=1e-4)
    assert r2 == pytest.approx((1 - error.sum(0) / (np.var(shown, 0) * 8)).mean(), rel=1e-4)


def test_features_are_those_of_the_network_set_on_standardised_images(monkeypatch):
    data = make_responses(n_images=3, repeats=2)
    settings = schema.defaults("encoding_network", backbone="vgg11", convolutions=2, pool=3, seed=7)
    monkeypatch.setattr(diagnose.linear, "image_features", lambda *given: given)
    images, chosen = diagnose._features(data, settings, "gabor")
    expected = (data.images - data.images.mean()) / data.images.std()
    np.testing.assert_allclose(images, expected, rtol=1e-5)
    same = {
        key: settings[key] for key in ("backbone", "convolutions", "pool", "pretrained", "seed")
    }
    assert chosen == same | {"features": "gabor"}
    flat = replace(data, images=np.full_like(data.images, 9))
    assert not diagnose._features(flat, settings, "pixels")[0].any()
