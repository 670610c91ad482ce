"""Cut-out importance: how much worse a decoder of images gets when an area is hidden.

Ajioka et al. 2024, Fig 3 and Fig S3; occlusion as of Zeiler & Fergus 2014. The score of a mask is
AUC(intact) - AUC(masked) over a session: 0, the decoder does without the area; above 0, it needs
it; AUC(intact) - 0.5, it needs nothing else. Below 0, the area misleads it.

What a low score does not say: that the area holds no information. If another area holds the same,
each is dispensable on its own (mirror pairs and "all but this area" show that). And a filled-in
area is an image that the decoder was never trained on: compare fills.

Cost: every image passes the CNN once per mask, whatever the window; masked images are made on the
device, a batch at a time, and features are kept only as long as a window needs them. So memory
grows with masks x (frames of a batch + a window), and not with the length of a session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from mesodecode.base.files import UserError
from mesodecode.base.progress import Progress
from mesodecode.base.roc_auc import roc_auc
from mesodecode.base.windows import IMAGE_REACH, decoded, offsets
from mesodecode.decoders.convolutions import for_use
from mesodecode.decoders.inputs import Images
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder
from mesodecode.decoders.predict import BATCH
from mesodecode.explain import recording_noise
from mesodecode.explain.cutout_masks import CutoutMasks
from mesodecode.explain.cutout_tables import SCORES, SIGNED
from mesodecode.explain.imputation import imputation
from mesodecode.recordings.recording import Recording
from mesodecode.recordings.sample import Sample

FILLS = ("zero", "blur", "mean", "road")
NOISE = 0.1  # SD of the noise of "road", as a share of that of the visible pixels
WINDOWS = 256  # windows of one pass through a recurrent network

Decoder = CNNDecoder | CNNRNNDecoder | tuple[CNNDecoder, RNNDecoder]


def cutout_importance(
    decoder: Decoder,
    frames: np.ndarray,
    labels: np.ndarray,
    masks: CutoutMasks | np.ndarray,
    *,
    segment: np.ndarray | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Score masks by what a decoder loses on a movie in memory; see `cutout_session`.

    frames (T, H, W) in camera counts, normalised here as everywhere: (x - temporal mean of the
    pixel) / SD of the whole stack; labels (T,) 0 rest, 1 run; segment (T,), equal within a segment,
    or None; options, all others of `cutout_session`.
    """
    frames, labels = np.asarray(frames), np.asarray(labels)
    if frames.ndim != 3 or labels.shape != frames.shape[:1]:
        raise UserError(
            f"frames of shape {frames.shape} and labels {labels.shape}; need (T, H, W) and (T,)"
        )
    sd = float(frames.std(dtype=np.float64))
    if not sd > 0:
        raise UserError("frames: every pixel of every frame has the same value, or one is NaN")
    movie = Sample(
        path=Path("frames"),
        session="frames",
        mouse="",
        frame_rate=float("nan"),
        labels=labels,
        speed=None,
        segment=segment,
        rois=None,
        pixel_mean=frames.mean(axis=0, dtype=np.float64).astype(np.float32),
        stack_sd=sd,
        shape=frames.shape,
        frames=frames,
    )
    return cutout_session(decoder, movie, masks, feed="memory", **options)


