"""The logits of a decoder of images, of frames of a session, intact and with areas hidden.

Every image passes the CNN once per mask, whatever the window; masked images are made on the device,
a batch at a time, and features are kept only as long as a window needs them. So memory grows with
masks x (frames of a batch + a window), and not with the length of a session.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from mesodecode.base.files import UserError
from mesodecode.base.progress import Progress
from mesodecode.base.windows import offsets
from mesodecode.decoders.compiling import compile_passes
from mesodecode.decoders.device import found_device
from mesodecode.decoders.inputs import Images
from mesodecode.decoders.networks import (
    REDUCED,
    CNNDecoder,
    CNNRNNDecoder,
    RNNDecoder,
    TCNDecoder,
    for_use,
)
from mesodecode.decoders.predict import BATCH
from mesodecode.explain import recording_noise
from mesodecode.explain.cutout_fill import FILLS, Fill
from mesodecode.recordings.recording import Recording

WINDOWS = 256  # windows of one pass through a recurrent network

Decoder = CNNDecoder | CNNRNNDecoder | tuple[CNNDecoder, RNNDecoder]
Stage = Callable[[Tensor], Tensor]


class Masked:
    """A session as a decoder of images reads it, with areas hidden; arguments of `cutout_session`.

    `half_window`, images on each side of the decoded one, 0 without an RNN; `window` (T,), which
    images a window has, from the decoded one. Raises UserError as `cutout_session` does.
    """

    def __init__(
        self,
        decoder: Decoder,
        recording: Recording,
        *,
        half_window: int | None = None,
        fill: str = "zero",
        blur_sigma: float = 0.0625,
        batch_size: int | None = None,
        feed: str = "auto",
        outputs: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        if fill not in FILLS:
            raise UserError(f"fill '{fill}': must be one of {', '.join(FILLS)}")
        self._recording, self._feed, self._device = recording, feed, found_device(device)
        self._fill, self._more = (fill, blur_sigma), (outputs,) if outputs > 1 else ()
        self._cnn, self._read_out, self.half_window = _stages(
            decoder, half_window, self._device, rounded=not recording.causal
        )
        self._batch = BATCH[self._device.type] if batch_size is None else batch_size
        if self._batch < 1:
            raise UserError(f"batch_size: {batch_size}; needs 1 or more")
        self.window = torch.as_tensor(offsets(self.half_window, causal=recording.causal))

    @cached_property
    def _images(self) -> Images:
        return Images([self._recording], self._device, feed=self._feed)

    @torch.inference_mode()
    def logits(
        self,
        areas: np.ndarray,
        at: np.ndarray,
        *,
        noise_seed: int | None = None,
        times: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the logits (M + 1, N) of frames `at` (N,): intact, then under each mask.

        at, ascending; areas (M, H, W), True where a mask hides the image. With `times` also the
        logits (T, M, N) under each mask in one image of the window alone; else (0, M, N). Of a
        decoder of several `outputs` both have one axis more, of these.
        """
        images, hide = self._images, Fill(areas, *self._fill, self._device)
        needed, windows = torch.unique(
            torch.as_tensor(at)[:, None] + self.window, return_inverse=True
        )
        own = None
        if noise_seed is not None:
            own = recording_noise.pixel_sd(images, needed, self._batch)
        firsts, lasts = windows[:, 0].contiguous(), windows[:, -1].contiguous()
        logits = torch.empty(len(hide), len(at), *self._more, device=images.device)
        n_times = len(self.window) if times else 0
        alone = torch.empty(n_times, len(hide) - 1, len(at), *self._more, device=images.device)
        kept, begin, done = None, 0, 0  # features (M + 1, n, F) from needed image `begin` on
        parts = needed.split(self._batch)
        with Progress(len(hide) * len(needed), "masked images", "cut-out") as progress:
            for part, batch in zip(parts, images.batches(parts), strict=True):
                if own is not None:
                    batch = batch + own * recording_noise.white(part, batch, noise_seed)
                found = torch.cat([self._cnn(i) for i in hide.passes(batch, part, self._batch)])
                found = found.view(len(hide), len(part), -1)
                kept = found if kept is None else torch.cat([kept, found], dim=1)
                # Windows are in order: those whose last image is there are read, and what no
                # later window needs is dropped.
                ready = int(torch.searchsorted(lasts, begin + kept.shape[1]))
                whole = windows[done:ready] - begin
                logits[:, done:ready] = _read(self._read_out, kept, whole)
                if times and len(whole):
                    alone[:, :, done:ready] = _read_alone(self._read_out, kept, whole)
                if ready < len(at):
                    kept, begin = kept[:, firsts[ready] - begin :], int(firsts[ready])
                done = ready
                progress.update(len(hide) * len(part))
        return logits.cpu().numpy(), alone.cpu().numpy()


