"""Files of trained decoders come from others: what they lack, or have of another type, is told."""

import json
import math
import pickle
import re

import numpy as np
import pytest
import torch

from mesodecode.base.files import UserError
from mesodecode.decoders import applied, kept_settings
from mesodecode.decoders.fitted.roi_classical import fit_classical
from mesodecode.decoders.networks import rnn_decoder
from mesodecode.decoders.weights import load_epochs, load_trained
from mesodecode.recordings.roi_signals import SessionSignals
from mesodecode.study import schema

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = {"hidden_size": 2, "num_layers": 1, "dropout": 0.0, "half_window": 1, "rnn": "gru"}
MICE = {"train_mice": ["a"], "valid_mice": ["b"]}
SIGNALS = {"roi_names": ["x", "y", "z"], "dropped": [2], "frame_rate": 30.0}
IMAGES = {"frame_size": [8, 8], "frame_rate": 30.0, "backbone": "test_efficientnet"}
STATES = {"target": {"name": "states", "states": ["rest", "run", "groom"], "unit": ""}}
TRACE = {"target": {"name": "pupil", "states": [], "unit": "mm", "mean": 1.0, "sd": 2.0}}
SETTINGS = {
    "cnn": schema.defaults("cnn") | IMAGES,
    "cnn_rnn": schema.defaults("cnn_rnn") | SMALL | TRACE,
    "finetuned": schema.defaults("cnn_rnn") | schema.defaults("cnn") | SMALL | IMAGES,
    "roi_rnn": schema.defaults("roi_rnn") | SMALL | SIGNALS | STATES,
    "roi_classical": schema.defaults("roi_classical") | {"model": "ridge", **SIGNALS},
}
RNN = {"rnn", "hidden_size", "num_layers", "bidirectional", "dropout", "half_window"}
WINDOWS = {"half_window", "shift", "baseline", "normalise", "rois", "others", "dropped"}
# What readers cannot do without: all else is of training, or newer than the first files.
NEEDED = {
    "cnn": {"backbone"},
    "cnn_rnn": RNN,
    "finetuned": {"backbone", *RNN},
    "roi_rnn": RNN | WINDOWS,
    "roi_classical": WINDOWS,
}


def told(read, *words):
    """Return the line by which a file is refused, "" if it is read."""
    try:
        read(*words)
    except UserError as error:
        assert str(error).startswith(f"{words[0]}: ") and "\n" not in str(error)
        return str(error)
    return ""


def without(settings, key):
    return {name: value for name, value in settings.items() if name != key}


@pytest.mark.parametrize("kind", NEEDED)
def test_settings_that_a_file_lacks_or_has_of_another_type_are_named(kind):
    settings, path = SETTINGS[kind], "w.pt"
    assert told(kept_settings.check, path, kind, settings) == ""
    lacking = {
        key: told(kept_settings.check, path, kind, without(settings, key)) for key in settings
    }
    assert {key for key, words in lacking.items() if words} == NEEDED[kind]
    assert all(f"lack '{key}'" in words for key, words in lacking.items() if words)
    for key in settings:
        for other in ({"x": [1]}, math.nan, [["a"]], 7 if key == "target" else object):
            said = told(kept_settings.check, path, kind, settings | {key: other})
            words = (
                rf"w\.pt: its setting '{key}' is none of a decoder \(.+\); train it anew, or ask"
            )
            assert re.match(words, said), said
    for causal in ("normalise_from", "warm_up"):
        said = told(kept_settings.check, path, kind, without(settings, causal) | {"causal": True})
        assert (f"lack '{causal}'" in said) == (kind != "cnn_rnn")  # the CNN's, of that


TARGETS = {
    "none": {},
    "two states": {"name": "states", "states": ["a", "b"]},
    "states without names": {"name": "states"},
    "one of no name": {"name": ""},
    "states of no target": {"states": ["a", "b", "c"]},
    "states of a trace": {"name": "pupil", "states": ["a", "b", "c"]},
    "no SD": {"name": "pupil", "sd": 0.0},
    "a state that is a number": {"name": "states", "states": ["a", "b", 3]},
    "more": {"name": "pupil", "loss": "mine"},
}


@pytest.mark.parametrize("case", TARGETS)
def test_targets_that_are_none_are_refused(case):
    settings = SETTINGS["cnn"] | {"target": TARGETS[case]}
    assert "'target'" in told(kept_settings.check, "w.pt", "cnn", settings)


def torch_file(path, **changed):
    state = rnn_decoder(3, SETTINGS["roi_rnn"]).state_dict()
    content = {"kind": "roi_rnn", "settings": SETTINGS["roi_rnn"], "state": state, **MICE}
    torch.save(content | changed, path)
    return path


def epochs_file(path, **changed):
    state = rnn_decoder(3, SETTINGS["roi_rnn"]).state_dict()
    content = {"kind": "roi_rnn", "settings": SETTINGS["roi_rnn"], "train_mice": ["a"]}
    torch.save(content | {"states": [state], "history": [{}]} | changed, path)
    return path


