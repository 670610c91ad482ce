"""Datasets of HDF5 files, by path."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np

from mesodecode.base.files import UserError, check_memory, first_few, refused
from mesodecode.recordings.axes import Asked, Axes, axes_of
from mesodecode.recordings.movie import ArrayMovie, Movie, check_opens
from mesodecode.recordings.readers import pixels
from mesodecode.recordings.readers.arrays import EMPTY, Held, note_of, unreadable

if TYPE_CHECKING:
    import zarr
    from h5py._hl.vds import VDSmap


@contextmanager
def open_file(path: str | Path) -> Iterator[h5py.File]:
    """Open an HDF5 file. Raises UserError if it is none or cut short, OSError if it is missing."""
    check_opens(path)
    with refused(path, "not a readable HDF5 file"):
        file = h5py.File(path, "r")
    with file:
        yield file


def walk(file: h5py.File, path: str | Path) -> dict[str, h5py.Dataset | h5py.Group]:
    """Return the datasets and groups of a file by their path in it, without a leading slash."""
    found = {}

    def note(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if not name.startswith("#") and not isinstance(item, h5py.Datatype):  # MATLAB's own; types
            found[name] = item

    with refused(path, "a damaged HDF5 file", "; truncated?"):
        file.visititems(note)
    return found


def datasets(file: h5py.File, path: str | Path) -> dict[str, h5py.Dataset]:
    """Return the datasets of numbers in a file by their path in it, without a leading slash."""
    with refused(path, "a damaged HDF5 file", "; truncated?"):
        return {
            name: item
            for name, item in walk(file, path).items()
            if isinstance(item, h5py.Dataset)
            and item.shape is not None
            and item.dtype.kind in "buif"
            and "MATLAB_object_decode" not in item.attrs  # numbers of an object, not its values
            and "MATLAB_empty" not in item.attrs  # numbers that are the size of nothing
        }


def variables(file: h5py.File, path: str | Path) -> dict[str, Held]:
    """Return what a file holds by path: numbers, words, and fields of tables (TABLE/FIELD)."""
    found: dict[str, Held] = {}
    for name, item in walk(file, path).items():
        if isinstance(item, h5py.Group):
            found[name] = unreadable(f"is a group; name a dataset in it, {name}/…", None)
        elif item.dtype.names:
            found[name] = unreadable(f"is a table; name a field of it, {name}/…", None)
            for field in item.dtype.names:
                found[f"{name}/{field}"] = Held(
                    lambda item=item, field=field: read_array(item, path)[field]
                )
        else:
            found[name] = of_dataset(item, path)
    return found


def of_dataset(item: h5py.Dataset, path: str | Path) -> Held:
    """Return a dataset of numbers or words; of an enumeration, its words."""
    if not item.size:  # None if it has no space at all
        return EMPTY
    note = note_of(item.shape)
    if h5py.check_string_dtype(item.dtype):
        return Held(partial(_words, item, path), note=note or "text")
    if codes := h5py.check_enum_dtype(item.dtype):
        names = {code: name for name, code in codes.items()}
        return Held(lambda: np.vectorize(names.get, otypes=[object])(read_array(item, path)))
    if item.dtype.kind in "buif":
        return Held(partial(unpacked, item, path), _unit(item), note)
    return unreadable(f"is of type {item.dtype}, neither numbers nor words", str(item.dtype))


def _words(item: h5py.Dataset, path: str | Path) -> np.ndarray:
    check_filters(item, path)
    check_elsewhere(item, path)
    check_memory((item.size or 0) * item.dtype.itemsize, path, item.name)
    with refused(path, f"{item.name} cannot be read", "; truncated?"):
        return np.asarray(item.asstr(errors="replace")[()], object)


def text_of(item: h5py.Dataset | h5py.Group, attribute: str) -> str:
    """Return an attribute of text, empty if there is none, or of no type that is known."""
    try:
        value = item.attrs.get(attribute, "")
    except Exception:  # h5py raises several kinds
        return ""
    value = value.ravel()[0] if isinstance(value, np.ndarray) and value.size else value
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _unit(item: h5py.Dataset) -> str | None:
    known = ("unit", "units", "Unit", "Units")
    return next((text for key in known if (text := text_of(item, key).strip())), None)


def choose(
    shapes: dict[str, tuple[int, ...]],
    name: str | None,
    path: str | Path,
    option: str,
    n_pixels: int | None = None,
) -> str:
    """Return which array of a file is meant: `name`, or the only one with three long axes.

    With `n_pixels` it is the only one of two axes, one of which is as long.

    Raises UserError, listing what is inside, if there is none such or the choice is open.
    """
    if name is not None:
        if name.strip("/") in shapes:
            return name.strip("/")
        raise UserError(
            f"{path}: no dataset '{name}' in it, or an empty one; it holds: {listed(shapes)}"
        )
    stacks = [key for key, shape in shapes.items() if len(shape) >= 3]
    if n_pixels is not None:
        stacks = [key for key, shape in shapes.items() if len(shape) == 2 and n_pixels in shape]
    movies = [key for key in stacks if sum(n > 1 for n in shapes[key]) >= 3] or stacks
    if len(movies) != 1:
        axes = "three axes" if n_pixels is None else f"{n_pixels} pixels x frames"
        some = "several that could be the movie" if movies else f"no array of {axes}"
        raise UserError(f"{path}: {some}; it holds: {listed(shapes)}; name one in {option}")
    return movies[0]


def listed(shapes: dict[str, tuple[int, ...]]) -> str:
    """Return names and shapes for a message, the first twelve of them."""
    names = [
        f"{name} {' x '.join(map(str, shape))}".strip() for name, shape in sorted(shapes.items())
    ]
    return first_few(names, 12) or "no array of numbers"


def check_filters(dataset: h5py.Dataset, path: str | Path) -> None:
    """Raise UserError if the dataset is compressed by a filter that this HDF5 library lacks."""
    created = dataset.id.get_create_plist()
    for i in range(created.get_nfilters()):
        number, _, _, name = created.get_filter(i)
        if not h5py.h5z.filter_avail(number):
            raise UserError(
                f"{path}: {dataset.name} is compressed by filter {number} "
                f"({name.decode(errors='replace') or 'without a name'}), which is not installed "
                "here; write it anew with gzip, where the filter is: `h5repack -f GZIP=1 IN OUT`"
            )


def check_whole(dataset: h5py.Dataset, path: str | Path) -> None:
    """Raise UserError if parts of the dataset were never written: they would read as zeros."""
    if dataset.external or dataset.is_virtual:
        check_elsewhere(dataset, path)
        return
    if dataset.chunks:
        wanted = math.prod(map(math.ceil, np.divide(dataset.shape, dataset.chunks)))
        part = dataset.id.get_num_chunks() / max(1, wanted)
    else:
        part = dataset.id.get_space_status() == h5py.h5d.SPACE_STATUS_ALLOCATED
    if dataset.size and part < 1:
        raise UserError(
            f"{path}: {dataset.name} is {part:.0%} written; is the recording unfinished?"
        )


def check_elsewhere(dataset: h5py.Dataset, path: str | Path) -> None:
    """Raise UserError if values that lie in other files are not there: they would read as zeros.

    A raw file that is missing as a whole is left to HDF5, which raises an error when it is read.
    """
    left = dataset.nbytes if dataset.external else 0
    for name, offset, size in dataset.external or ():
        prefix = os.environ.get("HDF5_EXTFILE_PREFIX", "").replace("${ORIGIN}", f"{_folder(path)}")
        raw, needed = Path(prefix, name), offset + min(size, left)
        left -= min(size, left)
        there = raw.stat().st_size if raw.is_file() else needed
        if there < needed:
            raise UserError(
                f"{path}: the values of {dataset.name} are in {raw}, which has {there} of {needed} "
                "bytes; copy it whole"
            )
    for source in dataset.virtual_sources() if dataset.is_virtual else ():
        if "%" not in source.file_name:  # else of as many files as there are
            _check_source(source, dataset, path)


def _check_source(source: VDSmap, dataset: h5py.Dataset, path: str | Path) -> None:
    """Raise UserError if the part of a virtual dataset that lies in one source is not there."""
    prefix = os.environ.get("HDF5_VDS_PREFIX", "").replace("${ORIGIN}", f"{_folder(path)}")
    places = [Path(place, source.file_name) for place in (prefix, _folder(path), "")]
    place = next((place for place in places if place.is_file()), None)
    here = source.file_name == "."  # this file
    of = "this file" if here else source.file_name
    said = f"{path}: a part of {dataset.name} is dataset {source.dset_name} of {of}"
    if not (here or place):
        raise UserError(f"{said}, which is not there; copy that file to {_folder(path)}")
    with nullcontext(dataset.file) if here else open_file(place) as file:
        if not isinstance(part := file.get(source.dset_name), h5py.Dataset):
            raise UserError(f"{said}, which has no such dataset")
        if _reaches_beyond(source, part):
            raise UserError(f"{said}, which ends early: its shape is {part.shape}; copy it whole")
        if not part.is_virtual:  # which may be made of this one
            check_whole(part, path if here else place)


def _reaches_beyond(source: VDSmap, part: h5py.Dataset) -> bool:
    """Return whether more of a source is mapped than there is."""
    if source.src_space.get_select_type() == h5py.h5s.SEL_ALL:
        return part.size < source.vspace.get_select_npoints()
    try:
        _, last = source.src_space.get_select_bounds()
    except RuntimeError:  # without an end: as much as there is
        return False
    return any(np.greater_equal(last, part.shape))


def _folder(path: str | Path) -> Path:
    return Path(path).absolute().parent


def checked(item: h5py.Dataset, path: str | Path) -> h5py.Dataset:
    """Return a dataset. Raises UserError if it cannot be decompressed or was never written."""
    check_filters(item, path)
    check_whole(item, path)
    return item


@contextmanager
def open_movie(
    path: Path, asked: Asked, usual: str = "TYX", *, turned: bool = False
) -> Iterator[Movie]:
    """Open a dataset of an HDF5 file as a movie, the only one of three axes if none is named.

    Two names are U and SVT (see `svd`). `asked.axes`, `usual` where they are None, are
    of the array as the user sees it: `turned` from how it is stored, in a file of MATLAB.
    """
    places = pixels.asked_for(asked, "Y" if turned else "X", path)
    with open_file(path) as file:
        found = datasets(file, path)
        shapes = {name: item.shape[:: -1 if turned else 1] for name, item in found.items()}
        n_pixels = len(places.where) if places else None
        names = asked.datasets or [None]
        chosen = [choose(shapes, name, path, "movie_dataset", n_pixels) for name in names]
        if len(chosen) == 1 and places:
            item = checked(found[chosen[0]], path)
            seen = shapes[chosen[0]]
            dtype, read = slices_of(item)
            yield pixels.PixelsMovie(path, dtype, seen, places, asked.axes, read, turned=turned)
            return
        if len(chosen) == 1:
            taken = axes_of(shapes[chosen[0]], asked.axes, usual, path)
            yield dataset_movie(found[chosen[0]], path, taken, turned=turned)
            return
        from mesodecode.recordings.readers.svd import SvdMovie

        u, svt = (read_array(found[name], path) for name in chosen)
        if turned:
            u, svt = u.T, svt.T
        yield SvdMovie(path, u, svt, asked.axes, places)


def dataset_movie(
    item: h5py.Dataset, path: Path, axes: Axes, *, turned: bool = False
) -> ArrayMovie:
    """Return a movie of an open HDF5 dataset (see `open_movie`)."""
    checked(item, path)
    letters = axes.letters[:: -1 if turned else 1]
    depth = item.chunks[letters.index("T")] if item.chunks else None
    dtype, read = slices_of(item)
    return ArrayMovie(path, dtype, axes, read, depth, turned=turned)


class Packing(NamedTuple):
    """How netCDF packed an array: values are stored * scale + offset, none where stored is `fill`.

    By attributes, as xarray writes them in HDF5 and Zarr (CF Conventions, 8.1), whose libraries do
    not unpack.
    """

    scale: float
    offset: float
    fill: np.ndarray

    def unpack(self, stored: np.ndarray) -> np.ndarray:
        """Return the values of stored numbers (…), float64, NaN where there is none."""
        held = stored * self.scale + self.offset
        return np.where(np.isin(stored, self.fill), np.nan, held) if self.fill.size else held


def packing_of(attributes: Mapping[str, Any]) -> Packing | None:
    """Return how the array of some attributes is packed, or None if it is not."""
    if not {"scale_factor", "add_offset"} & attributes.keys():
        return None
    scale, offset, fill = (
        np.ravel(attributes.get(key, usual))
        for key, usual in (("scale_factor", 1.0), ("add_offset", 0.0), ("_FillValue", []))
    )
    if any(one.dtype.kind not in "iuf" or one.size != 1 for one in (scale, offset)):
        return None
    fill = fill if fill.dtype.kind in "iuf" else fill[:0]  # of Zarr 3 it may be text
    return Packing(float(scale[0]), float(offset[0]), fill)


def slices_of(
    item: h5py.Dataset | zarr.Array,
) -> tuple[np.dtype, Callable[[tuple[slice, ...]], np.ndarray]]:
    """Return the type of an array's values and what reads slices of them, unpacked if packed."""
    packing = packing_of(item.attrs)
    if packing is None:
        return item.dtype, item.__getitem__
    dtype = np.result_type(item.dtype, np.float32)
    return dtype, lambda at: packing.unpack(item[at]).astype(dtype)


def unpacked(item: h5py.Dataset, path: str | Path) -> np.ndarray:
    """Return the values of a dataset, unpacked if it is packed (see `Packing`)."""
    values, packing = read_array(item, path), packing_of(item.attrs)
    return packing.unpack(values) if packing else values


def read_array(item: h5py.Dataset, path: str | Path) -> np.ndarray:
    """Return the whole of a dataset."""
    check_filters(item, path)
    check_elsewhere(item, path)
    check_memory((item.size or 0) * item.dtype.itemsize, path, item.name)
    with refused(path, f"{item.name} cannot be read", "; truncated?"):
        return item[()]
