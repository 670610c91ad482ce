"""Numbers packed as netCDF does, by whole numbers and their scale: xarray's, in HDF5 and Zarr.

A value is stored * scale_factor + add_offset, and none where stored is _FillValue (CF Conventions,
8.1). Neither h5py nor zarr unpacks them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import h5py
    import zarr


class Packing(NamedTuple):
    """How an array is packed; `fill` (n,) are the numbers that stand for none."""

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
