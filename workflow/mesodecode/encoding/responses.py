"""From traces to one response a presentation and neuron, with what models are given beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mesodecode.base import records
from mesodecode.base.files import UserError, say
from mesodecode.encoding.explainable import explainable
from mesodecode.encoding.readers import Session
from mesodecode.study.allocation import join_ids

LAGS = np.arange(-0.5, 1.01, 0.1)  # s beside the chosen lag, at which responses are looked for too


@dataclass(frozen=True)
class Responses:
    """A session's presentations: what was shown, and what neurons answered.

    images (I, H, W) float32; for each presentation, in the order shown: image (P,), response
    (P, N) float32, covariates (P, C), session_of (P,) a number; neurons (N,) ids; covariate_names.
    `lag` (s) is that of the window; `lag_explained` (L,) the mean share of variance that images
    would explain at other `lags` (L,), none where no image is repeated.
    """

    session: str
    images: np.ndarray
    image: np.ndarray
    response: np.ndarray
    covariates: np.ndarray
    neurons: np.ndarray
    covariate_names: tuple[str, ...]
    lag: float
    lags: np.ndarray
    lag_explained: np.ndarray
    session_of: np.ndarray


def make_responses(
    source: Session,
    session: str,
    *,
    signal: str = "dff",
    reduce: str = "mean",
    lag: float = 0.0,
    samples: int | None = None,
    image_size: int | None = 48,
    covariates: Sequence[str] = (),
) -> Responses:
    """Reduce the samples of each presentation's window to one response.

    The window opens at the first sample at or after start + `lag` and holds `samples`, or, where
    None, those before end + `lag`. Missing samples (NaN) are passed over; neurons without one in
    some window are left out, presentations whose window leaves the recording too, and counted on
    standard error. Raises UserError if nothing is left or windows are empty.
    """
    first, last = _windows(source, lag, samples)
    keep = _inside(source, lag, last, samples)
    if not keep.any() or np.any(last[keep] <= first[keep]):
        raise UserError(
            f"session {session}: windows without samples ({keep.sum()} of {len(keep)} presentations"
            " lie in the recording); check lag, samples and the clocks of presentations and traces"
        )
    response = window_values(source.traces, first[keep], last[keep], reduce)
    known = np.isfinite(response).all(0)
    for what, n in (("presentations", (~keep).sum()), ("neurons", (~known).sum())):
        if n:
            say(f"{session}: {n} {what[: -1 if n == 1 else None]} left out (no samples)")
    if not known.any():
        raise UserError(f"session {session}: no neuron has samples in every window")
    image = source.image[keep]
    lags, shares = [], []
    for extra in LAGS:
        a, b = _windows(source, lag + extra, samples)
        there = keep & _inside(source, lag + extra, b, samples) & (b > a)
        if there.sum() > len(keep) / 2:
            moved = window_values(source.traces[known], a[there], b[there], reduce)
            share = explainable(moved, source.image[there]).single
            if np.isfinite(share).any():  # some image is repeated
                lags.append(lag + extra)
                shares.append(np.nanmean(share))
    values = [_average(source, name)[keep] for name in covariates]
    images = source.images
    if image_size is not None and images.shape[1:] != (image_size, image_size):
        from mesodecode.recordings.resizing import resize

        images = resize(images, image_size)
    return Responses(
        session=session,
        images=images.astype(np.float32),
        image=image,
        response=response[:, known].astype(np.float32),
        covariates=np.stack(values, 1) if values else np.zeros((len(image), 0)),
        neurons=source.neurons[known],
        covariate_names=tuple(covariates),
        lag=lag,
        lags=np.array(lags),
        lag_explained=np.array(shares),
        session_of=np.zeros(len(image), np.int64),
    )


def _windows(source: Session, lag: float, samples: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the first sample of each window (P,) and the one after its last."""
    early = 1e-6  # s: clocks are sums of fractions
    first = np.searchsorted(source.time, source.start + lag - early)
    if samples is not None:
        return first, first + samples
    return first, np.searchsorted(source.time, source.end + lag - early)


def _inside(source: Session, lag: float, last: np.ndarray, samples: int | None) -> np.ndarray:
    """Tell which windows (P,) the recording holds whole."""
    begins = source.start + lag >= source.time[0] - 1e-6
    if samples is not None:
        return begins & (last <= len(source.time))
    step = np.median(np.diff(source.time))
    return begins & (source.end + lag <= source.time[-1] + step + 1e-6)


