"""Every verb with --device on CUDA, held against the CPU: `make test-gpu`.

Two devices add in different orders, and a GPU's convolutions and recurrent layers round what they
read to TF32 (10 bits after the point, where float32 has 23). How far that carries, through layers
and steps of training, differs from number to number, and is measured: the same line runs on the CPU
once more with such layers reading rounded inputs. Their weights, which a GPU rounds too, add as
much again; states that recurrent layers hand on, and another order of sums, stay below that. So a
GPU may miss the CPU by `TIMES` what rounding does, the largest of all values of a column. Beside
that `LEAST`, of the largest value: AUCs move by whole pairs of frames, float16 features by a bit.

The same lines once more without TF32 may miss the CPU by `LEAST` alone.

Tried on a CPU: with weights rounded too, no verb comes above .22 of its bound; counts above 32767
taken for negative ones are 12 to 4,800 times beyond it, in every verb that reads images.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from device_cases import CASES, NAME, SETS, TINY, Cohort, numbers, verbs_with_device
from mesodecode.decoders import device, predict, roi_networks
from mesodecode.decoders.feature_files import read_features
from mesodecode.decoders.weights import Trained, load_epochs, load_trained
from mesodecode.recordings.recording import read_recordings
from mesodecode.recordings.roi_signals import signals_of

# Any other than "cuda" tries the tests themselves: with cpu all numbers must be the same.
DEVICE = os.environ.get("MESODECODE_TEST_DEVICE", "cuda")
TIMES, LEAST = 10, 5e-3
TF32, BFLOAT16 = 13, 16  # bits of a float32 that go

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        DEVICE == "cuda" and not torch.cuda.is_available(), reason="torch sees no GPU here"
    ),
    pytest.mark.filterwarnings("error:RNN module weights"),
]


@contextmanager
def rounded(bits: int) -> Iterator[None]:
    """Round what convolutions and recurrent layers read to float32 of fewer bits."""

    def of(values: object) -> object:
        if not (isinstance(values, torch.Tensor) and values.dtype == torch.float32):
            return values
        near = (values.detach().contiguous().view(torch.int32) + (1 << (bits - 1))) >> bits << bits
        return values + (near.view(torch.float32) - values).detach()  # gradients pass

    def hook(layer: nn.Module, inputs: tuple) -> tuple | None:
        if isinstance(layer, nn.modules.conv._ConvNd | nn.RNNBase) and torch.backends.cudnn.enabled:
            return tuple(map(of, inputs))
        return None

    handle = register_module_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def numbers_of(history: list[dict[str, float]]) -> np.ndarray:
    return np.array([line["train_loss"] for line in history])


class Cohorts:
    """The same lines on the CPU, on the CPU with rounded layers, and on the device.

    All read the models that the CPU trained.
    """

    def __init__(self, folder: Path) -> None:
        self.cpu = Cohort(folder / "cpu", "cpu")
        self.rounded = Cohort(folder / "rounded", "cpu", folder / "cpu")
        self.device = Cohort(folder / "device", DEVICE, folder / "cpu")
        self.exact = Cohort(folder / "exact", DEVICE, folder / "cpu")

    def values(self, path: Path) -> dict[str, np.ndarray]:
        """Return the numbers of a file; of weights, the predictions that they make on the CPU."""
        if path.suffix != ".pt":
            return numbers(path)
        if path.parent.name == "stacks":
            models = torch.load(path, weights_only=True)["models"]
            return {name: numbers_of(model["history"]) for name, model in models.items()}
        if "states" not in torch.load(path, weights_only=True):
            return self.predictions(load_trained(path, "cnn", "finetuned", "cnn_rnn", "roi_rnn"))
        epochs = load_epochs(path)
        return {
            f"{epoch}: {session}": values
            for epoch in range(len(epochs.states))
            for session, values in self.predictions(epochs.at(epoch, ["m3"])).items()
        }

    def predictions(self, trained: Trained) -> dict[str, np.ndarray]:
        """Return what a network makes of the validation mouse, on the CPU."""
        there = self.cpu.folder
        if trained.kind == "cnn_rnn":
            features = read_features(there / "features" / f"{NAME}.h5", ["m3"])
            made = predict.predict(trained, features)
        elif trained.kind == "roi_rnn":
            signals = signals_of(read_recordings([there / "m3.h5"]), trained.settings)
            made = roi_networks.predict(trained.build(), signals, trained.settings)
        else:
            made = predict.predict(trained, read_recordings([there / "m3.h5"]))
        return {session: one.probability for session, one in made.items()}

    def compare(self, expected: list[Path], near: list[Path], found: list[Path]) -> None:
        """Hold files of the device against those of the CPU, and `near` ones of rounded layers."""
        for paths in zip(expected, near, found, strict=True):
            cpu, rounded, there = map(self.values, paths)
            assert cpu and cpu.keys() == there.keys()
            for key, right in cpu.items():
                bound = LEAST * np.nanmax(np.abs(right), initial=0.0)
                bound += TIMES * np.nanmax(np.abs(rounded[key] - right), initial=0.0)
                np.testing.assert_allclose(
                    there[key], right, rtol=0, atol=bound, err_msg=f"{paths[2]}: {key}"
                )


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory):
    return Cohorts(tmp_path_factory.mktemp("gpu"))


def test_every_verb_with_a_device_is_tried():
    assert verbs_with_device() == set(CASES)


@pytest.mark.parametrize("verb", CASES)
def test_a_gpu_computes_what_a_cpu_computes(cohorts, verb):
    expected = cohorts.cpu.run(verb)
    with rounded(TF32):
        near = cohorts.rounded.run(verb)
    cohorts.compare(expected, near, cohorts.device.run(verb))


@pytest.mark.parametrize("verb", CASES)
def test_a_gpu_that_rounds_nothing_to_tf32_computes_what_a_cpu_computes(cohorts, monkeypatch, verb):
    monkeypatch.setattr(device, "PRODUCTS", [(part, "ieee") for part, _ in device.PRODUCTS])
    expected = cohorts.cpu.run(verb)
    cohorts.compare(expected, expected, cohorts.exact.run(verb))


def test_mixed_precision_trains_alike(cohorts):
    line = f"train-cnn {SETS} --backbone test_efficientnet.r160_in1k --pretrained none {TINY} "
    line += "--precision mixed --out {here}/mixed.pt --history {here}/mixed.tsv"
    files = ["mixed.pt", "mixed.tsv"]
    expected = cohorts.cpu.type(line, files)  # in float32, as a CPU does
    with rounded(BFLOAT16):
        near = cohorts.rounded.type(line, files)
    cohorts.compare(expected, near, cohorts.device.type(line, files))
