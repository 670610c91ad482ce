"""Decoders fed frame by frame: features of a frame are made once and kept for all its windows."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import expit

from mesodecode.base.files import UserError, first_line
from mesodecode.base.windows import IMAGE_REACH
from mesodecode.decoders.applied import (
    ImageDecoder,
    Loaded,
    SignalDecoder,
    inputs_of,
    last_layer,
    load,
)
from mesodecode.decoders.networks import CNNRNNDecoder, RNNDecoder, for_use
from mesodecode.decoders.objectives import predicted
from mesodecode.decoders.weights import MADE_BY, load_trained
from mesodecode.live.stream_normalise import PastImages, PastSignals, needs_reference
from mesodecode.recordings.recording import Recording, told_frames
from mesodecode.study.targets import RUN, Target

IMAGE = 2 * IMAGE_REACH + 1  # frames of an image


def open_members(paths: Sequence[Path], device: torch.device | str = "cpu") -> list[Loaded]:
    """Read the decoders of some files.

    One file, that of a decoder of a frozen CNN followed by its CNN's, or those of several decoders,
    whose predictions are averaged. Raises UserError if one is not causal, or they do not fit.
    """
    found = [_opened(path, cnn, device) for path, cnn in _paired(paths)]
    inputs = {isinstance(loaded.decoder, SignalDecoder) for loaded in found}
    if len(inputs) > 1:
        raise UserError("--weights: decoders of images and of ROI signals; give those of one input")
    targets = {loaded.target.told for loaded in found}
    if len(targets) > 1:
        raise UserError(f"--weights: decoders of {' and of '.join(sorted(targets))}; give one's")
    return found


def _paired(paths: Sequence[Path]) -> Iterator[tuple[Path, Path | None]]:
    """Yield each decoder's file, with that of its CNN where it is of a frozen one."""
    kinds = [load_trained(path, *MADE_BY).kind if path.suffix == ".pt" else "" for path in paths]
    if kinds == ["cnn", "cnn_rnn"]:
        paths, kinds = paths[::-1], kinds[::-1]
    at = 0
    while at < len(paths):
        if kinds[at] != "cnn_rnn":
            yield paths[at], None
        elif kinds[at + 1 : at + 2] != ["cnn"]:
            raise UserError(f"{paths[at]}: of a frozen CNN; give the CNN's weights after it")
        else:
            yield paths[at], paths[at + 1]
            at += 1
        at += 1


def _opened(path: Path, cnn: Path | None, device: torch.device | str) -> Loaded:
    loaded = load(path, cnn, device)
    decoder, settings = loaded.decoder, loaded.settings
    raw = settings.get("normalise") == "none" and settings.get("baseline") is None
    if not decoder.causal and (decoder.after or not raw):
        why = f"reads {decoder.after} frames after the decoded one" if decoder.after else ""
        why = why or "is normalised by the whole recording"
        raise UserError(f"{path}: {why}; train it with causal: true to decode live")
    decoder = replace(decoder, network=for_use(decoder.network))
    return replace(loaded, decoder=decoder)


