"""Read the files that a lab has: movies by `open_movie`, behaviour by `read_behavior`.

A small module a format; each imports its library itself, so that no session waits for others'.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from mesodecode.files import UserError, in_order, matching, sha256
from mesodecode.sources.behavior import read_behavior
from mesodecode.sources.mat import read_mat
from mesodecode.sources.movie import JoinedMovie, Movie, check_opens

__all__ = ["Movie", "fingerprint", "open_movie", "read_behavior", "read_mat"]

FORMATS = "TIFF (.tif), HDF5 (.h5), MAT, NPY, Zarr, NWB or video (.avi, .mp4)"


@contextmanager
def open_movie(
    path: str | Path | Sequence[str | Path],
    *,
    dataset: str | Sequence[str] | None = None,
    axes: str | None = None,
) -> Iterator[Movie]:
    """Open the movie of a session, whatever its format (by suffix; a TIFF file needs none).

    `path` is a file, a Zarr folder, a folder of TIFF files, a pattern such as ``s1/*.tif`` or a
    list: the frames of several files follow each other in the order of the list, or of the numbers
    in their names. Two NPY files of 3 and 2 axes are the SVD components U and SVT (see
    `mesodecode.sources.svd`), as are two names in `dataset`.

    `dataset` names an array inside an HDF5, MAT, Zarr or NWB file; None takes the only one with
    three axes. `axes`, such as "YXT", is for arrays whose axes are in an unusual order: usual are
    TYX, in MAT files YXT as MATLAB shows it, in NWB files TXY.

    Raises UserError if the file is none such, OSError if it cannot be opened.
    """
    names = [dataset] if isinstance(dataset, str) else list(dataset or [])
    given = [path] if isinstance(path, str | Path) else list(path)
    files = [file for name in given for file in movie_files(name)]
    if len(files) == 1:
        with _open_one(files[0], names, axes) as movie:
            yield movie
        return
    if len(files) == 2 and {file.suffix.lower() for file in files} == {".npy"}:
        from mesodecode.sources import npy
        from mesodecode.sources.svd import SvdMovie

        arrays = [npy.load(file, mapped=True) for file in files]
        if arrays[1].ndim == 2:
            yield SvdMovie(files[0], *arrays)
            return
        del arrays
    yield JoinedMovie(Path(given[0]), files, lambda file: _open_one(file, names, axes, alone=True))


def movie_files(path: str | Path) -> list[Path]:
    """Return the files that a movie's path stands for (see `open_movie`), in order of frames."""
    found = matching(path)
    if len(found) == 1 and found[0].is_dir():
        from mesodecode.sources.zarr_store import is_zarr

        if not is_zarr(found[0]):
            inside = [p for p in found[0].iterdir() if p.suffix.lower() in (".tif", ".tiff")]
            inside = in_order(p for p in inside if not p.name.startswith("."))
            if not inside:
                raise UserError(
                    f"{path}: a folder with neither TIFF files (.tif, .tiff) nor a Zarr array; "
                    "name the movie's file"
                )
            return inside
    return found


def fingerprint(path: str | Path | Sequence[str | Path]) -> tuple[str, str]:
    """Return what a source is called and its SHA-256.

    Of several files and of folders, the SHA-256 of the lines that `sha256sum` writes of all files.
    """
    given = [path] if isinstance(path, str | Path) else list(path)
    name, found = ", ".join(map(str, given)), [file for one in given for file in matching(one)]
    if len(found) == 1 and found[0].is_file():
        return name, sha256(found[0])
    digest = hashlib.sha256()
    for top in found:
        for file in in_order(p for p in top.rglob("*") if p.is_file()) if top.is_dir() else [top]:
            digest.update(f"{sha256(file)}  {file.relative_to(top.parent)}\n".encode())
    return name, digest.hexdigest()


def _open_one(
    file: Path, names: list[str], axes: str | None, alone: bool = False
) -> AbstractContextManager[Movie]:
    # Imports of modules by name, not by a table: the hash of a stage's code follows these.
    suffix, name = file.suffix.lower(), names[0] if names else None
    if file.is_dir():
        from mesodecode.sources import zarr_store

        return zarr_store.open_zarr(file, name, axes)
    check_opens(file)
    if suffix in (".h5", ".hdf5", ".hdf"):
        from mesodecode.sources import hdf5

        return hdf5.open_hdf5(file, names, axes)
    if suffix == ".mat":
        from mesodecode.sources import mat

        return mat.open_mat(file, names, axes)
    if suffix == ".nwb":
        from mesodecode.sources import nwb

        return nwb.open_movie(file, name, axes)
    if names:
        raise UserError(f"{file}: holds one movie and no datasets; leave movie_dataset out")
    if suffix == ".npy":
        from mesodecode.sources import npy

        return npy.open_npy(file, axes)
    if axes not in (None, "TYX", "TCYX"):
        raise UserError(f"{file}: names its axes itself; leave movie_axes out")
    if suffix in (".avi", ".mp4", ".m4v", ".mov", ".mkv", ".wmv"):
        from mesodecode.sources import video

        return video.open_video(file)
    from mesodecode.sources import tiff

    if suffix not in ("", *tiff.SUFFIXES) and not tiff.is_tiff(file):
        raise UserError(f"{file}: no known format; movies are read from {FORMATS}")
    return tiff.open_tiff(file, alone=alone, channels=axes == "TCYX")
