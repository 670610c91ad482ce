"""Maps of mean |SHAP|: which ROIs, at which frames of the window, move a decoder's output.

One map an allocation, over windows of its test mouse. A large value says that the decoder uses
this signal, right or wrong, for run as for rest; it does not say that behaviour depends on it. A
decoder near chance has maps too, which mean nothing: read the AUC first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mesodecode.base import records
from mesodecode.base.files import UserError
from mesodecode.base.progress import Progress
from mesodecode.base.windows import offsets
from mesodecode.decoders.inputs import Windows
from mesodecode.decoders.roi_rnn import windows as windows_of
from mesodecode.decoders.weights import Trained
from mesodecode.explain.attributions import explain
from mesodecode.recordings.recording import Recording, mice_of
from mesodecode.recordings.roi_signals import SessionSignals, session_signals

BATCH = 100  # windows explained at once; between two, progress is told


@dataclass(frozen=True)
class ShapMap:
    """Mean |SHAP| of one decoder in one allocation, and all that it depends on.

    mean_abs (frames, ROIs) float64, in units of the output; frame (frames,), relative to the
    decoded one; roi (ROIs,), numbers from 1; names, where ROIs have some; frame_rate in frames/s,
    0 if the sessions differ; base, the mean output over the background; completeness_error, the
    largest |base + sum of a window's values - its output|.
    """

    decoder: str
    allocation: str
    test_mouse: str
    mean_abs: np.ndarray
    frame: np.ndarray
    roi: np.ndarray
    names: tuple[str, ...]
    frame_rate: float
    method: str
    output: str
    n_windows: int
    n_background: int
    background_from: str
    base: float
    completeness_error: float

    def write(self, path: str | Path) -> None:
        """Write the map to `path` (HDF5), whole or not at all."""
        records.write(self, path)


def read(path: str | Path) -> ShapMap:
    """Read a map. Raises UserError if the file is none."""
    return records.read(path, ShapMap, "shap")


def shap_map(
    trained: Trained,
    recordings: Sequence[Recording],
    background_recordings: Sequence[Recording],
    settings: Mapping[str, Any],
    *,
    decoder: str,
    device: torch.device | str = "cpu",
) -> ShapMap:
    """Explain windows of test `recordings`, evenly spaced over their decodable frames.

    The background is drawn, without replacement, from recordings of training mice, or from the
    test recordings where none are given. `settings` are those of importance/shap.yaml. Of
    fewer decodable frames than asked for, all are taken; the map says how many.
    Raises UserError if the network was trained on a test mouse, the background is of another
    mouse than it was trained on, or the ROIs do not fit it.
    """
    allocation = trained.allocate(mice_of(recordings))
    strangers = {*mice_of(background_recordings)} - {*allocation.train}
    if strangers:
        raise UserError(
            f"background: mouse {', '.join(sorted(strangers))} did not train this decoder "
            f"({', '.join(allocation.train)} did); leave these recordings out to draw from the test"
        )
    source, rois = windows_as_trained(trained, recordings, device)
    pool = source
    if background_recordings:
        pool, _ = windows_as_trained(trained, background_recordings, device)
    explained = source.centres[evenly(len(source.centres), settings["windows"])]
    drawn = _draw(len(pool.centres), settings["background"], settings["seed"])
    background = pool.batch(pool.centres[drawn])
    model = trained.build(device)

    total = torch.zeros(source.batch(explained[:1]).shape[1:], dtype=torch.float64)
    bases, errors = [], []
    with Progress(len(explained), "windows", "SHAP") as progress:
        for part in explained.split(BATCH):
            found = explain(
                model,
                source.batch(part),
                background,
                **{key: settings[key] for key in ("method", "output", "seed")},
            )
            total += found.values.abs().sum(0, dtype=torch.float64).cpu()
            bases.append(found.base)
            errors.append(found.completeness_error)
            progress.update(len(part))
    half, shift = trained.settings["half_window"], trained.settings["shift"]
    rates = {recording.frame_rate for recording in recordings}
    names = recordings[0].roi_names or ()
    return ShapMap(
        decoder=decoder,
        allocation=allocation.id,
        test_mouse=allocation.joined("test"),
        mean_abs=(total / len(explained)).numpy(),
        frame=offsets(half, shift, bool(trained.settings.get("causal"))),
        roi=np.array(rois),
        names=tuple(names[roi - 1] for roi in rois) if names else (),
        frame_rate=rates.pop() if len(rates) == 1 else 0.0,
        **{key: settings[key] for key in ("method", "output")},
        n_windows=len(explained),
        n_background=len(background),
        background_from="train" if background_recordings else "test",
        base=bases[0],
        completeness_error=max(errors),
    )


def mean_map(maps: Sequence[ShapMap]) -> np.ndarray:
    """Return the mean over allocations (frames, ROIs). Raises UserError if they do not match."""
    check_alike(maps, "decoder")
    return np.mean([one.mean_abs for one in maps], axis=0)


def check_alike(maps: Sequence[ShapMap], *also: str) -> None:
    """Raise UserError unless maps are of the same ROIs, frames and output (and `also`)."""
    first = maps[0]
    for other in maps:
        for key in ("frame", "roi", "output", *also):
            if not np.array_equal(getattr(first, key), getattr(other, key)):
                raise UserError(
                    f"maps of allocations {first.allocation} and {other.allocation}: of other "
                    "ROIs, frames, decoders or outputs; summarise maps of one analysis"
                )


def roi_sums(maps: Sequence[ShapMap]) -> np.ndarray:
    """Return mean |SHAP| of ROIs summed over the frames of the window (allocations, ROIs)."""
    return np.array([one.mean_abs.sum(axis=0) for one in maps])


def roi_table(maps: Sequence[ShapMap]) -> pd.DataFrame:
    """Return roi, name, n (allocations), mean and sd (sample SD), a row an ROI.

    Of each ROI's mean |SHAP| summed over the frames of the window (Ajioka et al. 2024, Fig 6B).
    """
    first, sums = maps[0], roi_sums(maps)
    return pd.DataFrame(
        {
            "roi": first.roi,
            "name": first.names or [str(roi) for roi in first.roi],
            "n": len(sums),
            "mean": sums.mean(axis=0),
            "sd": sums.std(axis=0, ddof=1) if len(sums) > 1 else np.nan,
        }
    )


def windows_as_trained(
    trained: Trained, recordings: Sequence[Recording], device: torch.device | str
) -> tuple[Windows, list[int]]:
    """Return windows of recordings as the decoder was trained on them, and its ROIs' numbers."""
    settings = trained.settings
    sessions, missing = session_signals(recordings, settings)
    n_rois = recordings[0].rois.shape[1]
    everything = list(range(1, n_rois + 1))
    rois = (settings["rois"] or everything) if settings["others"] == "drop" else everything
    expected = trained.state["rnn.weight_ih_l0"].shape[1]
    if len(rois) != expected:
        raise UserError(
            f"{recordings[0].path}: gives {len(rois)} ROIs, but the decoder was trained on "
            f"{expected}; give recordings of the same ROIs"
        )
    dropped = settings.get("dropped", [])
    news = [roi for roi in missing if roi not in dropped]
    if news:
        raise UserError(
            f"ROI {', '.join(map(str, news))}: constant or missing in one of "
            f"{', '.join(str(r.path) for r in recordings)}, but the decoder was trained with it"
        )
    columns = [rois.index(roi) for roi in dropped]
    source = windows_of([_without(s, columns) for s in sessions], settings, device)
    if not len(source.centres):
        raise UserError(
            f"{recordings[0].path}: no frame has a window of ±{settings['half_window']} frames"
        )
    return source, rois


def _without(session: SessionSignals, columns: Sequence[int]) -> SessionSignals:
    session.features[:, columns] = 0
    return session


def evenly(n: int, wanted: int) -> np.ndarray:
    """Return `wanted` numbers below n, evenly spaced; all if there are fewer."""
    wanted = min(n, wanted)
    return (2 * np.arange(wanted) + 1) * n // (2 * wanted)


def _draw(n: int, wanted: int, seed: int) -> np.ndarray:
    """Return `wanted` different numbers below n, in ascending order; all if there are fewer."""
    return np.sort(np.random.default_rng(seed).choice(n, min(n, wanted), replace=False))