def in_use(
    decoder: Decoder, device: torch.device | str, n_images: int = 0, size: Sequence[int] = ()
) -> Decoder:
    """Return a decoder on a device, to be passed only.

    Its CNN is compiled where that pays for so many masked images (3, *size), of all sessions.
    """
    if isinstance(decoder, tuple):
        return tuple(in_use(part, device, n_images, size) for part in decoder)
    used = for_use(decoder.to(device))
    for part in used.modules():
        if n_images and isinstance(part, CNNDecoder):
            compile_passes(part, n_images, BATCH[torch.device(device).type], size)
    return used


def _stages(
    decoder: Decoder, half_window: int | None, device: torch.device, *, rounded: bool
) -> tuple[Stage, Stage, int]:
    """Return a decoder as two steps, and the images on each side in its windows of T images.

    The first maps images (N, 3, H, W) to features (N, F), the second windows (N, T, F) to logits.
    `rounded`: features of a frozen CNN as float16, as they were in training.
    """
    pair, decoder = isinstance(decoder, tuple), in_use(decoder, device)
    if not pair and not isinstance(decoder, CNNRNNDecoder):
        if half_window:
            raise UserError(f"half_window {half_window}: this decoder takes one image, not windows")
        taken = _dtype(decoder)
        return (lambda x: decoder(x.to(taken)).reshape(len(x), -1).float()), _only_image, 0
    if half_window is None or half_window < 0:
        raise UserError(f"half_window: {half_window}; a decoder with an RNN needs 0 or more images")
    cnn, rnn = decoder if pair else (decoder.cnn, decoder.rnn)
    if rnn.n_features != cnn.n_features:
        raise UserError(
            f"an RNN of {rnn.n_features} features does not fit a CNN of {cnn.n_features}"
        )

    by_cnn, by_rnn = _dtype(cnn), _dtype(rnn)

    def features(images: Tensor) -> Tensor:
        found = cnn.features(images.to(by_cnn))
        return (found.half().float() if pair and rounded else found).to(by_rnn)

    return features, rnn, half_window


def _dtype(network: nn.Module) -> torch.dtype:
    """Return the type in which a network takes images or features: that of its weights.

    Raises UserError for a network of this package in half precision, which it cannot compute in.
    """
    if any(getattr(part, "passed_in", None) for part in network.modules()):
        return torch.float32  # a CNN that reduces them itself
    weights = (p.dtype for p in network.parameters() if p.is_floating_point())
    found = next(weights, torch.float32)
    if found in REDUCED and isinstance(network, CNNDecoder | RNNDecoder | TCNDecoder):
        raise UserError(f"decoder: its weights are of {found}; give it in float32, by .float()")
    return found


def _only_image(windows: Tensor) -> Tensor:
    """Return the logits of windows of one image (N, 1, K): (N,), or (N, K) of several outputs."""
    made = windows[:, 0]
    return made[:, 0] if made.shape[1] == 1 else made


def _read(read_out: Stage, features: Tensor, windows: Tensor) -> Tensor:
    """Return the logits (M, n) of windows (n, T) of numbers of features (M, K, F)."""
    n_masks, n_images, _ = features.shape
    starts = torch.arange(n_masks)[:, None, None] * n_images
    rows = (starts + windows).flatten(0, 1).to(features.device)
    flat = features.flatten(0, 1)
    made = torch.cat([read_out(flat[part]) for part in rows.split(WINDOWS)])
    return made.view(n_masks, len(windows), *made.shape[1:])


def _read_alone(read_out: Stage, features: Tensor, windows: Tensor) -> Tensor:
    """Return the logits (T, M, n) of windows (n, T) with one image masked and the others intact.

    features (M + 1, K, F): intact, and under each mask.
    """
    windows = windows.to(features.device)
    intact = features[0][windows]
    found = []
    for place, images in enumerate(windows.T):
        for masked in features[1:]:
            mixed = intact.clone()
            mixed[:, place] = masked[images]
            found.append(torch.cat([read_out(part) for part in mixed.split(WINDOWS)]))
    return torch.stack(found).unflatten(0, (windows.shape[1], len(features) - 1))
