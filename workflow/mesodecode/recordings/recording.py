"""A preprocessed recording: one HDF5 file a session, read by every later stage.

`frames` (T, H, W) in the recording's own type; `labels` (T,) 0 rest, 1 run; `speed` (T,) cm/s,
`segment` (T,), `time` (T,) s, `target` (T,) and `rois` (T, R; with the attribute `names` if they
have names) where known; `pixel_mean` (H, W); `stack_sd` scalar; `frame_codes` (frames of the movie,
of all channels) uint64, by which they are known again in a copy (see `same_frames`); `outside`
(height and width of the movie) bool where pixels of it were NaN, outside the brain, and are 0;
attributes session (its id), session_name where that is another, mouse, frame_rate, recorded_size
(height and width of the movie in px, before image_size), movie_axes (the order that its array was
read by, such as TYX), movie_axes_by (what said so: the file, movie_axes, an image of its size, or
nothing) and the source files with their SHA-256; doubts, what was assumed of these and may well be
wrong, where anything was; unit, dff, of a movie that was ΔF/F already (of a
corrected one in the group `corrections`). `target`, where a study decodes another than run and
rest, is a trace float32, or codes of states uint8; its attributes say which (`targets.Target`).
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mesodecode.base import files
from mesodecode.base.files import NO_FILE, UserError, as_text, one_line, say, sha256_of
from mesodecode.recordings import chunks
from mesodecode.recordings.baseline import Baseline, fixed
from mesodecode.study.correction_table import looks_ahead
from mesodecode.study.targets import RUN, Target

SAME_RATE = 0.05  # that frame rates may differ by
FRAMES = ("frame_size", "frame_rate")  # what trained decoders keep of frames


@dataclass(frozen=True)
class Recording:
    """A session without its frames, which `read_frames` brings into memory.

    Attributes: labels (T,) uint8; speed (T,) float32 cm/s, segment (T,) int64 and rois (T, R)
    float32 or None; pixel_mean (H, W) float32 and stack_sd in camera counts; shape (T, H, W);
    roi_names (R,) where the ROIs have names; time (T,) float64 s, when each frame begins, or None;
    recorded_size, height and width of the movie in px before it was resized, as masks of its areas
    are drawn, or None where that is not known; name: what the config calls the session, where its
    id (`session`) is another; unit of a pixel, counts (of light) or dff (ΔF/F, made here or by
    others, whatever its scale); baseline: a running one that frames are normalised
    about (see `mesodecode.recordings.baseline.prepared`), or None: `pixel_mean`; first: how
    many frames from the start say by what ROI signals are normalised, or None: all; reference: the
    first recording of the same mouse of those read with it, None of that itself; causal: images end
    at the decoded frame; skip: frames at the start that what normalises them is not known of (see
    `mesodecode.recordings.baseline.prepared`); target: what is decoded, and decoded (T,), its
    values, None of run and rest (see `with_labels_of`).
    """

    path: Path
    session: str
    mouse: str
    frame_rate: float
    labels: np.ndarray
    speed: np.ndarray | None
    segment: np.ndarray | None
    rois: np.ndarray | None
    pixel_mean: np.ndarray
    stack_sd: float
    shape: tuple[int, int, int]
    roi_names: tuple[str, ...] | None = None
    time: np.ndarray | None = None
    recorded_size: tuple[int, int] | None = None
    baseline: Baseline | None = None
    name: str | None = None
    unit: str = "counts"
    first: int | None = None
    reference: Recording | None = None
    causal: bool = False
    skip: int = 0
    target: Target = RUN
    decoded: np.ndarray | None = None

    @property
    def corrected(self) -> bool:
        """Whether its movie was corrected by later frames of it (`is_corrected`)."""
        return is_corrected(self.path)

    def __len__(self) -> int:
        return self.shape[0]

    def subtracted(self) -> Baseline:
        """Return what is subtracted from each frame when it is normalised."""
        whole = self.pixel_mean[None], np.zeros(len(self), np.int64)
        return self.baseline or fixed(*whole)

    def sds(self) -> np.ndarray:
        """Return what each frame is divided by when it is normalised (T,) float32."""
        base = self.baseline
        if base is None or base.sd is None:
            return np.full(len(self), self.stack_sd, np.float32)
        return base.sd[base.before]

    def digest(self) -> str:
        """Return the SHA-256 of what weights depend on; frames go in by their mean and SD."""
        values = self.labels, self.decoded, self.segment, self.rois, self.pixel_mean
        return sha256_of(*values, np.float64(self.stack_sd))

    def read_frames(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return frames start…stop as (n, H, W) in their own type."""
        return chunks.read_frames(self.path, start, stop)

    def planes(self) -> chunks.Planes | None:
        """Return its frames as they are stored, if it is so that threads can read them."""
        return chunks.planes_of(self.path)