def window_values(
    traces: np.ndarray, first: np.ndarray, last: np.ndarray, reduce: str
) -> np.ndarray:
    """Return mean or max (P, N) of traces (N, T) from sample `first` to before `last` (P,).

    NaN where a window has no finite sample.
    """
    length = int((last - first).max())
    best = np.full((len(first), len(traces)), -np.inf)
    sums, counts = np.zeros_like(best), np.zeros(best.shape, np.int32)
    for step in range(length):
        inside = first + step < last
        values = traces[:, first[inside] + step].T
        there = np.isfinite(values)
        counts[inside] += there
        sums[inside] += np.where(there, values, 0)
        best[inside] = np.maximum(best[inside], np.where(there, values, -np.inf))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts > 0, best if reduce == "max" else sums / counts, np.nan)


def _average(source: Session, name: str) -> np.ndarray:
    """Return the mean of a covariate over each presentation (P,), interpolated where it has none.

    NaN (blinks) is passed over.
    """
    values, time = source.covariates[name]
    known = np.isfinite(values)
    if not known.any():
        raise UserError(f"{name}: not a single value of it; leave it out of responses.covariates")
    values, time = values[known], time[known]
    sums = np.concatenate([[0], np.cumsum(values)])
    a, b = np.searchsorted(time, source.start), np.searchsorted(time, source.end)
    middle = np.interp((source.start + source.end) / 2, time, values)
    return np.where(b > a, (sums[b] - sums[a]) / np.maximum(b - a, 1), middle)


def join(parts: Sequence[Responses]) -> Responses:
    """Put sessions of the same neurons and images one after another.

    Neurons are matched by their ids; those that are not in every session are left out.
    Raises UserError if sessions show other images or share no neuron, or one has an id twice.
    """
    first = parts[0]
    for part in parts:
        ids, times = np.unique(part.neurons, return_counts=True)
        if (times > 1).any():
            raise UserError(
                f"session {part.session}: neuron {ids[times > 1][0]} is there twice, by whose id "
                "sessions are matched; use folds.by: images"
            )
    common = [n for n in first.neurons if all(n in part.neurons for part in parts)]
    for part in parts[1:]:
        if part.images.shape != first.images.shape or not np.allclose(part.images, first.images):
            raise UserError(
                f"sessions {first.session} and {part.session} show other images; "
                "use folds.by: images"
            )
    if not common:
        raise UserError(
            f"sessions {', '.join(p.session for p in parts)} share no neuron; use folds.by: images"
        )
    at = [[list(part.neurons).index(n) for n in common] for part in parts]
    numbers = [np.full(len(part.image), i) for i, part in enumerate(parts)]
    return replace(
        first,
        session=join_ids(part.session for part in parts),
        image=np.concatenate([part.image for part in parts]),
        response=np.concatenate([p.response[:, a] for p, a in zip(parts, at, strict=True)]),
        covariates=np.concatenate([part.covariates for part in parts]),
        neurons=np.array(common),
        session_of=np.concatenate(numbers),
    )


ARRAYS = ("images", "image", "response", "covariates", "neurons", "lags", "lag_explained")


def write_responses(responses: Responses, path: str | Path) -> None:
    """Write responses as HDF5."""
    with records.creating(path) as file:
        for name in ARRAYS:
            file[name] = records.stored(getattr(responses, name))
        file.attrs["session"], file.attrs["lag"] = responses.session, responses.lag
        file.attrs["covariates"] = ",".join(responses.covariate_names)


def read_responses(path: str | Path) -> Responses:
    """Read what `write_responses` wrote. Raises UserError if it is no such file."""
    with records.reading(path, "a file of responses", "responses") as file:
        arrays = {name: records.restored(file[name][:]) for name in ARRAYS}
        session, names = str(file.attrs["session"]), str(file.attrs["covariates"])
        lag = float(file.attrs["lag"])
    return Responses(
        session=session,
        lag=lag,
        covariate_names=tuple(filter(None, names.split(","))),
        session_of=np.zeros(len(arrays["image"]), np.int64),
        **arrays,
    )