class Member:
    """One decoder of a stream: `push` frames, then `learn` from the last one.

    `rate`: frames/s; `reference`: recording of the mouse for decoders that are normalised by one;
    `watched`: `read` is what the last layer read.
    """

    def __init__(
        self,
        loaded: Loaded,
        rate: float,
        reference: Recording | None = None,
        *,
        watched: bool = False,
    ) -> None:
        needs_reference(loaded.settings, reference)
        self.loaded, self._decoder = loaded, loaded.decoder
        self._rate, self._reference = rate, reference
        self._offsets = self._decoder.offsets.tolist()
        self._depth = 1 - self._offsets[0]  # features that are kept
        self._rows: torch.Tensor | None = None
        self._n_rows = self._frames = self._count = 0
        self._normal: PastImages | PastSignals | None = None
        self._images: list[torch.Tensor] = []
        self._state: Any = None  # of the next window, but for its last frame
        self._stack, self._read = ExitStack(), None
        if watched:
            layer = last_layer(self._decoder.network)
            self._read = self._stack.enter_context(inputs_of(layer))

    @property
    def read(self) -> np.ndarray | None:
        """What the last layer read of the last window, (F,)."""
        if not self._read:
            return None
        seen = self._read[-1][0].float().numpy()
        self._read.clear()
        return seen

    @property
    def skip(self) -> int:
        """Frames at the start that are not decoded."""
        return self._normal.skip if self._normal is not None else 0

    @torch.inference_mode()
    def push(self, values: np.ndarray, begins: bool) -> np.ndarray | None:
        """Return the logit at a frame (H, W) or signals (R,); None where there is no whole window.

        A number, or of states one a state (K,), float64.

        `begins`: no frame before it is of its segment.
        """
        if self._normal is None:
            self._prepare(values)
            self._try(values)
        if begins or self._count < self.skip:
            self._n_rows, self._images, self._state = 0, [], None
        self._count += 1
        if self._count <= self.skip:
            if isinstance(self._normal, PastSignals):
                self._normal(values)
            return None
        features = self._features(values)
        if features is None:
            return None
        self._keep(features)
        if self._n_rows < self._depth:
            return None
        window = self._window()
        if self._state is None:
            made = self._decoder.read(window)
        else:
            made = self._recurrent.resumed(self._state, window[:, -1])
        return made[0].double().cpu().numpy()

    @torch.inference_mode()
    def learn(self, values: np.ndarray) -> None:
        """Let the last frame normalise those after it, and read what is known of the next window.

        So a frame that comes waits for the pass of one frame, not of its window.
        """
        if isinstance(self._normal, PastImages):
            self._normal.learn(values)
        more = len(self._offsets) > 1
        if more and self._recurrent is not None and self._n_rows >= self._depth - 1:
            self._state = self._recurrent.state_of(self._window(after=1)[:, :-1])

    @property
    def _recurrent(self) -> RNNDecoder | None:
        """What reads windows, if frame by frame."""
        network = self._decoder.network
        network = network.rnn if isinstance(network, CNNRNNDecoder) else network
        return network if isinstance(network, RNNDecoder) else None

    def _window(self, after: int = 0) -> torch.Tensor:
        """Return the features (1, L, F) of the last window, or that `after` more frames."""
        first = (self._n_rows + after) % self._depth
        return self._rows[None, first : first + len(self._offsets)]

    def _prepare(self, values: np.ndarray) -> None:
        settings = self.loaded.settings
        if isinstance(self._decoder, ImageDecoder):
            if values.ndim != 2:
                raise UserError("--source: ROI signals come, but the decoder reads images")
            size, _ = told_frames(settings)
            if size not in (None, values.shape):
                raise UserError(
                    f"--source: frames of {values.shape} px once corrected, but --weights was "
                    f"trained on {size}; see --image-size and --binning, or give --known"
                )
            if self._reference is not None and self._reference.shape[1:] != values.shape:
                raise UserError(
                    f"{self._reference.path}: frames of {self._reference.shape[1:]} px, but those "
                    f"that come are of {values.shape} once corrected; see --image-size"
                )
            self._normal = PastImages(settings, self._rate, self._reference)
            return
        if values.ndim != 1:
            raise UserError("--roi-masks: frames come, but the decoder reads ROI signals; give it")
        names = settings.get("roi_names")
        if names and len(names) != len(values):
            raise UserError(f"--weights: trained on {len(names)} ROIs, but {len(values)} come")
        self._normal = PastSignals(settings, self._rate, len(values), self._reference)

    def _try(self, values: np.ndarray) -> None:
        """Pass zeros of the size of a frame, which says whether it fits; first passes take longer.

        Raises UserError if the decoder cannot read it.
        """
        device = self._decoder.device
        if isinstance(self._normal, PastSignals):
            features = torch.zeros(1, self._normal.n_features, device=device)
        else:
            images = torch.zeros(1, IMAGE, *values.shape, device=device)
            images = images.to(memory_format=torch.channels_last)
            features = self._decoder.frame_network.features(images)
        window = features[:, None].expand(-1, len(self._offsets), -1)
        try:
            self._decoder.read(window)
        except RuntimeError as error:
            what = f"{features.shape[1]} values of a frame" if values.ndim == 1 else "its features"
            raise UserError(
                f"--weights: the decoder cannot read {what} ({first_line(error)})"
            ) from error
        if len(self._offsets) > 1 and self._recurrent is not None:
            state = self._recurrent.state_of(window[:, :-1])
            if state is not None:
                self._recurrent.resumed(state, window[:, -1])
        if self._read:
            self._read.clear()

    def _features(self, values: np.ndarray) -> torch.Tensor | None:
        """Return the features (F,) of a frame; None without the frames of its image."""
        device = self._decoder.device
        if isinstance(self._normal, PastSignals):
            return torch.from_numpy(self._normal(values)).to(device)
        frame = torch.from_numpy(values.astype(np.float32)).to(device)
        self._images = [*self._images[1 - IMAGE :], frame]
        if len(self._images) < IMAGE:
            return None
        images = torch.stack(self._images)[None]
        images -= torch.from_numpy(self._normal.mean).to(device)
        images /= torch.tensor(self._normal.sd, dtype=torch.float32, device=device)
        images = images.to(memory_format=torch.channels_last)
        return self._decoder.frame_network.features(images)[0]

    def _keep(self, features: torch.Tensor) -> None:
        """Write features to both halves of a ring, so that the last ones lie in one piece."""
        if self._rows is None:
            self._rows = features.new_zeros(2 * self._depth, len(features))
        at = self._n_rows % self._depth
        self._rows[at] = self._rows[at + self._depth] = features
        self._n_rows += 1


class Engine:
    """The mean prediction of some decoders of one `target`, frame by frame."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members

    @property
    def target(self) -> Target:
        """What is decoded."""
        return self.members[0].loaded.target

    def push(self, values: np.ndarray, begins: bool) -> float | tuple[float, ...] | None:
        """Return what is predicted of a frame, None without a whole window of each decoder.

        The probability of run, the value of a trace, or the probability of each state. Raises
        UserError if a decoder gives NaN or infinity.
        """
        logits = [member.push(values, begins) for member in self.members]
        if any(one is None for one in logits):
            return None
        if not np.isfinite(logits).all():
            raise UserError("--weights: the decoder gives no number; are its weights whole?")
        if self.target == RUN:  # SciPy's, as ever: torch's may differ in the last bit
            return float(np.mean(expit(np.array(logits))))
        made = [
            predicted(torch.from_numpy(one), member.loaded.target)
            for one, member in zip(map(np.asarray, logits), self.members, strict=True)
        ]
        mean = np.mean(made, axis=0)
        return tuple(mean.tolist()) if self.target.states else float(mean)

    def learn(self, values: np.ndarray) -> None:
        """Let the last frame normalise those after it."""
        for member in self.members:
            member.learn(values)
