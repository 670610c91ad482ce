"""A trained image decoder applied to a mouse that it has not seen, in ways that adapt to it.

1. Frames are normalised by their recording, or by the frames before them only.
2. They may be turned and shifted onto the mean images of the training mice.
3. BatchNorm layers may take the statistics of the mouse's images.
4. The CNN's features may be given the mean and covariance that they have in the training mice.
5. The network may be fine-tuned on labelled minutes of the mouse, which are then not decoded.

Only step 5 uses labels of the mouse. Nothing of one mouse goes to another: networks are copied.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from sklearn.covariance import ledoit_wolf
from torch import nn
from torch.nn.functional import affine_grid, binary_cross_entropy_with_logits, grid_sample

from mesodecode.datasets import Images, ImageWindows
from mesodecode.files import UserError
from mesodecode.models import CNNDecoder, CNNRNNDecoder
from mesodecode.predict import BATCH
from mesodecode.predictions import SessionPredictions
from mesodecode.recordings import Recording, fixed
from mesodecode.shift.features import last_layer
from mesodecode.shift.images import place
from mesodecode.shift.samples import sample
from mesodecode.windows import IMAGE_REACH

BLOCK = 1.0  # s for which frames are normalised by the same frames before them
SAMPLED = 200  # images of a session that statistics are taken of
TUNE_BATCH = 32
NORMS = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)


class AdaptedImages(Images):
    """Images of one recording, normalised by past frames and moved, if asked for.

    `past`: mean and SD are of all frames before the second that a frame lies in; `move` (2, 3) is
    the affine map from where a pixel goes to where it comes from, as of `affine_grid`. `batches`
    are those of `Images`.
    """

    def __init__(
        self,
        recording: Recording,
        device: torch.device | str,
        *,
        past: bool = False,
        move: np.ndarray | None = None,
    ) -> None:
        if past:
            of, means, sds = past_statistics(recording)
            recording = replace(recording, baseline=fixed(means, of))
        super().__init__([recording], device)
        self._move = None if move is None else torch.as_tensor(move, dtype=torch.float32)
        if past:
            self._recording = torch.as_tensor(of, device=self.device)
            self._sd = torch.as_tensor(sds, dtype=torch.float32, device=self.device)

    def batches(self, parts: Sequence[torch.Tensor], alike: bool = False) -> Any:
        """Yield images (N, 3, H, W) for each of `parts`, positions (N,)."""
        for images in super().batches(parts, alike):
            if self._move is None:
                yield images
                continue
            theta = self._move.to(images.device).expand(len(images), 2, 3)
            grid = affine_grid(theta, list(images.shape), align_corners=False)
            moved = grid_sample(images, grid, align_corners=False)
            yield moved.to(memory_format=torch.channels_last)


def past_statistics(recording: Recording) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what normalises each frame: block (T,), mean (B, H, W) and SD (B,) of the blocks.

    A block is a second; its mean image and its SD (of the whole stack, about each pixel's mean over
    all of it) are those of the frames before the block. The first block, which has none, has those
    of its own frames and is to be left out by a warm-up.
    """
    length = max(1, round(BLOCK * recording.frame_rate))
    of = np.arange(len(recording)) // length
    total = np.zeros(recording.shape[1:])
    count, first, second = 0, 0.0, 0.0
    means, sds = [], []
    for start in range(0, len(recording), length):
        frames = recording.read_frames(start, start + length).astype(np.float64)
        if start:
            means.append(total / count)
            sds.append(np.sqrt(max(second / count - (first / count) ** 2, 0.0)))
        total += frames.sum(axis=0)
        first += frames.mean(axis=(1, 2)).sum()
        second += (frames**2).mean(axis=(1, 2)).sum()
        count += len(frames)
        if not start:
            means.append(total / count)
            sds.append(np.sqrt(max(second / count - (first / count) ** 2, 0.0)))
    return of, np.stack(means).astype(np.float32), np.maximum(sds, 1e-12).astype(np.float32)


