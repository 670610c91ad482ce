"""Cut-out importance: how much worse a decoder of images gets when an area is hidden.

Ajioka et al. 2024, Fig 3 and Fig S3; occlusion as of Zeiler & Fergus 2014. The score of a mask is
AUC(intact) - AUC(masked) over a session: 0, the decoder does without the area; above 0, it needs
it; AUC(intact) - 0.5, it needs nothing else. Below 0, the area misleads it. Of a trace R² stands
for the AUC, of named states macro AUC.

What a low score does not say: that the area holds no information. If another area holds the same,
each is dispensable on its own (mirror pairs and "all but this area" show that). And a filled-in
area is an image that the decoder was never trained on: compare fills.

What it costs: `cutout_logits`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mesodecode.base.files import UserError
from mesodecode.base.metrics import SCORES
from mesodecode.base.windows import IMAGE_REACH, decoded
from mesodecode.decoders.objectives import predicted
from mesodecode.explain import explained
from mesodecode.explain.cutout_logits import Decoder, Masked
from mesodecode.explain.cutout_masks import CutoutMasks
from mesodecode.explain.cutout_tables import scores_of, signed_of
from mesodecode.recordings.recording import Recording
from mesodecode.recordings.sample import Sample
from mesodecode.study.targets import RUN, Target


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
    pixel) / SD of the whole stack; labels (T,) 0 rest, 1 run, or codes of states from 0, or the
    values of a trace, of options' `target`; segment (T,), equal within a segment,
    or None; options, all others of `cutout_session`.
    """
    frames, labels = np.asarray(frames), np.asarray(labels)
    if frames.ndim != 3 or labels.shape != frames.shape[:1]:
        raise UserError(
            f"frames of shape {frames.shape} and labels {labels.shape}; need (T, H, W) and (T,)"
        )
    labels = _checked(labels, options.get("target", RUN))
    if segment is not None and np.shape(segment) != labels.shape:
        raise UserError(
            f"segment of shape {np.shape(segment)} and labels {labels.shape}; need (T,)"
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


def _checked(labels: np.ndarray, target: Target) -> np.ndarray:
    """Return labels (T,) of a target. Raises UserError for one that it cannot have."""
    if target.kind.name == "regression":
        wrong, needs = labels[~np.isfinite(labels.astype(float))], "finite numbers"
    else:
        codes = range(max(2, target.outputs))
        wrong, needs = labels[~np.isin(labels, codes)], f"{codes[0]} to {codes[-1]}"
    if len(wrong):
        raise UserError(f"labels: {len(wrong)} are {wrong[0]} or others; need {needs}")
    return labels.astype(float if target.kind.name == "regression" else int)


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
    target: Target = RUN,
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
        CNNDecoder, or any module that maps images (N, 3, H, W), of its weights' type, to logits
        (N,); CNNRNNDecoder, CNN
        and RNN trained together; or (CNNDecoder, RNNDecoder), an RNN trained on the features of a
        frozen CNN: these are rounded to float16 where the recording is not causal, as in the files
        of `mesodecode extract`.
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
    target
        What the decoder decodes; of states its logits are (N, K).

    Returns one row a mask: mask (its name), auc_intact, auc_masked, score (AUC(intact) -
    AUC(masked)), n_frames used, n_run, those of them that are labelled run, and n_decodable, the
    frames that `frame_step` 1 would use. The AUCs are those of the same frames. in_run and in_rest:
    the logit less that of the masked images, mean over frames of run and of rest: what the area
    says, above 0 for run. With `times` a column for each image of the window, named by its frame
    relative to the decoded one: the score of hiding the area there alone.
    Of another target auc is its metric, there is no n_run, and for in_run and in_rest stand, of a
    trace, in_high and in_low, in its unit, over frames above its mean over these frames and below;
    of states in_{state}, what the area says for each over its frames: of the logits, less their
    mean over states.
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
    session = Masked(
        decoder,
        recording,
        half_window=half_window,
        fill=fill,
        blur_sigma=blur_sigma,
        batch_size=batch_size,
        feed=feed,
        outputs=target.outputs,
        device=device,
    )
    at, n_decodable = frames_used(recording, session.half_window, frame_step, run_length)
    labels = recording.labels[at]
    if len(np.unique(labels)) < 2:
        raise UserError(f"{recording.path}: {len(at)} frames to decode, {_alike(labels, target)}")
    logits, alone = session.logits(masks.areas, at, noise_seed=noise_seed, times=times)
    scores = _scores(masks, labels, logits, target).assign(n_decodable=n_decodable)
    columns = scores_of(target.kind)
    intact = scores[columns[0]].iloc[0]
    by_image = {
        str(frame): [intact - score(labels, row, target) for row in rows]
        for frame, rows in zip(session.window.tolist(), alone, strict=False)
    }
    return scores.assign(**by_image)[["mask", *columns, *signed_of(scores), *by_image]]


def _alike(labels: np.ndarray, target: Target) -> str:
    """Return what is wrong with labels (N,) that are all the same, and what to do."""
    if target != RUN:
        return (
            f"all alike in {target.name}; {target.kind.axis} needs two values: lower frame_step or "
            "run_length"
        )
    states = f" ({'run' if labels[0] else 'rest'})" if len(labels) else ""
    return f"of fewer than two states{states}; an AUC needs both: lower frame_step or run_length"


def score(labels: np.ndarray, logits: np.ndarray, target: Target = RUN) -> float:
    """Return the score of a target of logits (N,), of states (N, K), with labels (N,)."""
    made = logits if target == RUN else predicted(torch.from_numpy(logits), target)
    return SCORES[target.kind.metric](labels, made)


def _scores(
    masks: CutoutMasks, labels: np.ndarray, logits: np.ndarray, target: Target
) -> pd.DataFrame:
    """Return a row a mask: what logits (M + 1, N) of labels (N,), intact and masked, say of it.

    Of states logits are (M + 1, N, K).
    """
    intact_by, masked_by, *_ = scores_of(target.kind)
    intact, *masked = (score(labels, row, target) for row in logits)
    return pd.DataFrame(
        {
            "mask": masks.names,
            intact_by: intact,
            masked_by: masked,
            "score": intact - np.array(masked),
            "n_frames": len(labels),
            "n_run": int((labels == 1).sum()),
            **_says((logits[:1] - logits[1:]).astype(np.float64), labels, target),
        }
    )


def _says(change: np.ndarray, labels: np.ndarray, target: Target) -> dict[str, np.ndarray]:
    """Return what areas (M,) say, by the logits (M, N), or (M, N, K), less those without them."""
    sides = explained.one_side(torch.as_tensor(labels), target).numpy()
    if target.states:
        change = change - change.mean(axis=-1, keepdims=True)
        return {
            f"in_{state}": change[:, there, code].mean(axis=1) if there.any() else np.nan
            for code, (state, there) in enumerate(zip(target.states, sides, strict=True))
        }
    (there,), (one, other) = sides, target.kind.sides
    change = change * target.sd
    return {
        f"in_{one}": change[:, there].mean(axis=1),
        f"in_{other}": change[:, ~there].mean(axis=1),
    }


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
