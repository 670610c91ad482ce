"""What is said of decoders of all settings, numbers and all: `decoders.txt`.

A decoder a paragraph: its line in the config, what it is in short, its part of the Methods, and
what of its settings is listed. What was changed on purpose is read in the diff: `DECODERS=write
pytest -n 0 …`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kept import assert_kept
from mesodecode.report import applied_words, decoder_words, methods
from mesodecode.study import schema
from mesodecode.study import study as studies
from mesodecode.study.targets import KINDS

FILE = Path(__file__).with_name("decoders.txt")
MORE = "12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30"
LINES = f"""
linear: {{model: logistic_regression}}
linear_causal: {{model: logistic_regression, causal: true, warm_up: 7, C: 0.25, pixels: 16}}
linear_base: {{model: logistic_regression, baseline: 1500, frame_step: 3}}
linear_reference: {{model: logistic_regression, causal: true, normalise_from: reference}}
reference_base: {{like: linear_reference, baseline: 900}}
cnn: {{epochs: 1}}
cnn_lite: {{backbone: efficientnet_lite0, pretrained: lite0, epochs: 7, batch_size: 32, seed: 5}}
cnn_own: {{backbone: resnet18, pretrained: "file:w.pt", precision: mixed, ema_decay: 0.5}}
cnn_random: {{backbone: resnet18, pretrained: none, max_lr: 0.02, frame_step: 2}}
cnn_causal: {{causal: true}}
rnn: {{start_from: cnn, rnn: gru, run_length: 1}}
frozen: {{start_from: cnn, rnn: lstm, cnn_weights: frozen, bidirectional: true, half_window: 3}}
one_layer: {{start_from: cnn, rnn: rnn, num_layers: 1, hidden_size: 64, dropout: 0.4}}
rnn_causal: {{start_from: cnn_causal, rnn: gru, causal: true}}
roi: {{input: rois, rnn: gru}}
roi_lstm: {{input: rois, rnn: lstm, rois: [6, 8], half_window: 5, shift: 2, num_layers: 3}}
roi_back: {{input: rois, rnn: rnn, rois: [6, 8], others: drop, shift: -1, baseline: null}}
roi_tcn: {{input: rois, rnn: tcn, num_layers: 4, dropout: 0.1, normalise: zscore}}
roi_one: {{input: rois, rnn: tcn, num_layers: 1, label_smoothing: 0, schedule: constant}}
roi_many: {{input: rois, rnn: gru, rois: [{MORE}], normalise: dff, early_stopping: 3}}
roi_causal: {{input: rois, rnn: gru, causal: true, normalise: none}}
roi_reference: {{input: rois, rnn: gru, causal: true, normalise_from: reference, baseline: null}}
roi_reference_base: {{like: roi_reference, baseline: 1200, warm_up: 2.5}}
roi_other: {{like: roi, labels: permuted_between_sessions}}
svm: {{input: rois, model: linear_svm}}
ridge: {{input: rois, model: ridge, C: 0.125, half_window: 1, frame_step: 4, seed: 8}}
trees: {{input: rois, model: gradient_boosting, trees: 77, baseline: null, normalise: none}}
logistic: {{input: rois, model: logistic_regression, causal: true, half_window: 0}}
mean: {{average_of: [linear, cnn, roi]}}
choice: {{adaptive_of: [linear, linear_base], by: recording, margin: 0.3}}
judged: {{adaptive_of: [linear, linear_base], by: validation}}
plain: {{adapted_from: linear}}
past: {{adapted_from: roi, normalise: past, warm_up: 9}}
register: {{adapted_from: cnn, register: true, batch_norm: true, coral: true}}
first: {{adapted_from: cnn_causal, batch_norm: true, first_unlabelled: 1.5}}
few: {{adapted_from: roi, few_shot: 2.5, finetune: all, passes: 4, max_lr: 0.01, seed: 6}}
few_sessions: {{adapted_from: linear, few_shot: 1 sessions, C: 0.5}}
"""

NETWORKS = {
    "cnn": {},
    "cnn_rnn": {"start_from": "cnn", "rnn": "gru"},
    "roi_rnn": {"input": "rois", "rnn": "gru"},
}


def test_words_are_those_that_were_read():
    given = yaml.safe_load(LINES)
    config = {
        "study": "lab",
        "recordings": dict.fromkeys(["movie", "behavior", "rois"], "{session}"),
        "mice": {mouse: [f"{mouse}{i}" for i in (1, 2, 3)] for mouse in "abcde"},
        "decoders": given,
    }
    study = studies.resolve(config)
    lines = []
    for name, decoder in study.decoders.items():
        said = [
            decoder_words.describe(decoder.settings),
            decoder_words.words(decoder.kind, decoder.settings),
            decoder_words.options(decoder.kind, decoder.settings).strip(),
        ]
        lines += [f"{name}: {given[name]}", *(f"  {one}" for one in said if one)]
        if decoder.kind == "adaptive":
            lines += [f"  {decoder_words.words(decoder.kind, decoder.settings, k)}" for k in
                      KINDS.values()]  # fmt: skip
    lines += [f"unlike roi: {decoder_words.differences(given['roi'], given['roi_tcn'])}"]
    lines += [f"unlike roi: {decoder_words.differences(given['roi'], given['roi'])}"]
    assert methods.decoded(study.config)
    assert_kept("\n".join(lines) + "\n", FILE, "DECODERS")


def test_a_ridge_of_pixels_is_called_a_regression():
    settings = schema.defaults("linear", model="ridge", pixels=16)
    assert decoder_words.describe(settings).startswith("ridge regression of 16 × 16 pixels")


@pytest.mark.parametrize("kind", [*NETWORKS])
def test_networks_are_said_to_learn_by_the_loss_of_their_target(kind):
    settings = schema.defaults(kind, **NETWORKS[kind])
    said = {name: decoder_words.words(kind, settings, of) for name, of in KINDS.items()}
    assert " on the cross-entropy loss" in said["run"]
    assert " on the cross-entropy loss over all states" in said["states"]
    assert " on the squared error (seed" in said["regression"]
    assert "entropy" not in said["regression"] and "smoothing" not in said["regression"]
    outputs = {name: "one output for each state" in words for name, words in said.items()}
    assert outputs == {"run": False, "regression": False, "states": kind == "cnn"}


def test_a_trace_has_no_probabilities_and_no_classes():
    ridge = schema.defaults("roi_classical", model="ridge", input="rois")
    trace = KINDS["regression"]
    assert "decoded by ridge regression (" in decoder_words.words("roi_classical", ridge, trace)
    assert "decoded by ridge classification (" in decoder_words.words("roi_classical", ridge)
    mean = {"average_of": ["a", "b"]}
    assert applied_words.average("x", mean, trace) == (
        "x: the mean of the predictions of a and b, frame by frame."
    )


def test_a_null_whose_sessions_may_keep_their_labels_is_told_so():
    said = [
        decoder_words.words("cnn", schema.defaults("cnn", labels=labels))
        for labels in ("permuted_between_sessions", "published")
    ]
    assert said[0].endswith("the labels of another one of its mouse.")
    assert said[1].endswith("the labels of another one of its mouse, or its own by chance.")