def onto(recording: Recording, others: Sequence[Recording]) -> np.ndarray:
    """Return the map (2, 3) that moves a recording's frames onto the mean images of others.

    The mean turn and shift against the first session of each mouse of `others`.
    """
    first = {other.mouse: other for other in reversed(others)}
    image = recording.pixel_mean.astype(float)
    found = [place(image, other.pixel_mean.astype(float)) for other in first.values()]
    x, y, degrees = (np.mean([one[key] for one in found]) for key in ("x", "y", "rotation"))
    if not np.isfinite([x, y, degrees]).all():
        raise UserError(
            f"{recording.path}: its images have another size than those of the training mice, so "
            "that it cannot be registered to them; set image_size in the config"
        )
    height, width = image.shape
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    # in units of half the image, so that shifts count double, and turning does not shear
    return np.array([[cos, -sin * height / width, x / 50], [sin * width / height, cos, y / 50]])


def set_batch_norm(model: nn.Module, sources: Sequence[Images]) -> None:
    """Give the BatchNorm layers of a model's CNN the statistics of images of `sources`.

    Of `SAMPLED` images of each, in one pass (Schneider et al. 2020, NeurIPS 33: 11539-11551; all of
    the new statistics, none of the old). Raises UserError if there is no such layer.
    """
    cnn = model.cnn if isinstance(model, CNNRNNDecoder) else model
    layers = [layer for layer in cnn.modules() if isinstance(layer, nn.BatchNorm2d)]
    if not layers:
        raise UserError("batch_norm: this backbone has no BatchNorm layer; leave it out")
    kept = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over batches
        layer.train()
    with torch.inference_mode():
        for images in sources:
            for at in _spread(images.centres, SAMPLED).split(BATCH[images.device.type]):
                if len(at) > 1:
                    cnn.features(images.batch(at))
    for layer, momentum in zip(layers, kept, strict=True):
        layer.momentum = momentum
        layer.eval()


class Coral(nn.Module):
    """Features with the mean and covariance of others: (f - mean) A + other mean.

    A = C⁻¹ᐟ² C'¹ᐟ² of the covariances C of the features and C' of the others, both shrunk (Sun,
    Feng & Saenko 2016, AAAI 2058-2065; Ledoit & Wolf 2004, J Multivar Anal 88: 365-411).
    """

    def __init__(self, features: np.ndarray, others: np.ndarray) -> None:
        super().__init__()
        own, target = (ledoit_wolf(rows.astype(np.float64))[0] for rows in (features, others))
        matrix = _power(own, -0.5) @ _power(target, 0.5)
        for name, value in (
            ("mean", features.mean(0)),
            ("matrix", matrix),
            ("other", others.mean(0)),
        ):
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (N, F) to features (N, F)."""
        return (features - self.mean) @ self.matrix + self.other


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 1e-8 * values.max()) ** exponent) @ vectors.T


@torch.inference_mode()
def cnn_features(model: nn.Module, images: Images, at: torch.Tensor) -> torch.Tensor:
    """Return the CNN's features (N, F) of the positions `at` (N,)."""
    cnn = model.cnn if isinstance(model, CNNRNNDecoder) else model
    parts = at.split(BATCH[images.device.type])
    return torch.cat([cnn.features(batch) for batch in images.batches(parts)])


def predict(
    model: CNNDecoder | CNNRNNDecoder,
    recordings: Sequence[Recording],
    known: Sequence[Recording],
    settings: Mapping[str, Any],
    *,
    half_window: int | None = None,
    device: torch.device | str = "cpu",
) -> dict[str, SessionPredictions]:
    """Return the predictions of recordings of one mouse, by session.

    `known`: recordings of the training mice; `settings` of adapted.schema.yaml; `half_window` of a
    CNN-RNN. `model` is left as it is. Raises UserError if no labelled minute, or no other, is left.
    """
    model = copy.deepcopy(model).eval()
    sources = [_source(one, known, settings, half_window, device) for one in recordings]
    images = [getattr(source, "images", source) for source in sources]
    coral = None
    if settings["coral"]:
        others = [Images([sample(one, SAMPLED, IMAGE_REACH)], device) for one in known]
        theirs = torch.cat([cnn_features(model, one, one.centres) for one in others])
    if settings["batch_norm"]:
        set_batch_norm(model, images)
    if settings["coral"]:
        own = [cnn_features(model, one, _spread(one.centres, SAMPLED)) for one in images]
        coral = Coral(torch.cat(own).cpu().numpy(), theirs.cpu().numpy()).to(device)
    labelled = _labelled(recordings, settings["few_shot"])
    if settings["few_shot"]:
        _fine_tune(model, sources, labelled, settings)
    reach = IMAGE_REACH + (half_window or 0)
    predictions = {}
    for recording, source, first in zip(recordings, sources, labelled, strict=True):
        warm = settings["warm_up"] * recording.frame_rate if settings["normalise"] == "past" else 0
        # no image of a decoded window is one that was labelled, or normalised by too few frames
        start = max(first + reach if first else 0, round(warm) + reach if warm else 0)
        at = source.centres[source.centres >= start]
        if len(at):
            logits = _logits(model, source, at, coral).cpu().numpy()
            frames = at.cpu().numpy()
            probability = expit(logits.astype(np.float64))
            predictions[recording.session] = SessionPredictions(
                recording.mouse, frames, recording.labels[frames], probability
            )
    if not predictions:
        raise UserError(
            f"mouse {recordings[0].mouse}: no frame is left to decode; lower few_shot or warm_up"
        )
    return predictions