def classical_file(path, **changed):
    settings = SETTINGS["roi_classical"] | {"half_window": 1, "frame_step": 1}
    rng, labels = np.random.default_rng(0), np.arange(40) // 5 % 2
    session = SessionSignals("s", "a", rng.normal(size=(40, 3)), labels, None)
    content = {"model": fit_classical([session], settings), "settings": settings, **MICE}
    path.write_bytes(pickle.dumps(content | changed))
    return path


def linear_file(path, **changed):
    content = {name: np.ones(4) for name in ("coef", "mean", "scale")}
    content |= {"intercept": np.ones(1), "pixels": 2, "causal": True, "warm_up": 1.0}
    np.savez(path, **content | {"normalise_from": "past", "size": [2, 2], **MICE} | changed)
    return path


FILES = {
    "w.pt": (torch_file, lambda path: load_trained(path, "roi_rnn")),
    "e.pt": (epochs_file, load_epochs),
    "w.joblib": (classical_file, applied.load),
    "w.npz": (linear_file, applied.load),
}
CHANGES = {
    # part of a file -> values that are none of it; the names of files that have the part
    "settings": ([{}, 5, [1]], ["w.pt", "e.pt", "w.joblib"]),
    "train_mice": ([[1, 2], "ab", [], 5, [["a"]]], [*FILES]),
    "valid_mice": ([[1], "b", None], ["w.pt", "w.joblib"]),
    "states": ([5, {"a": 1}], ["e.pt"]),
    "history": ([5, [1, 2]], ["e.pt"]),
    "starts": ([1, None], ["e.pt"]),
    "identities": ([[1], None], ["e.pt"]),
    "model": ([5, None], ["w.joblib"]),
    "coef": ([np.ones(3), np.ones((4, 1)), ["a"] * 4, 1.0], ["w.npz"]),
    "intercept": ([np.ones(2), np.ones(0)], ["w.npz"]),
    "scale": ([np.ones(3), np.ones(5), np.ones((2, 2)), np.array(["a"] * 4)], ["w.npz"]),
    "mean": ([np.ones(3), np.ones(5), np.ones((2, 2)), np.ones(0)], ["w.npz"]),
    "pixels": ([0, "x", [1, 2]], ["w.npz"]),
    "warm_up": ([-1.0, "x"], ["w.npz"]),
    "normalise_from": (["future", 3], ["w.npz"]),
    "baseline": ([-4, "x"], ["w.npz"]),
    "size": ([[2, 0], [2, 2, 2], "x"], ["w.npz"]),
    "target": (["5", "[]", "nonsense", '{"name": 3}', '{"name": "pupil", "sd": "x"}'], ["w.npz"]),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_opened_only_if_all_of_it_is_of_its_type(tmp_path, name):
    write, read = FILES[name]
    assert told(read, write(tmp_path / name)) == ""
    for part, (values, of) in CHANGES.items():
        for value in values if name in of else ():
            path = write(tmp_path / name, **{part: value})
            assert told(read, path), (part, value)
    if name == "w.npz":
        said = told(read, write(tmp_path / name, scale=np.ones((2, 2), np.float32)))
        assert "(scale: float32 (2, 2), not numbers (4,)); fit them again" in said


def test_what_a_fitted_model_of_a_trace_gives_is_in_its_unit(tmp_path):
    """Unlike what a network gives, which is standardised."""
    settings = SETTINGS["roi_classical"] | {"half_window": 1} | TRACE
    classical_file(tmp_path / "w.joblib", settings=settings)
    linear_file(tmp_path / "w.npz", target=json.dumps(TRACE["target"]))
    for name in ("w.joblib", "w.npz"):
        target = applied.load(tmp_path / name).target
        assert (target.name, target.unit, target.mean, target.sd) == ("pupil", "mm", 0, 1)


def test_a_model_of_other_windows_than_its_settings_say_is_refused(tmp_path):
    settings = SETTINGS["roi_classical"] | {"half_window": 2}
    path = classical_file(tmp_path / "w.joblib", settings=settings)
    assert "none of windows as its settings say" in told(applied.load, path)


@pytest.mark.parametrize(
    ("change", "n_columns"),
    [
        ({}, 9),  # three frames of three ROIs
        ({"rois": [1, 3], "others": "zero"}, 9),
        ({"rois": [1, 3], "others": "drop"}, 6),
        ({"rois": [], "others": "drop"}, 9),
        ({"half_window": 0}, 3),
    ],
)
def test_a_model_has_a_column_for_each_frame_and_roi_that_is_not_dropped(change, n_columns):
    settings = SETTINGS["roi_classical"] | {"half_window": 1} | change
    known = [n for n in range(12) if not told(kept_settings.check_columns, "w", settings, n)]
    assert known == [n_columns]
    older = without(settings, "roi_names")
    assert not told(kept_settings.check_columns, "w", older | {"rois": []}, 5)
