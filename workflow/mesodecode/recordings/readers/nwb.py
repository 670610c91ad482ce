"""NWB files: movies (series of images, SVD components), time series and intervals."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mesodecode.base.files import UserError, check_memory, refused
from mesodecode.recordings.axes import Asked, Axes, axes_of
from mesodecode.recordings.movie import Movie
from mesodecode.recordings.readers import hdf5
from mesodecode.recordings.readers.arrays import (
    Bouts,
    Held,
    Unreadable,
    Variable,
    note_of,
)
from mesodecode.recordings.readers.intervals import which_is_run
from mesodecode.recordings.readers.traces import listed, named, vector

if TYPE_CHECKING:
    import pandas as pd
    import pynwb

# Columns of a PlaneSegmentation in which converters write what an ROI is called
ROI_NAMES = ("roi_name", "name", "acronym", "label", "brain_region", "region", "area", "location")


@contextmanager
def open_nwb(path: str | Path) -> Iterator[pynwb.NWBFile]:
    """Open an NWB file. Raises UserError if it is none, OSError if it is missing."""
    import pynwb

    unread = path, "not a readable NWB file"
    with refused(*unread), warnings.catch_warnings(action="ignore"):  # of namespaces there twice
        io = pynwb.NWBHDF5IO(str(path), "r", load_namespaces=True)
    with io:
        with refused(*unread), warnings.catch_warnings(action="ignore"):
            nwb = io.read()
        yield nwb


@contextmanager
def open_movie(path: Path, asked: Asked) -> Iterator[Movie]:
    """Open a series of images as a movie, by its name; of two names, SVD components as one.

    Without a name it is the only OnePhotonSeries or TwoPhotonSeries, or the only plain ImageSeries
    where there is none; two names are a table of image masks (K, x, y), a PlaneSegmentation, and
    the RoiResponseSeries (T, K) of its rows.
    """
    names, axes = asked.datasets, asked.axes
    with open_nwb(path) as nwb:
        if len(names) == 2:
            yield _components(nwb, names, path, axes)
            return
        found, listed_as = _images(nwb, everything=bool(names))
        shapes = {name: np.shape(found[name].data) for name in sorted(listed_as)}
        if not shapes:
            raise UserError(
                f"{path}: no series of images in it (OnePhotonSeries, TwoPhotonSeries, "
                "ImageSeries); of SVD components, name the PlaneSegmentation and the "
                "RoiResponseSeries in movie_dataset"
            )
        name = (asked.dataset or "").strip("/")
        series = found.get(name) or found[hdf5.choose(shapes, name or None, path, "movie_dataset")]
        check_inside(series.external_file, series.name, path)
        taken = axes_of_series(
            np.shape(series.data), axes, series.dimension, nwb.source_script, path
        )
        movie = hdf5.dataset_movie(series.data, path, taken)
        movie.time = times_of(series)
        yield movie


def _images(nwb: pynwb.NWBFile, *, everything: bool) -> tuple[dict[str, Any], set[str]]:
    """Return the series that may be a movie of the brain, as `_told_apart`.

    Photon series, else plain ones; `everything`: both.
    """
    from pynwb.image import ImageSeries
    from pynwb.ophys import OnePhotonSeries, TwoPhotonSeries

    items = [item for item in nwb.objects.values() if isinstance(item, ImageSeries)]
    photons = [item for item in items if isinstance(item, OnePhotonSeries | TwoPhotonSeries)]
    plain = [item for item in items if type(item) is ImageSeries]
    return _told_apart(photons + plain if everything else photons or plain)


def are_components(path: Path, names: Sequence[str]) -> bool:
    """Return whether two names are a table of masks and a series of its rows."""
    from pynwb.ophys import PlaneSegmentation

    with open_nwb(path) as nwb:
        return _named(nwb, names[0], PlaneSegmentation) is not None


def _named(nwb: pynwb.NWBFile, name: str, kind: type) -> Any:
    return _by_name(nwb, kind)[0].get(name)


def _components(nwb: pynwb.NWBFile, names: Sequence[str], path: Path, axes: str | None) -> Movie:
    """Return the movie of a PlaneSegmentation's image masks and a RoiResponseSeries."""
    from pynwb.ophys import PlaneSegmentation, RoiResponseSeries

    from mesodecode.recordings.readers.svd import SvdMovie

    table = _named(nwb, names[0], PlaneSegmentation)
    series = _named(nwb, names[1], RoiResponseSeries)
    if table is None or series is None:
        raise UserError(
            f"{path}: {names[0]} and {names[1]} are no SVD components; name a PlaneSegmentation "
            "and a RoiResponseSeries, in this order"
        )
    if "image_mask" not in table.colnames:
        raise UserError(f"{path}: {names[0]} has no column image_mask, in which components are")
    if series.rois.table is not table:
        raise UserError(f"{path}: {names[1]} is of {series.rois.table.name}, not of {names[0]}")
    masks = np.stack([np.asarray(table["image_mask"][int(row)]) for row in series.rois.data[:]])
    svt = whole(series)
    svt = (svt if svt.ndim == 2 else svt[:, None]) * series.conversion + series.offset
    movie = SvdMovie(path, masks, svt.T, axes or "KXY")
    movie.axes = replace(movie.axes, by="movie_axes" if axes else None)
    movie.time = times_of(series)
    return movie


