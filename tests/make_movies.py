"""Movies in every format, and how tests read them."""

from __future__ import annotations

import datetime
import struct
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.io
import tifffile

import told
from mesodecode.recordings.readers import open_movie

T, H, W = 23, 6, 9
FRAMES = np.random.default_rng(3).integers(0, 65536, (T, H, W)).astype(np.uint16)
GRAY = {"photometric": "minisblack"}


def read(path, size=5, **options):
    """Read a movie in blocks of `size` frames, which must follow each other."""
    with open_movie(path, **options) as opened:
        blocks = list(opened.blocks(size))
        assert [start for start, _ in blocks] == list(range(0, opened.shape[0], size))
        frames = np.concatenate([block for _, block in blocks])
        assert frames.shape == opened.shape
        assert {block.dtype for _, block in blocks} == {opened.dtype}
        assert opened.dtype.isnative
        return frames


def refusal(path, **options):
    """Return the error of reading a movie: one line that names the file."""
    message = told.refusal(read, path, **options)
    assert str(path) in message
    return message


def save_h5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name.replace("__", "/")] = array


def save_h5_of_parts(path, frames, n_parts=2, n_frames=None):
    """Write frames to files beside `path`, which joins them as one virtual dataset.

    `n_frames`: of the last part only as many are there.
    """
    layout, start = h5py.VirtualLayout(frames.shape, frames.dtype), 0
    for i, part in enumerate(np.array_split(frames, n_parts)):
        last = i == n_parts - 1
        save_h5(path.with_suffix(f".{i}.h5"), part=part[: n_frames if last else None])
        layout[start : start + len(part)] = h5py.VirtualSource(
            path.with_suffix(f".{i}.h5").name, "part", part.shape, part.dtype
        )
        start += len(part)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("frames", layout)


def save_h5_of_raw(path, frames, n_bytes=None):
    """Write frames as plain numbers, which `path` points to; of them only `n_bytes`."""
    raw = path.with_suffix(".raw")
    raw.write_bytes(frames.tobytes()[:n_bytes])
    with h5py.File(path, "w") as file:
        stored = [(str(raw), 0, frames.nbytes)]
        file.create_dataset("frames", frames.shape, frames.dtype, external=stored)


def save_h5_of_raws(path, frames, n_bytes=None):
    """Write frames to two files with a header each, the second with room for more than there is.

    Of the second file only `n_bytes`.
    """
    values, half = frames.tobytes(), frames.nbytes // 2
    raws = [str(path.with_suffix(f".{i}.raw")) for i in range(2)]
    Path(raws[0]).write_bytes(bytes(16) + values[:half])
    Path(raws[1]).write_bytes((bytes(16) + values[half:])[:n_bytes])
    with h5py.File(path, "w") as file:
        stored = [(raws[0], 16, half), (raws[1], 16, h5py.h5f.UNLIMITED)]
        file.create_dataset("frames", frames.shape, frames.dtype, external=stored)


