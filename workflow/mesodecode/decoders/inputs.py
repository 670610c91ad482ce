"""What networks are fed: images and windows, made on the device from frames and features.

Frames stay of their integer type's size in memory; normalisation and pseudo-colour happen batch by
batch on the device. A source offers `centres` (the frames it can decode, as positions in all its
sessions put one after another), `labels` for every position, and `batch(centres)`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from mesodecode.base import windows
from mesodecode.base.files import UserError
from mesodecode.base.windows import IMAGE_REACH, decodable
from mesodecode.decoders.augment import Augment
from mesodecode.decoders.device import found_device
from mesodecode.decoders.frames import open_frames
from mesodecode.recordings.recording import Recording
from mesodecode.study.targets import RUN, Target


class Source:
    """Decodable frames with labels; see the module's words."""

    centres: torch.Tensor
    labels: torch.Tensor

    def batches(self, parts: Sequence[torch.Tensor]) -> Iterator[Any]:
        """Yield the network's inputs for each of `parts`, positions (N,)."""
        return (self.assemble(*fed) for fed in self.feed(parts))

    def feed(self, parts: Sequence[torch.Tensor]) -> Iterator[tuple[torch.Tensor, ...]]:
        """Yield tensors on the device, of which `assemble` makes inputs, for each of `parts`.

        What asks the host, such as reading a file or drawing random numbers, is done here.
        """
        return ((part,) for part in parts)

    def assemble(self, *fed: torch.Tensor) -> Any:
        """Return the network's inputs, made of what was fed, in a way that can be captured.

        Of batches of the same shapes only the tensors' values may differ, and all is done on them.
        """
        return self.batch(*fed)

    def batch(self, centres: torch.Tensor) -> Any:
        """Return the network's inputs for the positions `centres` (N,)."""
        raise NotImplementedError

    def images_of(self, parts: Sequence[torch.Tensor]) -> list[int]:
        """Return how many images, or other inputs of the first layer, each of `parts` needs."""
        return list(map(len, parts))

    @torch.inference_mode()
    def logits(self, model: nn.Module, at: torch.Tensor, batch_size: int = 256) -> torch.Tensor:
        """Return the logits (N,) of a network in evaluation mode for the positions `at` (N,)."""
        model.eval()
        if not len(at):  # not every network takes a batch of nothing
            return torch.empty(0, device=at.device)
        return torch.cat([model(inputs) for inputs in self.batches(at.split(batch_size))])


def _offsets(sessions: Sequence[windows.Session], half: int, shift: int = 0) -> np.ndarray:
    """Return those of windows over sessions, all of which must be causal or none."""
    kinds = {session.causal for session in sessions}
    if len(kinds) > 1:
        raise ValueError("sessions of causal and of other decoders in one source")
    return windows.offsets(half, shift, kinds.pop())


def _positions(lengths: Sequence[int], parts: Iterable[np.ndarray]) -> np.ndarray:
    starts = np.cumsum([0, *lengths[:-1]])
    return np.concatenate([part + start for start, part in zip(starts, parts, strict=True)])