def check_inside(external: Sequence[str] | None, name: str, path: Path) -> None:
    """Raise UserError if a series' frames are in other files."""
    if external is not None:
        raise UserError(
            f"{path}: the frames of {name} are in {', '.join(external)}; "
            "name that file as the movie"
        )


def axes_of_series(
    shape: tuple[int, ...],
    axes: str | None,
    dimension: Sequence[int] | None,
    script: str | None,
    path: Path,
) -> Axes:
    """Return the axes of a series: as asked for, else time, x, y, as NWB orders them.

    A series' `dimension` (width, height) that has the lengths of its data the other way round says
    that the data are time, y, x, or is wrong itself: NeuroConv, named in the file's `script`,
    writes height before width there, and orders its data as NWB does. Raises UserError where
    nothing tells which.
    """
    taken = axes_of(shape, axes, "TXY", path)
    given = [] if dimension is None else list(map(int, dimension))
    if axes is not None or len(shape) != 3 or given != list(shape[:0:-1]) or shape[1] == shape[2]:
        return taken
    if any(maker in str(script) for maker in ("NeuroConv", "NWB GUIDE")):
        return replace(taken, by="the file")
    raise UserError(
        f"{path}: its `dimension` is {given[0]}, {given[1]}, but its data are {shape[1]} x "
        f"{shape[2]}; set movie_axes: TXY if the data are time, x, y, as NWB has them, and the "
        "dimension height, width, as NeuroConv writes it; TYX if they are time, y, x"
    )


