"""Sessions with a signal in two pixels, and a decoder that reads them."""

from __future__ import annotations

import h5py
import numpy as np
import torch
from torch import nn

from mesodecode.decoders.applied import ImageDecoder, Loaded
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder
from mesodecode.recordings.recording import Recording, read_recording
from mesodecode.study.schema import defaults


def session(path, mouse="d", side=8, n=80) -> Recording:
    """Pixel (2, 3) rises two frames after running begins, pixel (5, 1) falls."""
    rng = np.random.default_rng(sum(map(ord, mouse)))
    labels = (np.arange(n) // 10 % 2).astype(np.uint8)
    frames = rng.normal(2000, 20, (n, side, side))
    frames[:, 2, 3] += 400.0 * np.roll(labels, 2)
    frames[:, 5, 1] -= 400.0 * labels
    frames = frames.astype(np.uint16)
    with h5py.File(path / f"{mouse}.h5", "w") as file:
        file["frames"], file["labels"] = frames, labels
        file["pixel_mean"] = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
        file["stack_sd"] = np.float32(frames.std(dtype=np.float64))
        file.attrs.update(session=f"{mouse}_s1", mouse=mouse, frame_rate=30.0)
    return read_recording(path / f"{mouse}.h5")


class TwoPixels(CNNDecoder):
    """A CNN whose feature is the first channel of pixel (2, 3) less the last one of (5, 1)."""

    def __init__(self):
        nn.Module.__init__(self)
        self.passed_in = None

    @property
    def n_features(self):
        return 1

    def features(self, images):
        return images[:, 0, 2, 3, None] - images[:, 2, 5, 1, None]


def planted(outputs: int = 1) -> Loaded:
    """A decoder that adds up its features over three images; each output has half of the last."""
    rnn = RNNDecoder(1, cell="rnn", hidden_size=1, outputs=outputs)
    with torch.no_grad():
        for name, parameter in rnn.named_parameters():
            parameter.fill_(1 if "weight_hh" in name else 0)
        rnn.rnn.weight_ih_l0.fill_(1e-3)
        rnn.head.weight.fill_(1000)
        rnn.head.weight /= 2 ** torch.arange(outputs)[:, None]
    network = CNNRNNDecoder(TwoPixels(), rnn).eval()
    return Loaded(ImageDecoder(network, 1), "cnn_rnn", {}, ("a", "b"), ("c",))


def settings_of(**own) -> dict:
    return defaults("importance_pixels", **{"size": 2, "stride": 2, "output": "logit"} | own)
