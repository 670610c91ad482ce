"""Channels of pCLAMP's files (.abf), by pyabf."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mesodecode.base.files import refused
from mesodecode.recordings.readers.arrays import Held, unreadable
from mesodecode.recordings.readers.by_name import library


@contextmanager
def holding(path: Path) -> Iterator[dict[str, Held]]:
    """Hold the channels of a file by name, with unit and times in s; sweeps follow each other.

    Raises UserError if the file is none such.
    """
    pyabf = library("pyabf", "abf", path)
    with refused(path, "not a readable ABF file"):
        file = pyabf.ABF(str(path))
        samples, rate = np.asarray(file.data), float(file.sampleRate)
        names, units = list(file.adcNames), list(file.adcUnits)
        starts = np.asarray(file.sweepTimesSec, np.float64)
    n_samples = samples.shape[1] // len(starts)
    times = (starts[:, None] + np.arange(n_samples) / rate).ravel()
    found: dict[str, Held] = {}
    for i, (name, unit, values) in enumerate(zip(names, units, samples, strict=True), 1):
        held = Held(lambda v=values: v, unit.strip("\0 ") or None, times=lambda _: times)
        again = unreadable("is the name of several channels; rename them", "several")
        name = name.strip("\0 ") or f"channel {i}"
        found[name] = again if name in found else held
    yield found
