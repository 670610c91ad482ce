"""Trained decoders, what they see, and their outputs by a slow way."""

from __future__ import annotations

import functools

import h5py
import numpy as np
import torch
from torch import nn

from mesodecode.cli import main
from mesodecode.decoders.inputs import Source
from mesodecode.decoders.networks import CNNDecoder, RNNDecoder
from mesodecode.decoders.weights import Trained
from mesodecode.encoding.responses import Responses

TINY, N_FEATURES, SIDE = "test_efficientnet", 256, 32
RNN = {"rnn": "gru", "hidden_size": 8, "num_layers": 2, "bidirectional": False, "dropout": 0.2}
HALF_WINDOW = 2


def write_recording(path, mouse, *, n_frames=30, segment=None, seed=0, side=SIDE, labels=None):
    """Write a recording as the contract describes it, without the code under test.

    A patch is brighter in run frames; each recording has its own brightness.
    """
    rng = np.random.default_rng(seed)
    run = (np.arange(n_frames) // 6 % 2 == 1) if labels is None else np.asarray(labels, bool)
    frames = rng.normal(20000 + 3000 * seed, 300, (n_frames, side, side))
    frames[run, 4:12, 4:12] += 600
    frames = frames.astype(np.uint16)
    with h5py.File(path, "w") as file:
        file["frames"], file["labels"] = frames, run.astype(np.uint8)
        file["pixel_mean"] = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
        file["stack_sd"] = np.float32(frames.std(dtype=np.float64))
        if segment is not None:
            file["segment"] = np.asarray(segment, np.int64)
        file.attrs.update(session=path.stem, mouse=mouse, frame_rate=30.0)
    return path


def slow_centres(n_frames, reach, segment):
    segment = [0] * n_frames if segment is None else list(segment)
    return [
        t
        for t in range(reach, n_frames - reach)
        if len({segment[k] for k in range(t - reach, t + reach + 1)}) == 1
    ]


def slow_image(recording, t):
    frames = recording.read_frames().astype(np.float64)
    x = (frames[t - 1 : t + 2] - frames.mean(axis=0)) / frames.std()
    return torch.tensor(x, dtype=torch.float32)[None]


@functools.cache
@torch.no_grad()
def _state_of_cnn():
    torch.manual_seed(3)
    model = CNNDecoder(TINY).train()
    for _ in range(30):
        model(torch.randn(16, 3, SIDE, SIDE))
    model.net.get_classifier().weight *= 20
    return model.state_dict(), torch.get_rng_state()


def trained_cnn(**mice):
    """Return a CNN with BatchNorm statistics and outputs of every probability."""
    mice = {"train_mice": ("m1",), "valid_mice": ("m2",)} | mice
    settings = {"backbone": TINY, "pretrained": "none"}
    state, dice = _state_of_cnn()
    torch.set_rng_state(dice)  # what is drawn next is the same for the first and for later callers
    state = {name: value.clone() for name, value in state.items()}
    return Trained("cnn", settings, mice["train_mice"], mice["valid_mice"], state)


def trained_rnn(train_mice=("m1",), valid_mice=("m2",)):
    torch.manual_seed(4)
    sizes = {key: value for key, value in RNN.items() if key != "rnn"}
    model = RNNDecoder(N_FEATURES, cell=RNN["rnn"], **sizes)
    settings = RNN | {"half_window": HALF_WINDOW}
    return Trained("cnn_rnn", settings, train_mice, valid_mice, model.state_dict())


def run(*words):
    return main([str(word) for word in words])


def refused(capsys, *words):
    """Run a verb that must fail: exit status 1 and one line on stderr, which is returned."""
    capsys.readouterr()
    assert run(*words) == 1
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line]
    assert len(lines) == 1, captured.err
    assert lines[0].startswith(f"mesodecode {words[0]}: error: ")
    return lines[0]


def assert_same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


