"""Trained decoders of every kind, taken apart alike: features of frames, then logits of windows.

`load` is the one door. A decoder of images (CNN, CNN-RNN, or the linear baseline, whose features
are pixels) or of ROI signals (recurrent, linear, trees) offers sources of a mouse's recordings, the
features of single frames, and what it makes of windows of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mesodecode.base import windows
from mesodecode.base.files import UserError
from mesodecode.base.windows import IMAGE_REACH
from mesodecode.decoders import fitted_files
from mesodecode.decoders.fitted.linear import LinearWeights
from mesodecode.decoders.inputs import (
    SAMPLED,
    Images,
    ImageWindows,
    Source,
    Windows,
)
from mesodecode.decoders.linear_networks import Pixels, of_windows
from mesodecode.decoders.networks import CNNRNNDecoder, last_layer
from mesodecode.decoders.past import AdaptedImages
from mesodecode.decoders.predict import BATCH
from mesodecode.decoders.weights import MADE_BY, load_trained
from mesodecode.recordings.baseline import fixed, normalising, past_statistics, ready
from mesodecode.recordings.recording import FRAMES, Recording
from mesodecode.recordings.roi_signals import normalised, past_normalised, signals_of
from mesodecode.recordings.sample import Sample, sample
from mesodecode.study.allocation import Allocation
from mesodecode.study.kinds import SIGNAL_NETWORKS
from mesodecode.study.targets import Target


@dataclass
class ImageDecoder:
    """A network of images, or of windows of them if it has a `half_window`.

    `normalising`: the settings of `prepared` that it was trained with. `before` and `after`: how
    many frames around the decoded one it reads; `offsets` (L,): which images make its window.
    `samples`: those of training mice, read once.
    """

    network: nn.Module
    half_window: int | None = None
    device: torch.device | str = "cpu"
    normalising: Mapping[str, Any] = field(default_factory=dict)
    samples: dict[str, Sample] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        w = self.half_window or 0
        self.reach = w + IMAGE_REACH
        seen = windows.offsets(self.reach, causal=self.causal)
        self.before, self.after = -int(seen[0]), int(seen[-1])
        images = windows.offsets(w, causal=self.causal)
        self.offsets = torch.as_tensor(images, device=self.device)

    @property
    def causal(self) -> bool:
        """Whether it reads no frame after the decoded one."""
        return bool(self.normalising.get("causal"))

    @property
    def frame_network(self) -> nn.Module:
        """The part that makes features of images."""
        return self.network.cnn if isinstance(self.network, CNNRNNDecoder) else self.network

    def source(
        self, recording: Recording, past: bool = False, move: np.ndarray | None = None
    ) -> AdaptedImages | ImageWindows:
        """Return a recording's images, normalised by past frames and moved: `AdaptedImages`."""
        recording = self.based(recording, past)
        images = AdaptedImages(recording, self.device, move=move)
        if self.half_window is None:
            return images
        source = ImageWindows([recording], self.half_window, self.device)
        source.images = images
        return source

    def sample(self, recording: Recording) -> Source:
        """Return some images of a training mouse, as the network was trained on them."""
        if recording.session not in self.samples:
            few = sample(self.based(recording), SAMPLED, IMAGE_REACH)
            self.samples[recording.session] = few
        return Images([self.samples[recording.session]], self.device)

    def based(self, recording: Recording, past: bool = False) -> Recording:
        """Return a recording normalised as the network was trained, or by past frames if `past`."""
        if past and not self.causal and recording.baseline is None:
            of, means, sds = past_statistics(recording)
            return replace(recording, baseline=replace(fixed(means, of), sd=sds))
        return ready(recording, self.normalising)

    @torch.inference_mode()
    def features(self, source: Source, at: torch.Tensor) -> torch.Tensor:
        """Return the features (N, F) of single frames at the positions `at` (N,)."""
        images = getattr(source, "images", source)
        parts = at.split(BATCH[images.device.type])
        return torch.cat([self.frame_network.features(batch) for batch in images.batches(parts)])

    def read(self, windows: torch.Tensor) -> torch.Tensor:
        """Map windows of features (N, L, F) to logits (N,), of K states (N, K)."""
        if self.half_window is None:
            return self.network.classify(windows[:, 0])
        return self.network.rnn(windows)


class SignalWindows(Windows):
    """Windows of ROI signals, of which single frames can be had too."""

    def frames(self, at: torch.Tensor) -> torch.Tensor:
        """Return the signals (N, R) of the positions `at` (N,)."""
        return self._features[at]


@dataclass
class SignalDecoder:
    """A network of windows of ROI signals; `trained` are the settings that it was trained with.

    `before`, `after` and `offsets` as in `ImageDecoder`.
    """

    network: nn.Module
    trained: Mapping[str, Any]
    device: torch.device | str = "cpu"

    def __post_init__(self) -> None:
        w, shift = self.trained["half_window"], self.trained["shift"]
        found = windows.offsets(w, shift, self.causal)
        self.before, self.after = max(0, -int(found[0])), max(0, int(found[-1]))
        self.offsets = torch.as_tensor(found, device=self.device)

    @property
    def causal(self) -> bool:
        """Whether it reads no frame after the decoded one."""
        return bool(self.trained.get("causal"))

    def source(self, recording: Recording, past: bool = False, move: None = None) -> SignalWindows:
        """Return windows of a recording's signals, normalised by past frames if `past`."""
        by = past_normalised if past else normalised
        signals = signals_of([recording], self.trained, by)
        w, shift = self.trained["half_window"], self.trained["shift"]
        return SignalWindows(signals, w, w, self.device, shift=shift)

    def sample(self, recording: Recording) -> Source:
        """Return the signals of a training mouse, as the network was trained on them."""
        return self.source(recording)

    def features(self, source: SignalWindows, at: torch.Tensor) -> torch.Tensor:
        """Return the signals (N, R) of single frames at the positions `at` (N,)."""
        return source.frames(at)

    def read(self, windows: torch.Tensor) -> torch.Tensor:
        """Map windows of signals (N, L, R) to logits (N,), of K states (N, K)."""
        return self.network(windows)


