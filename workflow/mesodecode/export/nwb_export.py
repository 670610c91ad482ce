"""A session's results as one NWB file, for the tools of a lab: states, speed, ROIs, predictions.

Intervals `states` (column `state`: run, rest); processing module `behavior`: the series `speed`
(m/s; kept in cm/s with conversion 0.01) and `segment` where known, and under `decoding` a series
of probabilities for each decoder and allocation that tests the session's mouse; module `ophys`:
the ROI signals. Of another target the trace itself is in `behavior` too (`target`), or there are
intervals `named_states`, and `decoding` has predictions in its unit, or a column a state. `nwb`
reads states, speed and segments back. Times are those of the frames where the recording has some,
else frame / frame_rate, from 0 s at the first frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pynwb
from hdmf.backends.hdf5 import H5DataIO
from hdmf.common import DynamicTable, VectorData
from pynwb.behavior import BehavioralTimeSeries
from pynwb.epoch import TimeIntervals
from pynwb.file import Subject
from pynwb.ophys import (
    DfOverF,
    Fluorescence,
    ImageSegmentation,
    OpticalChannel,
    PlaneSegmentation,
    RoiResponseSeries,
)

from mesodecode.base.files import UserError, atomic_path, sha256
from mesodecode.export.nwb_metadata import PLACEHOLDER, Metadata
from mesodecode.recordings.locomotion import frame_ends
from mesodecode.recordings.masks import Masks, read_masks
from mesodecode.report import decoder_words, phrases
from mesodecode.study.allocation import split_ids
from mesodecode.study.targets import RUN, Target

if TYPE_CHECKING:
    from mesodecode.decoders.predictions import Predictions
    from mesodecode.recordings.recording import Recording
    from mesodecode.study.study import Study

STATES = ("rest", "run")  # by label


def export(
    out: str | Path,
    recording: Recording,
    predictions: Iterable[Predictions],
    study: Study,
    metadata: Metadata,
    settings: dict[str, Any],
    movie_size: tuple[int, int] | None = None,
) -> None:
    """Write a session as the NWB file `out`, whole or not at all.

    `predictions` are those of allocations that test the session's mouse; `settings` those of
    tables/nwb.yaml; `movie_size` the height and width (px) of the movie as recorded, for the masks
    that ROI signals were taken with (None leaves the masks out).
    Raises UserError if predictions are of other frames, labels or mice than recording and study
    say, or if the file of the masks is not the one that the signals were taken with.
    """
    nwb = _file(recording, study, metadata)
    frames = _Frames(recording)
    nwb.add_time_intervals(states_table(recording, frames.starts))
    behavior = nwb.create_processing_module("behavior", "locomotion, measured and decoded")
    if recording.speed is not None:
        speed = frames.series(
            "speed",
            recording.speed.astype(np.float64),  # so that cm/s come back exactly
            unit="m/s",
            conversion=0.01,
            description="speed of locomotion; data in cm/s, times conversion (0.01) in m/s",
        )
        behavior.add(BehavioralTimeSeries(time_series=speed))
    if recording.segment is not None:
        behavior.add(
            frames.series(
                "segment",
                recording.segment,
                unit="n.a.",
                description="frames of different numbers are not neighbours in time",
            )
        )
    if recording.target.states:
        nwb.add_time_intervals(named_states(recording, frames.starts))
    elif recording.target != RUN:
        trace = frames.series(
            "target",
            recording.decoded,
            unit=recording.target.unit or "n.a.",
            description=f"{recording.target.name}, the trace that decoders learn and are scored by",
        )
        behavior.add(trace)
    decoded = [_probabilities(frames, item, study) for item in predictions]
    if decoded:
        behavior.add(BehavioralTimeSeries(name="decoding", time_series=decoded))
    if recording.rois is not None:
        _add_rois(nwb, frames, settings, movie_size)
    with atomic_path(out) as part, pynwb.NWBHDF5IO(str(part), "w") as io:
        io.write(nwb)


class _Frames:
    """The frames of a recording, and series of values at some of them."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.starts = recording.time
        if recording.time is None:
            self.starts = np.arange(len(recording)) / recording.frame_rate
        self._stamped: dict[bytes, pynwb.TimeSeries] = {}

    def series(
        self,
        name: str,
        data: np.ndarray,
        frame: np.ndarray | None = None,
        kind: type[pynwb.TimeSeries] = pynwb.TimeSeries,
        **about: Any,
    ) -> pynwb.TimeSeries:
        """Return a series of data (n, …) at frames (n,), all if None.

        By its rate where it has one, else by time stamps, kept once for all series of like frames.
        """
        frame = np.arange(len(self.starts)) if frame is None else np.asarray(frame)
        about |= {"name": name, "data": H5DataIO(data, compression="gzip", shuffle=True)}
        unbroken = len(frame) > 0 and frame[-1] - frame[0] + 1 == len(frame)
        if self.recording.time is None and unbroken:
            start = float(self.starts[frame[0]])
            return kind(starting_time=start, rate=self.recording.frame_rate, **about)
        first = self._stamped.get(frame.tobytes())
        if first is None:
            stamps = H5DataIO(self.starts[frame], compression="gzip", shuffle=True)
            return self._stamped.setdefault(frame.tobytes(), kind(timestamps=stamps, **about))
        return kind(timestamps=first, **about)


