"""Which light each frame of a movie was taken with, as rigs record it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError, say
from mesodecode.recordings.readers import npy
from mesodecode.recordings.readers.arrays import Bouts, Unreadable, is_empty
from mesodecode.recordings.readers.traces import read_variables

USUAL = ("light_sources", "light_source", "imagingLightSource", "imaging.imagingLightSource")


@dataclass(frozen=True)
class Lights:
    """Light sources of a movie of T frames, of `n_all` that the camera took.

    values (T,): that of each frame, whole numbers or words; None of a movie that holds the frames
    of one source alone. numbers (T,): which of all frames they are.
    """

    values: np.ndarray | None
    numbers: np.ndarray
    n_all: int


def lights_of(
    path: str | Path, name: str | None, n_frames: int, signal: int | str | None = None
) -> Lights:
    """Return the light sources of a movie of `n_frames` frames (see `read_light_sources`).

    There is one for each frame of the movie; else the movie holds those of the source `signal`
    alone, as what was corrected for hemodynamics does, and a line says so. Raises UserError if
    neither can be.
    """
    found, values = read_light_sources(path, name)
    if len(values) == n_frames:
        return Lights(values, np.arange(n_frames), n_frames)
    numbers = np.flatnonzero(values.astype(str) == str(signal))
    if len(numbers) == n_frames + 1 and numbers[-1] == len(values) - 1:
        numbers = numbers[:-1]  # of a last cycle that is not complete
    if len(numbers) == n_frames:
        say(
            f"{path}: {n_frames} of {len(values)} light sources are {signal}, as many as the movie "
            "has frames: it is taken to hold those alone"
        )
        return Lights(None, numbers, len(values))
    alone = "" if signal is None else f", and {len(numbers)} of them are {signal} (signal_channel)"
    raise UserError(
        f"{path}: {found} has {len(values)} light sources, but the movie has {n_frames} frames "
        f"of all channels; one belongs to each{alone}"
    )


def read_light_sources(path: str | Path, name: str | None) -> tuple[str, np.ndarray]:
    """Return the light source of each frame that a camera took: its variable, numbers or words.

    They are the variable `name` of a file; None looks for `USUAL`; a plain NPY vector needs no
    name. Raises UserError if there are none.
    """
    known = (name,) if name else USUAL
    values, found = None, "the file"
    if name is None and Path(path).suffix.lower() == ".npy":
        array = npy.load(path)
        values = array.ravel() if array.size == max(array.shape, default=0) else None
        values = None if array.dtype.names else values
    if values is None:
        held, inside = read_variables(path, known)
        found = next((n for n in known if n in held and (name or not is_empty(held[n]))), None)
        if found is None or isinstance(held[found], Bouts):
            raise UserError(
                f"{path}: no '{known[0]}' in it; it holds: {', '.join(inside) or 'nothing'}; name "
                "what has a light source a frame in light_sources_dataset"
            )
        if isinstance(held[found], Unreadable):
            raise UserError(f"{path}: {found} {held[found].why}")
        values = held[found].values
    if values.dtype.kind == "f":
        if (values != np.rint(values)).any():  # NaN too
            raise UserError(f"{path}: {found} holds no whole numbers; a light source is a number")
        values = values.astype(np.int64)
    if values.dtype.kind in "bui":
        return found, values.astype(np.int64)
    words = [
        (v.decode(errors="replace") if isinstance(v, bytes) else str(v)).strip() for v in values
    ]
    return found, np.array(words)
