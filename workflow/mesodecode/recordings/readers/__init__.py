"""Read the files that a lab has: movies by `open_movie`, behaviour by `read_behavior`.

A small module a format; each imports its library itself, so that no session waits for others'.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError, is_zarr, say
from mesodecode.base.natural_order import in_order, matching
from mesodecode.recordings.axes import Asked
from mesodecode.recordings.movie import (
    InterleavedMovie,
    JoinedMovie,
    Movie,
    check_begins,
    check_frame,
    check_opens,
)
from mesodecode.recordings.readers import by_name
from mesodecode.recordings.readers.behavior import read_behavior
from mesodecode.recordings.readers.mat import read_mat
from mesodecode.recordings.readers.series import by_wavelength, gaps, of_one_series
from mesodecode.study import file_formats

__all__ = ["Movie", "open_movie", "read_behavior", "read_mat"]


@dataclass(frozen=True)
class _Source:
    """A file, and the names of datasets in it that are one movie."""

    file: Path
    names: tuple[str, ...]


@contextmanager
def open_movie(
    path: str | Path | Sequence[str | Path],
    *,
    dataset: str | Sequence[str] | None = None,
    axes: str | None = None,
    channels: int | None = 1,
    wavelengths: str = "auto",
    shape: Sequence[int] | None = None,
    dtype: str | None = None,
    mask: str | Path | None = None,
) -> Iterator[Movie]:
    """Open the movie of a session, whatever its format (by suffix; a TIFF file needs none).

    `path` is a file, a Zarr folder, a folder of TIFF files, a pattern such as ``s1/*.tif`` or a
    list: the frames of several files follow each other in the order of the list, or of the numbers
    in their names (see `base.natural_order`); files of a folder or pattern whose names are of
    another series are left out, and named on standard error. Two NPY files of 3 and 2 axes are the
    SVD components U and SVT (see `svd`), as are two such names in `dataset`.

    `dataset` names an array inside an HDF5, MAT, Zarr or NWB file; None takes the only one with
    three axes. `axes`, such as "YXT", is for arrays whose axes are in an unusual order: usual are
    TYX, in MAT files YXT as MATLAB shows it, in NWB files TXY. `shape` (height, width and, with C
    in `axes`, channels) and `dtype` are for pixels without a header whose size nothing else says
    (see `flat`); `shape`, or `mask`, a file with an image of the pixels that are there, for arrays
    of pixels x frames (see `pixels`).

    `channels` (wavelengths; None: any number of them, which something else tells apart) take turns
    in the frames of the movie. With `wavelengths` "separate",
    each file, folder, pattern or dataset holds one of them, in the order given; "in_turn" says that
    all follow each other in time; "auto" goes by their names.

    Raises UserError if the file is none such or wavelengths are not clear, OSError if it cannot be
    opened.
    """
    names = [dataset] if isinstance(dataset, str) else list(dataset or [])
    given = [path] if isinstance(path, str | Path) else list(path)
    file, image = Path(mask) if mask else None, None
    if file:
        from mesodecode.recordings.readers.image_files import read_image

        image = read_image(file)
    asked = Asked(axes, tuple(shape) if shape else None, dtype, file, image)
    found = [movie_files(name) for name in given]
    _check_once(file for files in found for file in files)
    found = _whole_sets(found)
    if len(names) > 1 and not _are_components(found[0][0], names):
        held = {
            name: [_Source(file, (name,)) for files in found for file in files] for name in names
        }
        groups = _datasets_apart(held, given[0], channels, wavelengths)
    else:
        apart = _apart(found, given, channels, wavelengths)
        groups = {
            name: [_Source(file, tuple(names)) for file in files] for name, files in apart.items()
        }
    with ExitStack() as stack:
        in_each = channels if len(groups) == 1 else 1
        assumed = wavelengths == "auto" and in_each != 1
        movies = [
            stack.enter_context(
                _one_after_the_other(group, asked, in_each, assumed=assumed, of=len(groups))
            )
            for group in groups.values()
        ]
        yield movies[0] if len(movies) == 1 else InterleavedMovie(movies, list(groups))


@contextmanager
def _one_after_the_other(
    sources: list[_Source], asked: Asked, channels: int | None, *, assumed: bool, of: int
) -> Iterator[Movie]:
    """Open files as one movie, which is one `of` so many wavelengths, each in its own files."""
    files = [source.file for source in sources]
    if len(sources) == 1:
        with _open_one(sources[0], asked, channels, of) as movie:
            check_begins(files[0], movie, 0)
            yield movie
        return
    if len(files) == 2 and {file.suffix.lower() for file in files} == {".npy"}:
        from mesodecode.recordings.readers import npy

        with npy.open_components(files, asked) as movie:
            if movie is not None:
                yield movie
                return
    opened = [
        (source.file, partial(_open_one, source, asked, channels, of, True)) for source in sources
    ]
    if assumed:
        say(
            f"{files[0]}: {len(files)} files, taken to follow each other in time, in whose frames "
            f"{channels} channels take turns; if each is of one wavelength, set wavelengths: "
            "separate"
        )
    movie = JoinedMovie(opened)
    if all(file_formats.is_trial(file) for file in files):
        movie.segment = np.repeat(np.arange(len(files)), movie.lengths)
    yield movie


def movie_files(path: str | Path) -> list[Path]:
    """Return the files that a movie's path stands for (see `open_movie`), in order of frames."""
    found = matching(path)
    if len(found) == 1 and (folder := found[0]).is_dir():
        if is_zarr(folder) or file_formats.is_spooled(folder):
            return found
        inside = [p for p in folder.iterdir() if not p.name.startswith(".")]
        found = in_order(p for p in inside if p.suffix.lower() in (".tif", ".tiff"))
        found = found or in_order(p for p in inside if file_formats.is_trial(p))
        if not found:
            raise UserError(
                f"{path}: a folder with neither TIFF files (.tif, .tiff) nor a Zarr array nor "
                "trials of WidefieldImager (Frames_….dat); name the movie's file"
            )
    if len(found) == 1:
        return found
    kept, others = of_one_series(found, path)
    for other in others:
        say(f"{other}: left out, its name is not of the series {kept[0].name} …")
    if missing := gaps(kept):
        (one, other), more = missing[0], len(missing) - 1
        places = f"{one.name} and {other.name}" + (f", nor in {more} more places" if more else "")
        say(
            f"{path}: nothing between {places}: if frames are missing there, all later ones are "
            "taken too early, unless frame_times says when they were taken"
        )
    return kept


def _check_once(files: Iterable[Path]) -> None:
    """Raise UserError where a file is named twice: its frames would be there twice."""
    known: dict[str, Path] = {}
    for file in files:
        other = known.setdefault(os.path.realpath(file), file)  # of links in a circle too
        if other is not file:
            same = "" if other == file else f", as {other}"
            raise UserError(f"{file}: is a part of its movie twice{same}; name it once")


def _whole_sets(found: list[list[Path]]) -> list[list[Path]]:
    """Return files, group by group, without those that are read with the first one of their set."""
    files = [file for some in found for file in some]
    if len(files) < 2 or files[0].suffix.lower() not in (".tif", ".tiff"):
        return found
    from mesodecode.recordings.readers import tiff

    read: set[Path] = set()
    for file in files:
        if file.resolve() in read:
            continue
        members = tiff.set_of(file)
        if not members:  # of a folder of single images, no more than the first is opened for this
            break
        read |= members - {file.resolve()}
    kept = [[file for file in some if file.resolve() not in read] for some in found]
    return [some for some in kept if some]


def _are_components(file: Path, names: list[str]) -> bool:
    """Return whether two datasets of a file are U and SVT: one of them has no three axes."""
    known, shapes = file_formats.format_of(file, "movie"), {}
    if known == "NWB" and len(names) == 2:
        from mesodecode.recordings.readers import nwb

        return nwb.are_components(file, names)
    if file.is_file() and known == "HDF5":
        from mesodecode.recordings.readers import hdf5

        with hdf5.open_file(file) as opened:
            shapes = {name: item.shape for name, item in hdf5.datasets(opened, file).items()}
    elif file.is_file() and known == "MAT":
        from mesodecode.recordings.readers import mat

        shapes = mat.held(file)
    two = [shapes.get(name.strip("/")) for name in names]
    if len(two) != 2 or None in two:
        return False
    u, svt = two
    if len(u) == len(svt) == 2:  # two wavelengths of pixels x frames have an axis in common
        return u[0] != svt[0] and u[1] != svt[1]
    of_trials = u[-1] == svt[0] and u[:2] != svt[:2] and u[1:] != svt[1:]
    return min(map(len, two)) < 3 or of_trials


def _datasets_apart(
    groups: dict[str, list[_Source]],
    path: str | Path,
    channels: int | None,
    wavelengths: str,
) -> dict[str, list[_Source]]:
    if wavelengths == "in_turn":
        return {"": [source for group in groups.values() for source in group]}
    if len(groups) != channels:
        raise UserError(
            f"{path}: {len(groups)} datasets ({', '.join(groups)}) of one wavelength each, but "
            f"channels is {channels}: set channels: {len(groups)}, name one, or set wavelengths: "
            "in_turn if they follow each other in time"
        )
    _say_which(groups, path)
    return groups


def _apart(
    found: list[list[Path]], given: list[str | Path], channels: int | None, wavelengths: str
) -> dict[str, list[Path]]:
    """Return the files of each wavelength, or all as one where wavelengths take turns in them."""
    files = [file for some in found for file in some]
    if wavelengths == "in_turn" or (wavelengths == "auto" and len(files) == 1):
        return {"": files}
    named = by_wavelength(files)
    if named is None and wavelengths == "auto":
        return {"": files}
    if wavelengths == "separate" and len(found) == channels:
        named = {str(name): some for name, some in zip(given, found, strict=True)}
    elif wavelengths == "separate" and named is None and len(files) == channels:
        named = {file.name: [file] for file in files}
    if named is None and len(files) == 1:
        raise UserError(
            f"{given[0]}: wavelengths: separate, but one movie is named: set wavelengths: in_turn "
            f"if {channels} channels take turns in it, or name a file, folder or pattern for each"
        )
    if named is None:
        raise UserError(
            f"{given[0]}: wavelengths: separate, but {len(files)} files whose names do not tell "
            f"{channels} wavelengths; name a file, folder or pattern for each"
        )
    if len(named) != channels:
        raise UserError(
            f"{given[0]}: files of {len(named)} wavelengths by their names "
            f"({', '.join(list(named)[:4])}), but channels is {channels}: set channels: "
            f"{len(named)}, name the files of one, or set wavelengths: in_turn if they follow each "
            "other in time"
        )
    _say_which(named, given[0])
    return named


def _say_which(named: Mapping[str, object], path: str | Path) -> None:
    which = ", ".join(f"channel {i} is {name}" for i, name in enumerate(named, 1))
    say(f"{path}: a file, folder or dataset a wavelength: {which}")


@contextmanager
def _open_one(
    source: _Source, asked: Asked, channels: int | None, of: int, alone: bool = False
) -> Iterator[Movie]:
    """Open a file as a movie, one `of` so many wavelengths in files of their own.

    Raises UserError if it holds other channels than are asked for.
    """
    file, asked = source.file, replace(asked, datasets=source.names, alone=alone)
    with _of_format(file, asked) as movie:
        check_frame(movie)
        if movie.channels > 1 and of > 1:
            raise UserError(
                f"{file}: a stack of {movie.channels} channels, but taken for one of {of} "
                "wavelengths in files of their own: set wavelengths: in_turn if the files follow "
                "each other in time, or name the one that is the movie"
            )
        if movie.channels not in (1, channels) and channels is not None:
            raise UserError(
                f"{file}: a stack of {movie.channels} channels; needs frames of one channel: set "
                f"channels: {movie.channels} and signal_channel"
            )
        yield movie


def _of_format(file: Path, asked: Asked) -> AbstractContextManager[Movie]:
    """Open a file by the reader of its format. Raises UserError if that takes less than is said."""
    if file.is_dir():
        known = "Andor" if file_formats.is_spooled(file) else "Zarr"
    else:
        check_opens(file)
        known = file_formats.format_of(file, "movie")
    if known is None:
        from mesodecode.recordings.readers import tiff

        if file.suffix and not tiff.is_tiff(file):
            raise file_formats.unknown(file, "movie", "movies are")
        known = "TIFF"
    takes = file_formats.BY_NAME[known].takes
    if asked.named and "shape" not in takes:
        raise UserError(f"{file}: says its size and type itself; leave out {asked.named}")
    if asked.axes not in (None, "TYX") and "axes" not in takes:
        raise UserError(f"{file}: names its axes itself; leave movie_axes out")
    if asked.datasets and "datasets" not in takes:
        raise UserError(f"{file}: holds one movie and no datasets; leave movie_dataset out")
    return by_name.reader(known).open_movie(file, asked)