def _source(
    recording: Recording,
    known: Sequence[Recording],
    settings: Mapping[str, Any],
    half_window: int | None,
    device: torch.device | str,
) -> AdaptedImages | ImageWindows:
    move = onto(recording, known) if settings["register"] else None
    images = AdaptedImages(recording, device, past=settings["normalise"] == "past", move=move)
    if half_window is None:
        return images
    windows = ImageWindows([recording], half_window, device)
    windows.images = images
    return windows


@torch.inference_mode()
def _logits(
    model: nn.Module, source: Images | ImageWindows, at: torch.Tensor, coral: Coral | None
) -> torch.Tensor:
    """Return the logits (N,) of the positions `at`; every image passes the CNN once."""
    windowed = isinstance(source, ImageWindows)
    images = source.images if windowed else source
    offsets = source._offsets if windowed else torch.zeros(1, dtype=torch.int64, device=at.device)
    needed, windows = torch.unique(at[:, None] + offsets, return_inverse=True)
    features = cnn_features(model, images, needed)
    features = features if coral is None else coral(features)
    if not windowed:
        return model.classify(features)
    return torch.cat([model.rnn(features[part]) for part in windows.split(256)])


def _labelled(recordings: Sequence[Recording], minutes: float) -> list[int]:
    """Return how many frames of each recording are labelled, from the first recording on."""
    left, counts = minutes * 60, []
    for recording in recordings:
        n = min(len(recording), round(left * recording.frame_rate))
        left -= n / recording.frame_rate
        counts.append(n)
    return counts


def _fine_tune(
    model: nn.Module,
    sources: Sequence[Images | ImageWindows],
    labelled: Sequence[int],
    settings: Mapping[str, Any],
) -> None:
    """Fine-tune a model on the first frames of sources, `labelled` of each, by Adam.

    BatchNorm keeps its statistics: a minute has too few frames for others.
    """
    head = last_layer(model)
    norms = [layer for layer in model.modules() if isinstance(layer, NORMS)]
    chosen = {"head": [head], "norm": [head, *norms], "all": [model]}[settings["finetune"]]
    parameters = list({id(p): p for layer in chosen for p in layer.parameters()}.values())
    model.requires_grad_(False)  # else gradients of what stays are most of the time
    for parameter in parameters:
        parameter.requires_grad_(True)
    # no image of a labelled window reaches into what is scored
    parts = []
    for source, n in zip(sources, labelled, strict=True):
        reach = IMAGE_REACH + (len(source._offsets) // 2 if isinstance(source, ImageWindows) else 0)
        parts.append(source.centres[source.centres < n - reach])
    labels = torch.cat([s.labels[at] for s, at in zip(sources, parts, strict=True)])
    if labels.unique().numel() < 2:
        raise UserError(
            f"few_shot: {len(labels)} labelled frames to decode, of fewer than two states; give "
            "more minutes"
        )
    optimizer = torch.optim.Adam(parameters, lr=settings["max_lr"])
    order = torch.Generator().manual_seed(settings["seed"])
    for _ in range(settings["passes"]):
        batches = [
            (s, at[torch.randperm(len(at), generator=order)].split(TUNE_BATCH))
            for s, at in zip(sources, parts, strict=True)
            if len(at)
        ]
        for source, split in batches:
            for at in split:
                loss = binary_cross_entropy_with_logits(model(source.batch(at)), source.labels[at])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
    model.eval()


def _spread(positions: torch.Tensor, n: int) -> torch.Tensor:
    """Return at most `n` of `positions`, evenly spread."""
    at = np.linspace(0, len(positions) - 1, min(n, len(positions))).round().astype(int)
    return positions[torch.as_tensor(at, device=positions.device)]