@torch.inference_mode()
def slow_cnn(trained, recording):
    """Return frames, features and probabilities, one image at a time."""
    model = trained.build()
    frames = slow_centres(len(recording), 1, recording.segment)
    images = [slow_image(recording, t) for t in frames]
    features = np.concatenate([model.features(image).numpy() for image in images])
    return frames, features, [torch.sigmoid(model(image)).item() for image in images]


def check(sessions, name, recording, frames, probability):
    got = sessions[name]
    assert got.mouse == recording.mouse
    np.testing.assert_array_equal(got.frame, frames)
    np.testing.assert_array_equal(got.label, recording.labels[frames])
    np.testing.assert_allclose(got.probability, probability, atol=2e-5)


@torch.inference_mode()
def slow_rnn(trained, features, segment):
    """Return frames and probabilities, one window at a time; an image reaches one frame more."""
    model = trained.build()
    frames = slow_centres(len(features), HALF_WINDOW + 1, segment)
    rows = torch.tensor(features.astype(np.float32))
    windows = [rows[t - HALF_WINDOW : t + HALF_WINDOW + 1][None] for t in frames]
    return frames, [torch.sigmoid(model(window)).item() for window in windows]


def linear_words(paths, tmp_path, *, train=None, valid="m2", test=None, more=()):
    train = train or [paths["m1_a"], paths["m2_a"]][:1]
    test = test or [paths["m3_a"], paths["m3_b"]]
    out = ["--out", tmp_path / "linear.npz", "--predictions", tmp_path / "linear.h5"]
    flags = ["--train", *train, "--valid-mice", valid, "--test", *test]
    return ["fit-linear", *flags, *out, *more]


PATCH = np.s_[9:13, 17:20]  # rows and columns that the decoder made by hand reads, and its weights
BY_HAND = np.random.default_rng(0).uniform(0.5, 1.5, (4, 3))  # no two frames give the same sum


def write_linear(path, *, train=("a", "b"), valid=("c",), pixels=SIDE, weights=None):
    """Weights of a linear decoder that sums a patch of the frame."""
    if weights is None:
        weights = np.zeros((SIDE, SIDE))
        weights[PATCH] = BY_HAND
    flat = np.ravel(weights)
    np.savez(
        path,
        **{"coef": flat, "intercept": [0.25], "mean": np.zeros(len(flat))},
        **{"scale": np.full(len(flat), 2.0), "pixels": pixels},
        **{"train_mice": train, "valid_mice": valid},
    )
    return path


def responses(n_images=12, repeats=4, neurons=5, size=16, seed=0, **change) -> Responses:
    """Neurons that are sums of patches of the images, plus noise and a covariate."""
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(n_images, size, size)).astype(np.float32)
    image = np.concatenate([rng.permutation(n_images) for _ in range(repeats)])
    signal = np.stack([images[:, n : n + 4, n : n + 4].mean((1, 2)) for n in range(neurons)], 1)
    covariate = rng.normal(size=(len(image), 1))
    response = 4 * signal[image] + 0.1 * rng.normal(size=(len(image), neurons)) + 0.5 * covariate
    made = {
        **{"session": "s", "images": images, "image": image, "covariates": covariate},
        **{"response": response.astype(np.float32), "neurons": np.arange(neurons)},
        **{"covariate_names": ("speed",), "lag": 0.0, "lags": np.zeros(1)},
        **{"lag_explained": np.ones(1), "session_of": np.zeros(len(image), int)},
    }
    return Responses(**made | change)


class Points(Source):
    """Points in space; the label is the sign of the first of three coordinates."""

    def __init__(self, n=200, seed=0, device="cpu"):
        generator = torch.Generator().manual_seed(seed)
        self.points = torch.randn(n, 3, generator=generator).to(device)
        self.labels = (self.points[:, 0] > 0).float()
        self.centres = torch.arange(n, device=device)

    def batch(self, centres):
        return self.points[centres]


def net(norm=True, dropout=0.4):
    """A network of points, with what depends on the batch and on chance."""
    layers = nn.Linear(3, 8), nn.BatchNorm1d(8) if norm else nn.Tanh(), nn.Dropout(dropout)
    return nn.Sequential(*layers, nn.Linear(8, 1), nn.Flatten(0))