def read_recording(path: str | Path) -> Recording:
    """Open a recording that `mesodecode preprocess` wrote; its frames stay on disk.

    Raises UserError if the file is not such a recording.
    """
    try:
        with h5py.File(path) as file:

            def optional(name: str) -> np.ndarray | None:
                return file[name][:] if name in file else None

            size, name = file.attrs.get("recorded_size"), file.attrs.get("session_name")
            return Recording(
                path=Path(path),
                session=as_text(file.attrs["session"]),
                mouse=as_text(file.attrs["mouse"]),
                frame_rate=float(file.attrs["frame_rate"]),
                labels=file["labels"][:],
                speed=optional("speed"),
                segment=optional("segment"),
                rois=optional("rois"),
                pixel_mean=file["pixel_mean"][:],
                stack_sd=float(file["stack_sd"][()]),
                shape=file["frames"].shape,
                roi_names=_names(file),
                time=optional("time"),
                recorded_size=None if size is None else tuple(map(int, size)),
                name=None if name is None else as_text(name),
                unit=as_text(file.get("corrections", file).attrs.get("unit", "counts")),
                target=_target(file),
                decoded=optional("target"),
            )
    except NO_FILE:
        raise
    except (OSError, KeyError) as error:
        raise UserError(
            f"{path}: not a preprocessed recording ({one_line(error)}); "
            "make it with `mesodecode preprocess`"
        ) from error


def is_corrected(path: str | Path) -> bool:
    """Tell whether a recording is of a movie that was corrected by later frames of it.

    See `mesodecode.study.correction_table.looks_ahead`.
    """
    with h5py.File(path) as file:
        if "corrections" not in file:
            return False
        said = file["corrections"].attrs.get("settings")
        return said is None or bool(looks_ahead(json.loads(said)))


def _names(file: h5py.File) -> tuple[str, ...] | None:
    if "rois" not in file or "names" not in file["rois"].attrs:
        return None
    return tuple(map(as_text, file["rois"].attrs["names"]))


def _target(file: h5py.File) -> Target:
    return Target.of_attributes(file["target"].attrs) if "target" in file else RUN


def mice_of(sessions: Iterable[Any]) -> tuple[str, ...]:
    """Return the mice of recordings, or of anything with a `mouse`, each once and in order."""
    return tuple(dict.fromkeys(session.mouse for session in sessions))


def listed(path: str | Path) -> list[Path]:
    """Return the recordings that a path stands for, as `files.listed`.

    Raises UserError as that, and if a list names a file that is not there.
    """
    paths = files.listed(path, "recordings")
    missing = [recording for recording in paths if not recording.exists()]
    if missing and Path(path) not in paths:
        raise UserError(
            f"{path}: lists {missing[0]}, which is not there; make it again, with "
            f"`snakemake --forcerun preprocess`, or correct the list"
        )
    return paths


def read_roles(
    *roles: list[str] | list[Path], same_size: bool = True
) -> tuple[list[Recording], ...]:
    """Open the recordings of each role (say, training mice and test mice), as `read_recordings`."""
    paths = [[name for path in role for name in listed(path)] for role in roles]
    recordings = iter(read_recordings([p for role in paths for p in role], same_size=same_size))
    return tuple([next(recordings) for _ in role] for role in paths)