def states_table(recording: Recording, starts: np.ndarray) -> TimeIntervals:
    """Return the bouts of run and rest as intervals; none crosses from a segment to the next.

    `starts` (T,) s, when each frame begins. A bout ends when its last frame does.
    """
    return _intervals(
        recording,
        starts,
        recording.labels,
        STATES,
        "states",
        "bouts of run and rest, the labels that decoders learn and are scored by"
        if recording.target == RUN
        else "bouts of run and rest, which are not what decoders learn",
    )


def named_states(recording: Recording, starts: np.ndarray) -> TimeIntervals:
    """Return the bouts of the named states that are decoded, as `states_table` those of run."""
    words = "bouts of the states that decoders learn and are scored by"
    states = recording.target.states
    return _intervals(recording, starts, recording.decoded, states, "named_states", words)


def _intervals(
    recording: Recording,
    starts: np.ndarray,
    labels: np.ndarray,
    states: Sequence[str],
    name: str,
    words: str,
) -> TimeIntervals:
    changes = labels[1:] != labels[:-1]
    if recording.segment is not None:
        changes |= recording.segment[1:] != recording.segment[:-1]
    first = np.concatenate([[0], np.flatnonzero(changes) + 1])
    last = np.append(first[1:] - 1, len(labels) - 1)
    columns = {
        "start_time": ("when the first frame of the bout begins, in s", starts[first]),
        "stop_time": ("when its last frame ends, in s", frame_ends(starts)[last]),
        "state": (" or ".join(states[::-1]), [states[label] for label in labels[first]]),
    }
    return TimeIntervals(
        name=name,
        description=words,
        columns=[VectorData(name=k, description=d, data=v) for k, (d, v) in columns.items()],
    )


def _file(recording: Recording, study: Study, metadata: Metadata) -> pynwb.NWBFile:
    simulated = "Simulated session" if "simulate" in study.config else "Session"
    words = [
        f"{simulated} {recording.session} of mouse {recording.mouse}: run and rest as recorded and "
        f"as decoded from cortex-wide calcium imaging, study {study.name}."
    ]
    if metadata.start is None:
        words.append(
            "When it was recorded is not known: session_start_time is a placeholder. Times in this "
            "file count from the recording's own zero."
        )
    if recording.segment is not None and recording.time is None:
        words.append(
            "The recording has gaps of unknown length: times are frame / frame_rate and run on "
            "across them (series segment)."
        )
    return pynwb.NWBFile(
        session_description=" ".join(words),
        identifier=f"{study.name}/{recording.session}",
        session_id=recording.session,
        session_start_time=metadata.start or PLACEHOLDER,
        subject=Subject(subject_id=recording.mouse, **metadata.subject),
        keywords=["widefield calcium imaging", "decoding", "locomotion"],
        notes=study.config["note"] or None,
    )


def _probabilities(frames: _Frames, item: Predictions, study: Study) -> pynwb.TimeSeries:
    """Return the predictions of a decoder in one allocation, for the session of `frames`."""
    recording = frames.recording
    where = f"predictions of {item.decoder}, {item.allocation}"
    allocation = study.allocations[item.allocation]
    if item.train_mice != allocation.joined("train") or recording.mouse not in allocation.test:
        raise UserError(f"{where}: of other mice than their allocation; make the predictions again")
    if recording.session not in item.sessions:
        raise UserError(f"{where}: no session {recording.session}; make the predictions again")
    found = item.sessions[recording.session]
    settings = study.decoders[item.decoder].settings
    own = settings.get("labels", "own") == "own"
    inside = not len(found.frame) or 0 <= found.frame[0] <= found.frame[-1] < len(recording)
    truth = recording.labels if recording.target == RUN else recording.decoded
    same = item.target == recording.target
    if not (inside and same) or (own and (truth[found.frame] != found.label).any()):
        raise UserError(
            f"{where}: session {recording.session} has other frames, labels or target than "
            f"{recording.path}; make the predictions again"
        )
    what, unit = _told(item.target)
    control = "" if own else " Its labels were permuted: a control for chance."
    return frames.series(
        f"{item.decoder}.{item.allocation}",
        found.probability,
        found.frame,
        unit=unit,
        description=(
            f"{what}, by decoder {item.decoder} "
            f"({decoder_words.describe(settings)}), trained on mice {_mice(item.train_mice)} and "
            f"validated on {_mice(item.valid_mouse)}; no decoder or feature was ever fitted to the "
            f"test mouse, {recording.mouse}.{control} {len(found.frame)} of {len(recording)} "
            "frames; the others have no whole window within their segment."
        ),
    )