class Images(Source):
    """Pseudo-RGB images of recordings: frames t-1, t, t+1 as channels, normalised.

    Of causal recordings t-2, t-1, t. Every frame is (x - temporal mean of its pixel) / (SD of the
    whole stack), both of its own recording (Ajioka et al. 2024, Methods), or by what the recording
    was `prepared` with (that of frame t for all three). `batch` returns float32 (N, 3, H, W),
    channels last.
    `feed` says where frames are kept, see `open_frames`; `augment` changes every image its own way.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        device: torch.device | str = "cpu",
        *,
        feed: str = "auto",
        augment: Augment | None = None,
    ) -> None:
        lengths = [len(recording) for recording in recordings]
        self.device = found_device(device)
        self._frames = open_frames(recordings, self.device, feed)
        self._augment = augment

        def tensor(values: object, dtype: torch.dtype) -> torch.Tensor:
            return torch.as_tensor(np.asarray(values), dtype=dtype, device=self.device)

        self._recording = tensor(np.repeat(np.arange(len(lengths)), lengths), torch.int64)
        bases = [recording.subtracted() for recording in recordings]
        n_images = [len(base.images) for base in bases]
        self._base = tensor(np.concatenate([base.images for base in bases]), torch.float32)
        self._before = tensor(_positions(n_images, (base.before for base in bases)), torch.int64)
        self._after = tensor(_positions(n_images, (base.after for base in bases)), torch.int64)
        self._share = tensor(np.concatenate([base.share for base in bases]), torch.float32)
        self._moves = bool(self._share.any())
        self._sd = tensor(np.concatenate([r.sds() for r in recordings]), torch.float32)
        self._offsets = tensor(_offsets(recordings, IMAGE_REACH), torch.int64)
        self.labels = tensor(np.concatenate([r.labels for r in recordings]), torch.float32)
        self.centres = tensor(
            _positions(lengths, decodable(recordings, IMAGE_REACH)),
            torch.int64,
        )

    def batch(self, centres: torch.Tensor) -> torch.Tensor:
        """Return images (N, 3, H, W) for the positions `centres` (N,)."""
        return next(self.batches([centres]))

    def feed(
        self, parts: Sequence[torch.Tensor], alike: bool = False
    ) -> Iterator[tuple[torch.Tensor, ...]]:
        """Yield positions (N,), frames as of `Frames.feed`, and how to augment them, if at all.

        Augmented images of one batch and recording are all changed `alike`, if asked for.
        """
        parts = [part.to(self.device) for part in parts]
        frames = self._frames.feed([part[:, None] + self._offsets for part in parts])
        for at, fed in zip(parts, frames, strict=True):
            if self._augment is None:
                yield at, fed
                continue
            groups = self._recording[at] if alike else torch.arange(len(at), device=self.device)
            yield at, fed, *self._augment.draw(groups, self.image_size)

    def assemble(self, at: torch.Tensor, fed: torch.Tensor, *drawn: torch.Tensor) -> torch.Tensor:
        """Return images (N, 3, H, W) of what was fed."""
        images = self._frames.read(fed)
        images -= self._baseline(at)[:, None]
        images /= self._sd[at][:, None, None, None]
        if drawn:
            images = self._augment.apply(images, *drawn)
        return images.to(memory_format=torch.channels_last)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of an image."""
        return tuple(self._base.shape[-2:])

    def _baseline(self, at: torch.Tensor) -> torch.Tensor:
        """Return what is subtracted (N, H, W) at the positions `at` (N,)."""
        before = self._base[self._before[at]]
        if not self._moves:
            return before
        return torch.lerp(before, self._base[self._after[at]], self._share[at][:, None, None])


class ImageWindows(Source):
    """Windows of images t-w … t+w (causal: t-2w … t) for a network whose CNN is trained with it.

    `batch` returns the images that the windows need, each once (M, 3, H, W), and for each window
    the numbers of its images among them (N, 2 w + 1). Windows of consecutive frames share nearly
    all their images, so batches should be made of runs of frames (`run_length` of `train.fit`).
    `options` are those of `Images`; augmentation moves all images of a batch and recording alike.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        half_window: int,
        device: torch.device | str = "cpu",
        **options: Any,
    ) -> None:
        self.images = Images(recordings, device, **options)
        self.labels = self.images.labels
        self._offsets = torch.as_tensor(_offsets(recordings, half_window), device=device)
        lengths = [len(recording) for recording in recordings]
        parts = decodable(recordings, half_window + IMAGE_REACH)
        self.centres = torch.as_tensor(_positions(lengths, parts), device=device)

    def batch(self, centres: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images (M, 3, H, W) and windows (N, 2 w + 1) for the positions `centres` (N,)."""
        return next(self.batches([centres]))

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of an image."""
        return self.images.image_size

    def images_of(self, parts: Sequence[torch.Tensor]) -> list[int]:
        """Return how many images the windows of each of `parts` share."""
        return list(map(len, shared(parts, self._offsets)[0]))

    def feed(self, parts: Sequence[torch.Tensor]) -> Iterator[tuple[torch.Tensor, ...]]:
        """Yield windows, as of `batch`, and what their images are made of, for each of `parts`."""
        needed, windows = shared(parts, self._offsets)
        images = self.images.feed(needed, alike=True)
        return ((of, *fed) for of, fed in zip(windows, images, strict=True))

    def assemble(
        self, windows: torch.Tensor, *fed: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images and windows of what was fed."""
        return self.images.assemble(*fed), windows

    @torch.inference_mode()
    def logits(self, model: nn.Module, at: torch.Tensor, batch_size: int = 256) -> torch.Tensor:
        """Return the logits (N,) of a `CNNRNNDecoder`: every image passes its CNN once."""
        model.eval()
        if not len(at):
            return torch.empty(0, device=at.device)
        needed, windows = torch.unique(at[:, None] + self._offsets, return_inverse=True)
        features = torch.cat(
            [model.cnn.features(i) for i in self.images.batches(needed.split(batch_size))]
        )
        return torch.cat([model.rnn(features[part]) for part in windows.split(batch_size)])


def images_read(settings: Mapping[str, Any]) -> Callable[..., Images | ImageWindows]:
    """Return what makes the inputs of a network of images: windows if it has a `half_window`."""
    if "half_window" in settings:
        return partial(ImageWindows, half_window=settings["half_window"])
    return Images


PARTS = 4096  # of so many at once it is told what they share