def read_recordings(paths: list[str] | list[Path], *, same_size: bool = True) -> list[Recording]:
    """Open recordings, named one by one or by a list (.txt) of one path a line.

    The first of each mouse is the `reference` of its others.

    Raises UserError if a session comes twice, or if the frames differ in size and `same_size`.
    """
    recordings = [read_recording(name) for path in paths for name in listed(path)]
    first = recordings[0]
    seen: dict[str, Path] = {}
    for recording in recordings:
        if same_size and recording.shape[1:] != first.shape[1:]:
            raise UserError(
                f"{recording.path}: frames of {recording.shape[1:]} px, but {first.path} has "
                f"{first.shape[1:]}; set image_size in the config"
            )
        if recording.session in seen:
            raise UserError(f"{recording.path}: session '{recording.session}' was given twice")
        seen[recording.session] = recording.path
    references = {one.mouse: one for one in reversed(recordings)}
    return [
        one if references[one.mouse] is one else replace(one, reference=references[one.mouse])
        for one in recordings
    ]


def with_labels_of(
    recordings: Sequence[Recording], donors: Mapping[str, str] | None
) -> list[Recording]:
    """Return recordings as a decoder learns them: `labels` are the values of its target.

    They have the labels of others; those that `donors` does not name, theirs.

    `donors`: session -> the session, also among `recordings`, whose labels it is given. Frames and
    segments stay. Raises UserError if the two have different numbers of frames, or recordings
    have different targets.
    """
    target_of(recordings)
    own = {recording.session: recording for recording in recordings}
    exchanged = []
    for recording in recordings:
        donor = own[(donors or {}).get(recording.session, recording.session)]
        if len(donor) != len(recording):
            raise UserError(
                f"{donor.path}: {len(donor)} frames, but {recording.path} has {len(recording)}; "
                "labels can be permuted only between sessions of one length"
            )
        labels = donor.labels if donor.decoded is None else donor.decoded
        exchanged.append(replace(recording, labels=labels))
    return exchanged


def frames_of(recordings: Sequence[Recording], *, images: bool = True) -> dict[str, Any]:
    """Return what a trained decoder keeps of the frames of its training recordings.

    frame_rate, frames/s, the median; of decoders of `images` frame_size, height and width in px.
    """
    rate = statistics.median(one.frame_rate for one in recordings)
    size = {"frame_size": list(map(int, recordings[0].shape[1:]))} if images else {}
    return size | {"frame_rate": float(rate)}


def told_frames(settings: Mapping[str, Any]) -> tuple[tuple[int, int] | None, float | None]:
    """Return size and rate that a trained decoder keeps (`frames_of`), None what it does not say.

    As of older weights, or of what is no size or rate.
    """
    size, rate = settings.get("frame_size"), settings.get("frame_rate")
    is_size = isinstance(size, list | tuple) and len(size) == 2
    is_size = is_size and all(type(n) is int and n > 0 for n in size)
    is_rate = isinstance(rate, float | int) and math.isfinite(rate) and rate > 0
    return (tuple(size) if is_size else None), (float(rate) if is_rate else None)


def check_frames(
    settings: Mapping[str, Any], recordings: Iterable[Recording], path: str | Path
) -> None:
    """Raise UserError unless recordings have frames of the size that a decoder was trained on.

    `settings`: those of the decoder, of the file `path`. A line says where frames come at another
    rate, so that windows, which are counted in frames, last another time.
    """
    size, rate = told_frames(settings)
    for one in recordings:
        if size and one.shape[1:] != size:
            raise UserError(
                f"{one.path}: frames of {one.shape[1:]} px, but {path} was trained on {size}; set "
                "image_size in the config"
            )
        if rate and abs(one.frame_rate / rate - 1) > SAME_RATE:
            say(
                f"{one.path}: {one.frame_rate:g} frames/s, but {path} was trained at {rate:g}; its "
                "windows are counted in frames, and last another time here"
            )


def target_of(recordings: Sequence[Recording]) -> Target:
    """Return what is decoded in recordings. Raises UserError if it is not the same in all."""
    first = recordings[0]
    for one in recordings:
        if one.target != first.target:
            raise UserError(
                f"{one.path}: its target is {one.target.told}, but {first.target.told} in "
                f"{first.path}; preprocess both for the same (target, behavior_target, "
                "target_states), in one unit"
            )
    return first.target
