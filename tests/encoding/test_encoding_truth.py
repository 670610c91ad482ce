"""What models find in a population of the study's size whose truth is known (3 of 10 folds)."""

from __future__ import annotations

import numpy as np
import pytest

from mesodecode.encoding import folds, linear, readers, responses, scores, simulate, train
from mesodecode.encoding.predictions import Predictions
from mesodecode.study import schema

FOLDS = (1, 2, 3)  # of 10


@pytest.fixture(scope="module")
def population() -> tuple[responses.Responses, np.ndarray]:
    """Responses of 212 neurons to 119 images x 50 repeats at 30 Hz, and which were made to."""
    made = simulate.simulate_population(**schema.defaults("encoding_simulate"))
    session = readers.Session(
        *(made.images.astype(np.float32), made.image, made.start, made.end, made.time),
        *(made.events, np.arange(len(made.events))),
    )
    data = responses.make_responses(session, "s", signal="events", reduce="max", samples=7)
    return data, made.responsive


def fitted(data, number, given) -> Predictions:
    split = folds.split_images(data, number, 10, 0)
    if "model" in given:
        predicted = linear.fit_predict(data, split, schema.defaults("encoding_linear", **given))
    else:
        settings = schema.defaults("encoding_network", **given)
        predicted = train.train_network(data, split, settings)[1]
    rows = split.test
    return Predictions(
        *("m", f"fold-{number}", "s", "s", False, rows, data.image[rows], data.response[rows]),
        *(predicted, data.neurons, data.response[split.fit].mean(0)),
    )


FACTORISED = {
    **{"convolutions": 1, "frozen": True, "pool": 8, "readout": "factorised", "screen": True},
    **{"train_on": "averages", "optimizer": "adam", "learning_rate": 0.003, "l2": 0.008},
    **{"batch_size": 8, "epochs": 60, "early_stopping": 15},
}


@pytest.mark.e2e
@pytest.mark.parametrize(
    "given", [{"model": "ridge", "features": "gabor"}, FACTORISED], ids=["ridge", "factorised"]
)
def test_responsive_neurons_come_to_80_percent_of_the_ceiling_and_others_score_0(population, given):
    data, real = population
    parts = [fitted(data, number, given) for number in FOLDS]
    rows, _, chance = scores.score_session(parts, permutations=99)
    assert rows["fraction"][real].mean() >= 0.8
    # the others are no better and no worse than their mean, and than permuted images
    for score in (rows["r2_over_mean"], rows["r2_average"] - chance.mean(0)):
        low, high = scores.interval(score[~real].to_numpy())
        assert low <= 0 <= high and high - low < 0.02