def cutout_session(
    decoder: Decoder,
    recording: Recording,
    masks: CutoutMasks | np.ndarray,
    *,
    half_window: int | None = None,
    fill: str = "zero",
    blur_sigma: float = 0.0625,
    frame_step: int = 1,
    run_length: int = 300,
    batch_size: int | None = None,
    feed: str = "auto",
    noise_seed: int | None = None,
    times: bool = False,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """Score masks by what a decoder loses on a session when they hide its images.

    1. Decodable frames are cut into runs of `run_length`; every `frame_step`-th run is used.
    2. The images they need (t-1, t, t+1 as channels) are normalised, and each mask hides the same
       area of all channels.
    3. Intact and masked images pass the CNN once; windows are gathered from the features.
    4. AUC of each mask's logits against the labels, and its difference to the intact AUC.

    Parameters
    ----------
    decoder
        CNNDecoder, or any module that maps images (N, 3, H, W) to logits (N,); CNNRNNDecoder, CNN
        and RNN trained together; or (CNNDecoder, RNNDecoder), an RNN trained on the features of a
        frozen CNN: these are rounded to float16, as in the files of `mesodecode extract`.
        Put into evaluation mode and onto the device.
    recording
        A session, `prepared` as those of its training; the mouse must be one that the decoder never
        saw (`Trained.allocate`).
    masks
        CutoutMasks, or bool (M, H, W), named by their numbers from 0.
    half_window
        Images on each side of the centre, for a decoder with an RNN.
    fill
        What a masked pixel shows, after normalisation. "zero": 0, its own mean over the session
        (published). "blur": the image after a Gaussian filter of SD `blur_sigma`, reflected at the
        edges: detail goes, the coarse level stays, also that of the masked area. "mean": in each
        image and channel the mean over the pixels that stay visible: the momentary brightness of
        the rest; a temporal mean over the session would be "zero" again. "road": each hidden pixel
        the weighted mean of its neighbours (`imputation`), and noise of SD `NOISE` of that of the
        visible pixels, of a frame the same in all its images; which pixels were hidden shows least.
    blur_sigma
        In px from 1, below as a share of the image's shorter side.
    frame_step, run_length
        `frame_step` 1 uses every frame. Windows of one run share images, so runs should be long
        beside a window; shorter ones sample behaviour more evenly.
    batch_size
        Masked images of one pass; None: `predict.BATCH` of the device.
    feed
        Where frames are kept, see `open_frames`.
    noise_seed
        To every frame, intact or not, white noise is added, of each pixel as much as it has itself
        (`recording_noise`), the same for the same seed. None: frames as they are.
    times
        Score also masks that hide the area in one image of the window alone. Images pass the CNN no
        more often, windows the RNN masks x images times.

    Returns one row a mask: mask (its name), auc_intact, auc_masked, score (AUC(intact) -
    AUC(masked)), n_frames used, n_run, those of them that are labelled run, and n_decodable, the
    frames that `frame_step` 1 would use. The AUCs are those of the same frames. in_run and in_rest:
    the logit less that of the masked images, mean over frames of run and of rest: what the area
    says, above 0 for run. With `times` a column for each image of the window, named by its frame
    relative to the decoded one: the score of hiding the area there alone.
    Raises UserError if masks and images differ in size, an option is out of range, a decoder lacks
    its half_window or has no use for it, or the frames used are none or of one state.
    """
    if not isinstance(masks, CutoutMasks):
        areas = np.asarray(masks)
        masks = CutoutMasks(tuple(map(str, range(len(areas)))), areas)
    if masks.areas.shape[1:] != recording.shape[1:]:
        raise UserError(
            f"{recording.path}: images of {_size(recording.shape)} px, but masks of "
            f"{_size(masks.areas.shape)}; make the masks for this size"
        )
    if fill not in FILLS:
        raise UserError(f"fill '{fill}': must be one of {', '.join(FILLS)}")
    cnn, read_out, width = _stages(decoder, half_window, torch.device(device))
    batch_size = BATCH[torch.device(device).type] if batch_size is None else batch_size
    if batch_size < 1:
        raise UserError(f"batch_size: {batch_size}; needs 1 or more")

    at, n_decodable = frames_used(recording, width // 2, frame_step, run_length)
    labels = recording.labels[at]
    if len(np.unique(labels)) < 2:
        states = f" ({'run' if labels[0] else 'rest'})" if len(labels) else ""
        raise UserError(
            f"{recording.path}: {len(at)} frames to decode, of fewer than two states{states}; an "
            "AUC needs both: lower frame_step or run_length"
        )

    images = Images([recording], device, feed=feed)
    hide = _Fill(masks.areas, fill, blur_sigma, images.device)
    window = torch.as_tensor(offsets(width // 2, causal=recording.causal))
    logits, alone = _logits(
        cnn,
        read_out,
        images,
        hide,
        torch.as_tensor(at),
        window,
        batch_size,
        noise_seed=noise_seed,
        times=times,
    )
    aucs = [roc_auc(labels, row) for row in logits.cpu().numpy()]
    says = (logits[:1] - logits[1:]).double().cpu().numpy()
    by_image = {
        str(frame): [aucs[0] - roc_auc(labels, row) for row in rows.cpu().numpy()]
        for frame, rows in zip(window.tolist(), alone, strict=False)
    }
    return pd.DataFrame(
        {
            "mask": masks.names,
            "auc_intact": aucs[0],
            "auc_masked": aucs[1:],
            "score": aucs[0] - np.array(aucs[1:]),
            "n_frames": len(at),
            "n_run": int(labels.sum()),
            "n_decodable": n_decodable,
            "in_run": says[:, labels == 1].mean(axis=1),
            "in_rest": says[:, labels == 0].mean(axis=1),
            **by_image,
        },
        columns=["mask", *SCORES, *SIGNED, *by_image],
    )


def frames_used(
    recording: Recording, half_window: int, frame_step: int, run_length: int
) -> tuple[np.ndarray, int]:
    """Return the frames (N,) that `cutout_session` decodes, and how many it could decode."""
    for name, value in (("frame_step", frame_step), ("run_length", run_length)):
        if value < 1:
            raise UserError(f"{name}: {value}; needs 1 or more")
    at = decoded(recording, half_window + IMAGE_REACH)
    return at[np.arange(len(at)) // run_length % frame_step == 0], len(at)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[2]}"


Stage = Callable[[Tensor], Tensor]


def _stages(
    decoder: Decoder, half_window: int | None, device: torch.device
) -> tuple[Stage, Stage, int]:
    """Return a decoder as two steps, and the length of its windows T.

    The first maps images (N, 3, H, W) to features (N, F), the second windows (N, T, F) to logits.
    """
    pair = isinstance(decoder, tuple)
    if pair:
        decoder = tuple(for_use(part.to(device)) for part in decoder)
    else:
        decoder = for_use(decoder.to(device))
    if not pair and not isinstance(decoder, CNNRNNDecoder):
        if half_window:
            raise UserError(f"half_window {half_window}: this decoder takes one image, not windows")
        return (lambda images: decoder(images)[:, None]), (lambda windows: windows[:, 0, 0]), 1
    if half_window is None or half_window < 0:
        raise UserError(f"half_window: {half_window}; a decoder with an RNN needs 0 or more images")
    cnn, rnn = decoder if pair else (decoder.cnn, decoder.rnn)
    if rnn.n_features != cnn.n_features:
        raise UserError(
            f"an RNN of {rnn.n_features} features does not fit a CNN of {cnn.n_features}"
        )

    def features(images: Tensor) -> Tensor:
        found = cnn.features(images)
        return found.half().float() if pair else found

    return features, rnn, 2 * half_window + 1


class _Fill:
    """Hide areas of images on the device. Mask 0 hides nothing, the others are those given."""

    def __init__(self, areas: np.ndarray, fill: str, sigma: float, device: torch.device) -> None:
        areas = np.concatenate([np.zeros_like(areas[:1]), areas])
        self._areas = torch.as_tensor(areas, device=device)[..., None]  # (M + 1, H, W, 1)
        self._fill = fill
        if fill == "blur":
            if not 0 < sigma < float("inf"):
                raise UserError(f"blur_sigma: {sigma}; needs px, or a share between 0 and 1")
            sigma = sigma * min(areas.shape[1:]) if sigma < 1 else sigma
            # A Gaussian filter along one axis as a matrix: exact at the edges, on any device.
            self._blur = [
                torch.as_tensor(
                    gaussian_filter1d(np.eye(n), sigma, axis=0), dtype=torch.float32, device=device
                )
                for n in areas.shape[1:]
            ]
        if fill in ("mean", "road"):
            visible = (~self._areas[..., 0]).flatten(1).float()
            self._weights = visible / visible.sum(1, keepdim=True)
        if fill == "road":
            self._imputations = [imputation(area) for area in areas[1:]]

    def __len__(self) -> int:
        return len(self._areas)

    def passes(self, images: Tensor, frames: Tensor, size: int) -> Iterator[Tensor]:
        """Yield images (n, 3, H, W) of `frames` (n,) under every mask, mask by mask.

        `size` images a time.
        """
        fills = self._road(images, frames) if self._fill == "road" else self._fills(images)
        rows = images.permute(0, 2, 3, 1)  # so that what is made lies channels last, uncopied
        everything = torch.arange(len(self) * len(images), device=images.device)
        for part in everything.split(size):
            mask, image = part // len(images), part % len(images)
            filled = torch.where(self._areas[mask], fills(mask, image), rows[image])
            yield filled.permute(0, 3, 1, 2)

    def _fills(self, images: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Return a function of masks (P,) and images (P,) that gives what fills them."""
        if self._fill == "zero":
            zero = torch.zeros((), device=images.device)
            return lambda mask, image: zero
        if self._fill == "blur":
            vertical, horizontal = self._blur
            blurred = (vertical @ images @ horizontal.T).permute(0, 2, 3, 1)
            return lambda mask, image: blurred[image]
        means = images.flatten(2) @ self._weights.T  # (n, 3, M + 1)
        return lambda mask, image: means[image, :, mask][:, None, None]

    def _road(self, images: Tensor, frames: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Return what `_fills` does, of images (n, 3, H, W) of `frames` (n,)."""
        pixels = images.flatten(2)
        variance = pixels.square() @ self._weights.T - (pixels @ self._weights.T).square()
        noise_sd = NOISE * variance.clamp(min=0).sqrt()  # (n, 3, M + 1)
        noise = recording_noise.white(frames, images, seed=0).flatten(2)

        def fills(mask: Tensor, image: Tensor) -> Tensor:
            filled = torch.zeros(len(mask), *images.shape[1:], device=images.device).flatten(2)
            for number in mask.unique().tolist():
                if number == 0:
                    continue
                of, chosen = self._imputations[number - 1], mask == number
                taken = image[chosen]
                hidden, around = (
                    torch.as_tensor(part, device=images.device) for part in (of.hidden, of.around)
                )
                visible = pixels[taken][..., around].flatten(0, 1).T.double().cpu().numpy()
                values = torch.as_tensor(of.values(visible).T, dtype=images.dtype)
                values = values.to(images.device).view(len(taken), 3, -1)
                values += noise_sd[taken, :, number, None] * noise[taken][..., hidden]
                filled[chosen.nonzero(), :, hidden] = values.transpose(1, 2)
            return filled.view(-1, *images.shape[1:]).permute(0, 2, 3, 1)

        return fills


@torch.inference_mode()
def _logits(
    cnn: Stage,
    read_out: Stage,
    images: Images,
    hide: _Fill,
    at: Tensor,
    window: Tensor,
    batch_size: int,
    *,
    noise_seed: int | None,
    times: bool,
) -> tuple[Tensor, Tensor]:
    """Return the logits (M + 1, N) of frames `at` (N,), ascending: intact, then under each mask.

    `window` (T,): which images a window has, from the decoded one. Also, with `times`, the logits
    (T, M, N) under each mask in one image of the window alone; else (0, M, N).
    """
    needed, windows = torch.unique(at[:, None] + window, return_inverse=True)
    own = None if noise_seed is None else recording_noise.pixel_sd(images, needed, batch_size)
    firsts, lasts = windows[:, 0].contiguous(), windows[:, -1].contiguous()
    logits = torch.empty(len(hide), len(at), device=images.device)
    n_times = len(window) if times else 0
    alone = torch.empty(n_times, len(hide) - 1, len(at), device=images.device)
    kept, begin, done = None, 0, 0  # features (M + 1, n, F) from needed image `begin` on
    parts = needed.split(batch_size)
    with Progress(len(hide) * len(needed), "masked images", "cut-out") as progress:
        for part, batch in zip(parts, images.batches(parts), strict=True):
            if own is not None:
                batch = batch + own * recording_noise.white(part, batch, noise_seed)
            found = torch.cat([cnn(masked) for masked in hide.passes(batch, part, batch_size)])
            found = found.view(len(hide), len(part), -1)
            kept = found if kept is None else torch.cat([kept, found], dim=1)
            # Windows are in order: those whose last image is there are read, and what no later
            # window needs is dropped.
            ready = int(torch.searchsorted(lasts, begin + kept.shape[1]))
            whole = windows[done:ready] - begin
            logits[:, done:ready] = _read(read_out, kept, whole)
            if times and len(whole):
                alone[..., done:ready] = _read_alone(read_out, kept, whole)
            if ready < len(at):
                kept, begin = kept[:, firsts[ready] - begin :], int(firsts[ready])
            done = ready
            progress.update(len(hide) * len(part))
    return logits, alone


def _read(read_out: Stage, features: Tensor, windows: Tensor) -> Tensor:
    """Return the logits (M, n) of windows (n, T) of numbers of features (M, K, F)."""
    n_masks, n_images, _ = features.shape
    starts = torch.arange(n_masks)[:, None, None] * n_images
    rows = (starts + windows).flatten(0, 1).to(features.device)
    flat = features.flatten(0, 1)
    parts = [read_out(flat[part]) for part in rows.split(WINDOWS)]
    return torch.cat(parts).view(n_masks, len(windows))


def _read_alone(read_out: Stage, features: Tensor, windows: Tensor) -> Tensor:
    """Return the logits (T, M, n) of windows (n, T) with one image masked and the others intact.

    features (M + 1, K, F): intact, and under each mask.
    """
    windows = windows.to(features.device)
    intact = features[0][windows]
    found = intact.new_empty(windows.shape[1], len(features) - 1, len(windows))
    for place, images in enumerate(windows.T):
        for mask, masked in enumerate(features[1:]):
            mixed = intact.clone()
            mixed[:, place] = masked[images]
            found[place, mask] = torch.cat([read_out(part) for part in mixed.split(WINDOWS)])
    return found