def save_v5(path, objects=(), compress=False, **variables):
    """Write a MAT file of version 5; `objects` are (name, class) of MATLAB objects in it."""

    def element(code, data):
        return struct.pack("<II", code, len(data)) + data.ljust(-(-len(data) // 8) * 8, b"\0")

    def matrix(kind, *parts):
        return element(14, element(6, struct.pack("<II", kind, 0)) + b"".join(parts))

    scipy.io.savemat(path, variables, do_compression=compress)
    plain, held = path.read_bytes(), b""
    for name, kind in objects:
        numbers = np.array([0xDD000000, 2, 1, 1, 1, 1], "<u4").tobytes()
        inner = matrix(
            13, element(5, struct.pack("<ii", 6, 1)), element(1, b""), element(6, numbers)
        )
        held += matrix(17, *(element(1, text.encode()) for text in (name, "MCOS", kind)), inner)
    path.write_bytes(plain[:128] + held + plain[128:])


def save_v73(path, **variables):
    """Write a MAT file as MATLAB -v7.3 does: a header, then HDF5 with the axes reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            file[name] = np.asarray(value).T
        file["#refs#/a"] = np.zeros((3, 3, 3))
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + b"\0\2IM")


def save_zarr(path, frames, version=3, name=None, chunks=(4, H, W), **more):
    import zarr

    options = {"shape": frames.shape, "chunks": chunks, "dtype": frames.dtype} | more
    if name is None:
        array = zarr.create_array(str(path), zarr_format=version, **options)
    else:
        group = zarr.open_group(str(path), mode="w", zarr_format=version)
        group.create_array("other", shape=(3,), dtype="i4")
        array = group.create_array(name, **options)
    array[:] = frames


def save_nwb(path, *items, intervals=(), **about):
    from pynwb import NWBHDF5IO, NWBFile

    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    nwb = NWBFile("s", "s1", start, source_script_file_name="x" if about else None, **about)
    for item in items:
        nwb.add_acquisition(item(nwb) if callable(item) else item)
    for table in intervals:
        nwb.add_time_intervals(table)
    with NWBHDF5IO(path, "w") as io:
        io.write(nwb)


def photon_series(frames=FRAMES, name="widefield", kind="OnePhotonSeries", **options):
    """Return what makes a series of an NWB file; NWB orders axes time, x, y."""

    def make(nwb):
        import pynwb.ophys

        device = nwb.create_device(f"camera of {name}")
        channel = pynwb.ophys.OpticalChannel(name="c", description="c", emission_lambda=520.0)
        plane = nwb.create_imaging_plane(
            name=f"plane of {name}",
            optical_channel=channel,
            description="p",
            device=device,
            excitation_lambda=470.0,
            indicator="GCaMP6f",
            location="cortex",
        )
        times = {} if "timestamps" in options else {"rate": 30.0}
        return getattr(pynwb.ophys, kind)(
            name=name,
            data=frames.transpose(0, 2, 1),
            imaging_plane=plane,
            unit="n.a.",
            **(times | options),
        )

    return make


def save_video(path, frames, codec="ffv1", pixels="gray", **more):
    import imageio_ffmpeg

    given = "gray16le" if frames.dtype == np.uint16 else "gray"
    given = "rgb48le" if frames.ndim == 4 else given  # (T, H, W, 3)
    size = frames.shape[2:0:-1]
    options = {"pix_fmt_in": given, "pix_fmt_out": pixels, "macro_block_size": 1, "fps": 30} | more
    writer = imageio_ffmpeg.write_frames(str(path), size, codec=codec, **options)
    writer.send(None)
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()


def save_table(path, **columns):
    pd.DataFrame(columns).to_csv(path, sep="\t" if path.suffix == ".tsv" else ",", index=False)


def ring(path, n_pages, back, **options):
    """A TIFF file whose last page says that page `back` follows, as of a writer that was killed."""
    big = options.pop("bigtiff", False)
    with tifffile.TiffWriter(path, bigtiff=big) as writer:
        for number in range(n_pages):
            page = np.full((4, 4), number, np.uint16)
            writer.write(page, contiguous=False, metadata=None, **options)
    with tifffile.TiffFile(path) as tif:
        offsets, form = [page.offset for page in tif.pages], tif.tiff
    content = bytearray(path.read_bytes())
    (n_tags,) = struct.unpack_from(form.tagnoformat, content, offsets[-1])
    at = offsets[-1] + form.tagnosize + n_tags * form.tagsize
    struct.pack_into(form.offsetformat, content, at, offsets[back])
    path.write_bytes(content)


def without_pixels(content, path, number):
    """The bytes of a TIFF file whose page `number` has one strip, as if none had been written."""
    path.write_bytes(content)
    with tifffile.TiffFile(path) as tif:
        tags = [tif.pages[number].tags[name] for name in ("StripOffsets", "StripByteCounts")]
    sparse = bytearray(content)
    for tag in tags:
        size = 2 if tag.dtype == tifffile.DATATYPE.SHORT else 4
        sparse[tag.valueoffset : tag.valueoffset + size] = bytes(size)
    return bytes(sparse)