def _told(target: Target) -> tuple[str, str]:
    """Return what a series of predictions holds, and its unit."""
    if target == RUN:
        return "Probability of run, 0 to 1", "probability"
    if target.states:
        return f"Probability of {', '.join(target.states)} (columns), 0 to 1", "probability"
    return f"{target.name} as predicted", target.unit or "n.a."


def _mice(joined: str) -> str:
    return phrases.joined(split_ids(joined))


def _add_rois(
    nwb: pynwb.NWBFile,
    frames: _Frames,
    settings: dict[str, Any],
    movie_size: tuple[int, int] | None,
) -> None:
    """Add the ROI signals: of a plane's masks where these are known, else with a table of names."""
    recording = frames.recording
    with h5py.File(recording.path) as file:
        path, digest = (file.attrs.get(key) for key in ("roi_masks", "roi_masks_sha256"))
        known = ~file["outside"][:] if "outside" in file else None
    dff = recording.unit == "dff"
    names = recording.roi_names or [f"{roi + 1}" for roi in range(recording.rois.shape[1])]
    column = VectorData(name="roi_name", description="name, or number from 1", data=list(names))
    ophys = nwb.create_processing_module("ophys", "signals of regions of interest (ROIs)")
    if path is None or movie_size is None:
        ophys.add(
            DynamicTable(
                name="rois", description="ROIs, a row a column of roi_signals", columns=[column]
            )
        )
        given = "as given to mesodecode" if path is None else "means over masks of the movie"
        ophys.add(
            frames.series(
                "roi_signals",
                recording.rois,
                unit="a.u.",
                description=f"ROI signals {given}, frames x ROIs; columns: {', '.join(names)}",
            )
        )
        return
    if sha256(path) != digest:
        raise UserError(
            f"{path}: not the masks that {recording.path} was made with; preprocess it again"
        )
    masks = read_masks(path, *movie_size)
    masks = masks if known is None else masks.within(known, path)
    plane = _segmentation(nwb, masks, movie_size, column, settings)
    ophys.add(ImageSegmentation(plane_segmentations=plane))
    container = (DfOverF if dff else Fluorescence)()
    ophys.add(container)  # first: hdmf warns of a series whose table is in no common file
    signals = frames.series(
        "roi_signals",
        recording.rois,
        kind=RoiResponseSeries,
        rois=plane.create_roi_table_region("all ROIs", region=list(range(len(names)))),
        unit="n.a." if dff else "a.u.",
        description="mean over each mask, " + ("ΔF/F" if dff else "camera counts"),
    )
    container.add_roi_response_series(signals)


def _segmentation(
    nwb: pynwb.NWBFile,
    masks: Masks,
    size: Sequence[int],
    names: VectorData,
    settings: dict[str, Any],
) -> PlaneSegmentation:
    height, width = size
    nan = float("nan")
    channel = OpticalChannel(
        name="signal",
        description="the channel that shows calcium",
        emission_lambda=float(settings["emission"] or nan),
    )
    plane = nwb.create_imaging_plane(
        name="cortex",
        description=f"dorsal cortex, {height} x {width} px (height x width)",
        device=nwb.create_device("camera", description="widefield camera"),
        optical_channel=channel,
        excitation_lambda=float(settings["excitation"] or nan),
        indicator=settings["indicator"],
        imaging_rate=None,
        location="Isocortex",
    )
    table = PlaneSegmentation(
        name="rois",
        description="masks in px of the movie as recorded: x to the right, y down, from 0",
        imaging_plane=plane,
    )
    for pixels in masks.pixels:
        y, x = np.unravel_index(pixels, (height, width))
        table.add_roi(pixel_mask=[(*place, 1.0) for place in zip(x, y, strict=True)])
    table.add_column(name=names.name, description=names.description, data=names.data)
    return table