Decoder = ImageDecoder | SignalDecoder


@dataclass(frozen=True)
class Loaded:
    """A decoder from its file: its `kind`, as of the config, settings, and the mice it has seen."""

    decoder: Decoder
    kind: str
    settings: Mapping[str, Any]
    train_mice: tuple[str, ...]
    valid_mice: tuple[str, ...]

    @property
    def target(self) -> Target:
        """What it decodes; mean and SD of a trace are those that its output is standardised by."""
        return Target.of_settings(self.settings)

    def allocate(self, test_mice: Sequence[str]) -> Allocation:
        """Return its allocation with `test_mice`. Raises UserError if it has seen one of them."""
        return Allocation(self.train_mice, self.valid_mice, tuple(test_mice))


def load(
    path: str | Path, cnn: str | Path | None = None, device: torch.device | str = "cpu"
) -> Loaded:
    """Read a trained decoder: .pt of a network, .npz of the linear baseline, .joblib of fit-roi.

    `cnn`: that of a decoder of a frozen CNN. Raises UserError if the file is none of these, or of a
    kind that nothing makes a network of, or `cnn` does not fit.
    """
    if kind := fitted_files.kind_of(Path(path)):
        if cnn:
            raise UserError(f"--cnn: {path} is no decoder of train-rnn, and reads no CNN")
        if kind not in NETWORKS:
            raise UserError(f"{path}: no network is made of a '{kind}' decoder; name another")
        return _fitted(Path(path), kind, device)
    trained = load_trained(path, *MADE_BY)
    mice = tuple(trained.train_mice), tuple(trained.valid_mice)
    network, settings = trained.build(device), trained.settings
    if (trained.kind == "cnn_rnn") != (cnn is not None):
        raise UserError("--cnn: a decoder of train-rnn needs the CNN that it reads, others none")
    if trained.kind in SIGNAL_NETWORKS:
        decoder = SignalDecoder(network, settings, device)
        return Loaded(decoder, trained.kind, settings | {"input": "rois"}, *mice)
    if cnn:
        first = load_trained(cnn, "cnn")
        if first.allocate(()) != trained.allocate(()):
            raise UserError(f"{cnn}: trained or validated on other mice than {path}")
        if bool(first.settings.get("causal")) != bool(settings.get("causal")):
            raise UserError(f"{cnn}: of it and {path} one is causal and the other is not")
        network = CNNRNNDecoder(first.build(device), network)
        Target.of_settings(settings).check_same(Target.of_settings(first.settings), path)
        of_frames = {key: first.settings[key] for key in FRAMES if key in first.settings}
        settings = settings | normalising(first.settings) | of_frames
    kind = "cnn_rnn" if trained.kind == "finetuned" else trained.kind
    decoder = ImageDecoder(network, settings.get("half_window"), device, normalising(settings))
    return Loaded(decoder, kind, settings, *mice)


def has_network(path: str | Path) -> bool:
    """Return whether `load` makes a network of a model, by the suffix of its file."""
    kind = fitted_files.kind_of(Path(path))
    return kind is None or kind in NETWORKS


def _fitted(path: Path, kind: str, device: torch.device | str) -> Loaded:
    fitted = fitted_files.load(path)
    target = Target.of_settings(fitted.settings)
    in_unit = replace(target, mean=0.0, sd=1.0).settings()  # a model gives values as they are
    mice = tuple(fitted.train_mice), tuple(fitted.valid_mice)
    decoder, settings = NETWORKS[kind](fitted, target, device)
    return Loaded(decoder, kind, settings | in_unit, *mice)


def _of_pixels(
    fitted: LinearWeights, target: Target, device: torch.device | str
) -> tuple[Decoder, dict[str, Any]]:
    network = Pixels(fitted).to(device).eval()
    model = "ridge" if target.kind.name == "regression" else "logistic_regression"
    decoder = ImageDecoder(network, None, device, fitted.normalising)
    return decoder, {"model": model} | fitted.settings


def _of_signals(
    fitted: Any, target: Target, device: torch.device | str
) -> tuple[Decoder, dict[str, Any]]:
    network = of_windows(fitted.model, target).to(device).eval()
    decoder = SignalDecoder(network, fitted.settings, device)
    return decoder, fitted.settings | {"input": "rois"}


# Kind that is fitted in one step -> what makes a network of its model, and its settings.
NETWORKS: dict[str, Callable[[Any, Target, torch.device | str], tuple[Decoder, dict[str, Any]]]]
NETWORKS = {"linear": _of_pixels, "roi_classical": _of_signals}


@contextmanager
def inputs_of(layer: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Yield a list that collects what a layer is given, (N, F) a pass, on the CPU."""
    seen: list[torch.Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0].cpu()))
    try:
        yield seen
    finally:
        handle.remove()


def read_by_last_layer(network: nn.Module, source: Source, at: torch.Tensor) -> np.ndarray:
    """Return what the last layer reads (N, F) for the positions `at` (N,) of a source."""
    with inputs_of(last_layer(network)) as seen:
        source.logits(network, at, BATCH[at.device.type])
    return torch.cat(seen).float().numpy()