def read_rois(path: str | Path, name: str | None) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return the signals (T, R) of a RoiResponseSeries and their names (R,).

    None takes the only one. Names are those that the table of ROIs has, in a column `ROI_NAMES`;
    None where it has none that tell all apart. Raises UserError if there is no such series.
    """
    from pynwb.ophys import RoiResponseSeries

    with open_nwb(path) as nwb:
        found, listed_as = _by_name(nwb, RoiResponseSeries)
        wanted = name or (next(iter(listed_as)) if len(listed_as) == 1 else None)
        if wanted not in found:
            n = len(listed_as)
            fault = f"no RoiResponseSeries '{name}'" if name else f"{n} RoiResponseSeries"
            shown = hdf5.listed({key: np.shape(found[key].data) for key in listed_as})
            raise UserError(
                f"{path}: {fault} in it; it holds: {shown if found else 'none'}; name one in "
                "roi_dataset"
            )
        series = found[wanted]
        values = whole(series) * series.conversion + series.offset
        rows, table = np.asarray(series.rois.data[:]), series.rois.table
        if values.ndim == 2 and values.shape[0] == len(rows) != values.shape[1]:
            values = values.T  # some write it so; pynwb lets them
        if values.ndim != 2 or values.shape[1] != len(rows):
            raise UserError(
                f"{path}: {wanted} has shape {values.shape}, but {len(rows)} ROIs; needs frames x "
                "ROIs"
            )
        for column in ROI_NAMES:
            if column in table.colnames:
                names = [str(word) for word in np.asarray(table[column].data[:])[rows]]
                if len(set(names)) == len(names):
                    return values, tuple(names)
        return values, None


def whole(series: pynwb.TimeSeries) -> np.ndarray:
    """Return all samples of a series, as they are stored."""
    size = getattr(series.data, "nbytes", 0)
    check_memory(size, series.container_source or "", series.name)
    return np.asarray(series.data[:])


def times_of(series: pynwb.TimeSeries) -> np.ndarray:
    """Return the time stamp (s) of each sample of a series."""
    check_memory(8 * len(series.data), series.container_source or "", f"times of {series.name}")
    if series.timestamps is not None:
        return np.asarray(series.timestamps[:], np.float64)
    return series.starting_time + np.arange(len(series.data)) / series.rate


def read_variables(
    path: str | Path, names: Sequence[str], run_label: str | None
) -> tuple[dict[str, Variable | Bouts | Unreadable], list[str]]:
    """Return those of `names` that the file has, and what it holds.

    A name is that of a time series, wherever it is in the file (NAME:2: its second column;
    NAME/timestamps: its times), or of intervals: an interval series, a table (TABLE, all its
    intervals) or those rows of one in whose column stands `run_label` (TABLE/COLUMN; None: all
    rows with the word of each). An interval series of several kinds has their numbers for words.
    What has the name of another is called by what it is in, too: PARENT/NAME (root/trials: the
    file's own).
    """
    from pynwb import TimeSeries
    from pynwb.epoch import TimeIntervals
    from pynwb.misc import IntervalSeries

    with open_nwb(path) as nwb:
        series, shown = _by_name(nwb, TimeSeries)
        tables, shown_tables = _by_name(nwb, TimeIntervals)
        held = {name: _held(item) for name, item in series.items() if np.ndim(item.data) in (1, 2)}
        stamps = {
            f"{name}/timestamps": Held(partial(times_of, item)) for name, item in series.items()
        }
        inside = [f"{name}/{key}" for name in shown_tables for key in tables[name].colnames]
        inside += listed({name: item for name, item in held.items() if name in shown})
        found: dict[str, Variable | Bouts | Unreadable] = {}
        for name in names:
            table, _, key = (name, "", "") if name in tables else name.rpartition("/")
            one, column = named(held | stamps, name)
            if isinstance(series.get(name), IntervalSeries):
                times, edges = series[name].timestamps[:], series[name].data[:]
                found[name] = _bouts(times, edges, run_label)
            elif one is not None:
                found[name] = vector(one, name, column)
            elif table in tables and (not key or key in tables[table].colnames):
                rows = tables[table].to_dataframe()
                if key and run_label is not None:
                    rows = rows[rows[key].astype(str) == run_label]
                start, stop = rows["start_time"].to_numpy(), rows["stop_time"].to_numpy()
                words = rows[key].astype(str).to_numpy() if key and run_label is None else None
                several = None if key else _of_several(rows, run_label)
                found[name] = Bouts(start, stop, words, several)
        return found, sorted([*inside, *shown_tables])


def _of_several(rows: pd.DataFrame, run_label: str | None) -> str | None:
    """Return the column of intervals in which `run_label` stands, and other words too."""
    for name in rows.columns.drop(["start_time", "stop_time"], errors="ignore"):
        words = set(rows[name].map(str))
        if run_label in words and len(words) > 1:
            return name
    return None


def _bouts(times: np.ndarray, edges: np.ndarray, run_label: str | None) -> Bouts | Unreadable:
    """Return the intervals of an interval series; n begins one of kind n, -n ends it.

    Of several kinds, those whose number `run_label` is; None: all, with the number of each.
    """
    kinds = np.unique(np.abs(edges[edges != 0]))
    if len(kinds) < 2:
        return Bouts(times[edges > 0], times[edges < 0])
    words = [f"{kind:g}" for kind in kinds]
    if run_label is not None and run_label not in words:
        kinds_said = f"holds intervals of kinds {', '.join(words)}"
        return Unreadable(f"{kinds_said}: {which_is_run(words, run_label)}")
    taken = [kind for kind, word in zip(kinds, words, strict=True) if run_label in (None, word)]
    start = [times[edges == kind] for kind in taken]
    stop = [times[edges == -kind] for kind in taken]
    told = np.repeat(words, list(map(len, start))) if run_label is None else None
    return Bouts(np.concatenate(start), np.concatenate(stop), told)


def _by_name(nwb: pynwb.NWBFile, kind: type) -> tuple[dict[str, Any], set[str]]:
    """Return the items of a kind in a file, as `_told_apart`."""
    return _told_apart([item for item in nwb.objects.values() if isinstance(item, kind)])


def _told_apart(items: Sequence[Any]) -> tuple[dict[str, Any], set[str]]:
    """Return items by name, by PARENT/NAME and so on, where that is of one of them alone.

    And how a list calls them: by the shortest of these.
    """
    ends = [_ends(item) for item in items]
    count = Counter(name for names in ends for name in names)
    sole = [[name for name in names if count[name] == 1] for names in ends]
    found = {name: item for item, names in zip(items, sole, strict=True) for name in names}
    return found, {names[0] for names in sole if names}


def _ends(item: Any) -> list[str]:
    """Return what an item of a file may be called: NAME, PARENT/NAME, … (root: the file)."""
    names, at = [item.name], item
    while (at := at.parent) is not None:
        names.append(f"{at.name}/{names[-1]}")
    return names


def _held(item: pynwb.TimeSeries) -> Held:
    """Return a time series in its unit."""

    def read() -> np.ndarray:
        values = whole(item)
        if values.dtype.kind not in "buif":
            return values
        return values * item.conversion + item.offset

    return Held(read, item.unit, note_of(np.shape(item.data)), lambda _: times_of(item))
