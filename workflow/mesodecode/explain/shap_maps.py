"""Maps of SHAP values: which ROIs, at which frames of the window, move a decoder's output, and how.

One map an allocation, over windows of its test mouse. Mean |SHAP| is the published map. Beside it
stand three that keep the sign; their plain mean would be near 0 wherever windows are as usual.
`signed` is the mean of SHAP where a signal is above its mean over the background, and of -SHAP
where it is below: above 0, more activity of this ROI at this frame speaks for run, below 0 for
rest. Its size is at most mean |SHAP|, and the same where the direction is always one. `in_run` and
`in_rest` are the means over windows of each state: what the ROI says while the mouse runs or rests.
Where `in_run` is above `in_rest`, it speaks for the state that is; below, it misleads.

A large value says that the decoder uses this signal, right or wrong, for run as for rest; it does
not say that behaviour depends on it. A decoder near chance has maps too, which mean nothing: read
the AUC first.

Decoders of other targets have such maps of each of their outputs (`explained`); in the place of run
and rest stand high and low values of a trace, or a state and the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mesodecode.base.files import UserError
from mesodecode.base.progress import Progress
from mesodecode.base.windows import offsets
from mesodecode.decoders.inputs import Windows
from mesodecode.decoders.roi_networks import windows as windows_of
from mesodecode.decoders.weights import Trained, load_trained
from mesodecode.explain import explained
from mesodecode.explain.attributions import explain
from mesodecode.explain.deepshap import Explanation
from mesodecode.explain.recording_noise import with_noise
from mesodecode.explain.shap_files import VALUES, Map, ShapMap, TargetMap
from mesodecode.recordings.recording import (
    Recording,
    check_frames,
    mice_of,
    read_recordings,
    target_of,
    with_labels_of,
)
from mesodecode.recordings.roi_signals import check_named, roi_names, session_signals
from mesodecode.study.allocation import Allocation
from mesodecode.study.targets import RUN, Target

BATCH = 100  # windows explained at once; between two, progress is told


def read_inputs(
    weights: str | Path, recordings: Sequence[Path], background: Sequence[Path]
) -> tuple[Trained, list[Recording], list[Recording]]:
    """Read a recurrent ROI decoder, test recordings and those of the background.

    Raises UserError if the decoder is of another target, or of other frames, than the recordings.
    """
    trained = load_trained(weights, "roi_rnn")
    test = with_labels_of(read_recordings(recordings, same_size=False), None)
    Target.of_settings(trained.settings).check_same(target_of(test), weights)
    check_frames(trained.settings, test, weights)
    return trained, test, read_recordings(background, same_size=False) if background else []


def shap_map(
    trained: Trained,
    recordings: Sequence[Recording],
    background_recordings: Sequence[Recording],
    settings: Mapping[str, Any],
    *,
    decoder: str,
    noise: np.random.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Map:
    """Explain windows of test `recordings`, evenly spaced over their decodable frames.

    The background is drawn, without replacement, from recordings of training mice, or from the
    test recordings where none are given. `settings` are those of importance/shap.yaml. Of
    fewer decodable frames than asked for, all are taken; the map says how many. `noise` draws noise
    for the signals that are explained (`recording_noise`), not for the background.
    Raises UserError if the network was trained on a test mouse, the background is of another
    mouse than it was trained on, or the ROIs do not fit it.
    """
    allocation = trained.allocate(mice_of(recordings))
    check_background(allocation, background_recordings)
    target = Target.of_settings(trained.settings)
    source, rois = windows_as_trained(trained, recordings, device, noise)
    pool = source
    if background_recordings or noise is not None:
        pool, _ = windows_as_trained(trained, background_recordings or recordings, device)
    at = source.centres[evenly(len(source.centres), settings["windows"])]
    chosen = drawn(len(pool.centres), settings["background"], settings["seed"])
    background = pool.batch(pool.centres[chosen])
    made = _explained(trained, source, at, background, settings, device)

    half, shift = trained.settings["half_window"], trained.settings["shift"]
    names = trained.settings.get("roi_names") or roi_names(recordings)
    about = about_of(allocation, recordings, background_recordings, settings, target) | {
        "decoder": decoder,
        "method": settings["method"],
        "frame": offsets(half, shift, bool(trained.settings.get("causal"))),
        "roi": np.array(rois),
        "names": tuple(names[roi - 1] for roi in rois) if any(names) else (),
        "n_windows": len(at),
        "n_background": len(background),
    }
    return map_of(made, target, about)


def about_of(
    allocation: Allocation,
    recordings: Sequence[Recording],
    background_recordings: Sequence[Recording],
    settings: Mapping[str, Any],
    target: Target,
) -> dict[str, Any]:
    """Return what every map says of the recordings it is made from, by names of `Map`."""
    rates = {recording.frame_rate for recording in recordings}
    return {
        "allocation": allocation.id,
        "test_mouse": allocation.joined("test"),
        "output": target.kind.explained or settings["output"],
        "frame_rate": rates.pop() if len(rates) == 1 else 0.0,
        "background_from": "train" if background_recordings else "test",
    }


def check_background(allocation: Allocation, recordings: Sequence[Recording]) -> None:
    """Raise UserError if recordings to draw the background from are of no training mouse."""
    strangers = {*mice_of(recordings)} - {*allocation.train}
    if strangers:
        raise UserError(
            f"background: mouse {', '.join(sorted(strangers))} did not train this decoder "
            f"({', '.join(allocation.train)} did); leave these recordings out to draw from the test"
        )


def map_of(made: Sequence[Sums], target: Target, about: Mapping[str, Any]) -> Map:
    """Return the map of what was made of each output; `about`: the rest of it."""
    error = max(one.error for one in made)
    if target == RUN:
        (one,) = made
        numbers = {"n_run": one.n_run, "base": one.base, "completeness_error": error}
        return ShapMap(**one.means(), **about, **numbers)
    found = [one.means() for one in made]
    each = {key: np.array([means[key] for means in found]) for key in VALUES}
    return TargetMap(
        **about,
        target_name=target.name,
        target_unit=target.unit,
        target_states=target.states,
        mean_abs=each["mean_abs"].mean(axis=0),
        each_abs=each["mean_abs"],
        signed=each["signed"],
        one_side=each["in_run"],
        other_side=each["in_rest"],
        n_one_side=np.array([one.n_run for one in made]),
        base=np.array([one.base for one in made]),
        completeness_error=error,
    )


def _explained(
    trained: Trained,
    source: Windows,
    at: torch.Tensor,
    background: torch.Tensor,
    settings: Mapping[str, Any],
    device: torch.device | str,
) -> list[Sums]:
    """Explain each output for the windows of the positions `at`; return the sums of each."""
    target = Target.of_settings(trained.settings)
    outputs = explained.outputs(target)
    model = explained.network_of(trained.build(device), target)
    how = {key: settings[key] for key in ("method", "seed")}
    how["output"] = "logit" if target.kind.explained else settings["output"]
    sums = [Sums(background.shape[1:], one, background.device) for one in outputs]
    usual = background.mean(0)
    sides = explained.one_side(source.labels[at], target)
    with Progress(len(at) * len(outputs), "windows", "SHAP") as progress:
        for part, side in zip(at.split(BATCH), sides.split(BATCH, dim=1), strict=True):
            windows = source.batch(part)
            for one, mine in zip(sums, side, strict=True):
                found = explain(model, windows, background, index=one.output.index, **how)
                one.add(found, directed(found.values, windows, usual), mine)
                progress.update(len(part))
    return sums


def directed(values: torch.Tensor, windows: torch.Tensor, usual: torch.Tensor) -> torch.Tensor:
    """Return values (n, …) with the other sign where windows (n, …) are below what is usual (…)."""
    return values * torch.sign(windows - usual)


class Sums:
    """Sums over windows of what the map of an output holds, made a batch at a time.

    `base`: its mean over the background; `error`: the largest completeness error; in its unit.
    """

    def __init__(
        self, shape: Sequence[int], output: explained.Output, device: torch.device | str
    ) -> None:
        """Begin with nothing of maps of a `shape` (frames, ROIs)."""
        self.output, self.base, self.error = output, 0.0, 0.0
        self._sums = torch.zeros((4, *shape), dtype=torch.float64, device=device)
        self._n = self.n_run = 0

    def add(self, found: Explanation, signed: torch.Tensor, run: torch.Tensor) -> None:
        """Add what is found of windows (n, frames, ROIs), and the same as `directed`.

        run (n,): which the mouse runs in.
        """
        scale = self.output.scale
        values = found.values.double() * scale
        parts = values.abs(), signed.double() * scale, values[run], values[~run]
        self._sums += torch.stack([part.sum(0) for part in parts])
        if not self._n:
            self.base = found.base * scale + self.output.offset
        self.error = max(self.error, found.completeness_error * scale)
        self._n += len(values)
        self.n_run += int(run.sum())

    def means(self) -> dict[str, np.ndarray]:
        """Return the maps by name, NaN where there was no window."""
        counts = self._n, self._n, self.n_run, self._n - self.n_run
        means = (self._sums / torch.tensor(counts).to(self._sums)[:, None, None]).cpu().numpy()
        return dict(zip(VALUES, means, strict=True))


def windows_as_trained(
    trained: Trained,
    recordings: Sequence[Recording],
    device: torch.device | str,
    noise: np.random.Generator | None = None,
) -> tuple[Windows, list[int]]:
    """Return windows of recordings as the decoder was trained on them, and its ROIs' numbers.

    With `noise`, after all normalisation, of which it draws as much as the signals have.
    """
    settings = trained.settings
    check_named(settings, recordings, trained.path or "weights")
    sessions, missing = session_signals(recordings, settings)
    n_rois = recordings[0].rois.shape[1]
    everything = list(range(1, n_rois + 1))
    rois = (settings["rois"] or everything) if settings["others"] == "drop" else everything
    expected = trained.build().n_features
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
    if noise is not None:
        for one in sessions:
            one.features[:] = with_noise(one.features, one.segment, noise)
    for one in sessions:
        one.features[:, columns] = 0
    source = windows_of(sessions, settings, device)
    if not len(source.centres):
        raise UserError(
            f"{recordings[0].path}: no frame has a window of ±{settings['half_window']} frames"
        )
    return source, rois


def evenly(n: int, wanted: int) -> np.ndarray:
    """Return `wanted` numbers below n, evenly spaced; all if there are fewer."""
    wanted = min(n, wanted)
    return (2 * np.arange(wanted) + 1) * n // (2 * wanted)


def drawn(n: int, wanted: int, seed: int) -> np.ndarray:
    """Return `wanted` different numbers below n, in ascending order; all if there are fewer."""
    return np.sort(np.random.default_rng(seed).choice(n, min(n, wanted), replace=False))