def shared(
    parts: Sequence[torch.Tensor], offsets: torch.Tensor
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return the images that windows need, each once, and each window's images among them.

    For each of `parts`, positions (N,), the sorted positions (M,) of all frames at `offsets` (L,)
    from them, and their numbers (N, L). The host is asked once for many parts, not for each.
    """
    needed, windows = [], []
    for first in range(0, len(parts), PARTS):
        some = parts[first : first + PARTS]
        sizes = torch.tensor([len(part) for part in some])
        of = torch.repeat_interleave(torch.arange(len(some)), sizes).to(offsets.device)
        at = torch.cat(list(some)).to(offsets.device)[:, None] + offsets
        apart = int(at.max()) + 1 if at.numel() else 1  # no two parts have a number in common
        numbers, inverse = torch.unique(of[:, None] * apart + at, return_inverse=True)
        counts = torch.bincount(numbers // apart, minlength=len(some))
        inverse -= (counts.cumsum(0) - counts)[of][:, None]
        needed += (numbers % apart).split(counts.tolist())
        windows += inverse.split(sizes.tolist())
    return needed, windows


@dataclass(frozen=True)
class SessionFeatures:
    """Features of one session: one row a frame, rows of frames without an image are zero.

    features (T, F) float16 or float32, labels (T,) uint8, segment (T,) int64 or None; seen: whether
    the CNN that made them was trained or validated on this mouse, which no decoder of them may then
    test; weights: digest of that CNN's; logit (T,) float32: what it makes of the frames by itself;
    normalising: how its images were (`baseline.normalising`); skip, corrected, target: of the
    recording.
    """

    session: str
    mouse: str
    features: np.ndarray
    labels: np.ndarray
    segment: np.ndarray | None
    seen: bool = False
    weights: str = ""
    logit: np.ndarray | None = None
    normalising: Mapping[str, Any] = field(default_factory=dict)
    skip: int = 0
    corrected: bool = False
    target: Target = RUN

    @property
    def causal(self) -> bool:
        """Whether the images were of no later frame."""
        return bool(self.normalising.get("causal"))


def normalising_of(
    settings: Mapping[str, Any], sessions: Sequence[SessionFeatures]
) -> Mapping[str, Any]:
    """Return how the images behind features were normalised, for a decoder of them.

    Raises UserError unless decoder and CNN are both causal, or neither.
    """
    causal = bool(settings.get("causal"))
    if any(session.causal != causal for session in sessions):
        raise UserError(
            f"causal: {str(causal).lower()}, but {str(not causal).lower()} of the CNN that made "
            "the features; both read frames after the decoded one, or neither"
        )
    return sessions[0].normalising


class Windows(Source):
    """Windows of feature vectors t-w … t+w (causal: t-2w … t), from one array on the device.

    `reach` is how far the inputs of a window reach from its centre: w + 1 for features of images
    (the image of frame t+w needs frame t+w+1), w for signals. `shift` moves every window by so many
    frames against its label: t+shift-w … t+shift+w. `batch` returns float32 (N, 2 w + 1, F); no
    window crosses the end of a recording or segment.
    """

    def __init__(
        self,
        sessions: Sequence[SessionFeatures],
        half_window: int,
        reach: int,
        device: torch.device | str = "cpu",
        *,
        shift: int = 0,
    ) -> None:
        lengths = [len(session.labels) for session in sessions]
        features = np.concatenate([s.features for s in sessions])
        features = np.ascontiguousarray(features)  # for `batch`: some columns of an array are not
        self._features = torch.from_numpy(features).to(device)
        self._length = 2 * half_window + 1
        self._first = int(_offsets(sessions, half_window, shift)[0])
        labels = np.concatenate([session.labels for session in sessions])
        self.labels = torch.as_tensor(labels, dtype=torch.float32, device=device)
        parts = decodable(sessions, reach, shift)
        self.centres = torch.as_tensor(_positions(lengths, parts), device=device)

    @property
    def n_features(self) -> int:
        """Length F of a feature vector."""
        return self._features.shape[1]

    def batch(self, centres: torch.Tensor) -> torch.Tensor:
        """Return windows (N, 2 w + 1, F) for the positions `centres` (N,)."""
        n_frames, n_features = self._features.shape
        # All windows as rows that overlap in memory: a window is copied in one piece, not by frame.
        rows = max(0, n_frames - self._length + 1)
        size = (rows, self._length * n_features)
        windows = self._features.as_strided(size, (n_features, 1))
        chosen = windows.index_select(0, centres + self._first)
        return chosen.view(-1, self._length, n_features).to(torch.float32)


SAMPLED = 200  # frames of a session that statistics are taken of


def spread(positions: torch.Tensor, n: int) -> torch.Tensor:
    """Return at most `n` of `positions`, evenly spread."""
    at = np.linspace(0, len(positions) - 1, min(n, len(positions))).round().astype(int)
    return positions[torch.as_tensor(at, device=positions.device)]
