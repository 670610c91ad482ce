"""Movies in every format that a lab may have: the same frames come out, in blocks, in order."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from make_movies import (
    FRAMES,
    GRAY,
    H,
    T,
    W,
    photon_series,
    read,
    refusal,
    save_h5,
    save_h5_of_parts,
    save_h5_of_raw,
    save_h5_of_raws,
    save_nwb,
    save_v5,
    save_v73,
    save_video,
    save_zarr,
)
from mesodecode.base.files import UserError
from mesodecode.base.natural_order import in_order
from mesodecode.recordings import axes, movie
from mesodecode.recordings.masks import read_masks
from mesodecode.recordings.readers import by_name, nwb_zarr, open_movie, read_mat
from mesodecode.recordings.readers.clocks import read_times
from mesodecode.recordings.readers.light_sources import read_light_sources
from mesodecode.running.fingerprints import fingerprint
from mesodecode.study import file_formats


def save_chunked(path, frames):
    with h5py.File(path, "w") as file:
        file.create_dataset("f", data=frames, chunks=(7, 2, 4), compression="gzip", shuffle=True)
        file["time"] = np.arange(T)


FORTRAN = FRAMES.transpose(1, 2, 0)  # as MATLAB keeps it: height x width x frames
SAVED = {
    # name -> (file, how to write it, options of open_movie)
    "HDF5": ("s.h5", lambda p: save_h5(p, frames=FRAMES), {}),
    "HDF5, by path": (
        "s.hdf5",
        lambda p: save_h5(p, a__b=FRAMES, a__c=FRAMES + 1),
        {"dataset": "/a/b"},
    ),
    "HDF5, chunked over space and time": ("s.h5", lambda p: save_chunked(p, FRAMES), {}),
    "HDF5, time last": ("s.h5", lambda p: save_h5(p, f=FORTRAN), {"axes": "YXT"}),
    "HDF5, joined from files": ("s.h5", lambda p: save_h5_of_parts(p, FRAMES, 3), {}),
    "HDF5, of a raw file": ("s.h5", lambda p: save_h5_of_raw(p, FRAMES), {}),
    "HDF5, of raw files with room for more": ("s.h5", lambda p: save_h5_of_raws(p, FRAMES), {}),
    "HDF5, beside a number of three axes": (
        "s.h5",
        lambda p: save_h5(p, f=FRAMES, n=np.ones((1, 1, 1))),
        {},
    ),
    "HDF5, an axis of one": ("s.h5", lambda p: save_h5(p, f=FRAMES[:, None]), {}),
    "MAT v7.3": ("s.mat", lambda p: save_v73(p, frames=FORTRAN, t=np.zeros((1, T))), {}),
    "MAT v7.3, time first": ("s.mat", lambda p: save_v73(p, f=FRAMES), {"axes": "TYX"}),
    "MAT v5": ("s.mat", lambda p: scipy.io.savemat(p, {"f": FORTRAN}), {}),
    "MAT v5, in a struct": (
        "s.mat",
        lambda p: scipy.io.savemat(p, {"rec": {"f": FORTRAN, "g": FORTRAN}}),
        {"dataset": "rec/f"},
    ),
    "NPY": ("s.npy", lambda p: np.save(p, FRAMES), {}),
    "NPY, columns first": ("s.npy", lambda p: np.save(p, np.asfortranarray(FRAMES)), {}),
    "NPY, time last": (
        "s.npy",
        lambda p: np.save(p, np.ascontiguousarray(FORTRAN)),
        {"axes": "YXT"},
    ),
    "NPY, big-endian": ("s.npy", lambda p: np.save(p, FRAMES.astype(">u2")), {}),
    "Zarr 3": ("s.zarr", lambda p: save_zarr(p, FRAMES), {}),
    "Zarr 2": ("s.zarr", lambda p: save_zarr(p, FRAMES, 2), {}),
    "Zarr, chunked over space": ("s.zarr", lambda p: save_zarr(p, FRAMES, chunks=(T, 2, 3)), {}),
    "Zarr, chunks in shards": (
        "s.zarr",
        lambda p: save_zarr(p, FRAMES, chunks=(4, 1, W), shards=(8, H, W)),
        {},
    ),
    "Zarr group": ("s.zarr", lambda p: save_zarr(p, FRAMES, 3, "a/b"), {"dataset": "a/b"}),
    "NWB": ("s.nwb", lambda p: save_nwb(p, photon_series()), {}),
    "NWB, two photon": (
        "s.nwb",
        lambda p: save_nwb(p, photon_series(), photon_series(FRAMES[::-1], "b", "TwoPhotonSeries")),
        {"dataset": "widefield"},
    ),
    "video, lossless": ("s.avi", lambda p: save_video(p, FRAMES, pixels="gray16le"), {}),
}


@pytest.mark.parametrize("name", SAVED)
def test_every_format_gives_the_same_frames(tmp_path, name):
    file, save, options = SAVED[name]
    save(tmp_path / file)
    for size in (5, T, 100) if name != "video, lossless" else (5,):
        np.testing.assert_array_equal(read(tmp_path / file, size, **options), FRAMES)


@pytest.mark.parametrize("suffix", [".npy", ".h5", ".zarr"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_pixels_keep_their_type(tmp_path, suffix, dtype):
    frames = FRAMES.astype(dtype) / 7 if dtype.startswith("f") else FRAMES.astype(dtype)
    frames = frames.astype(dtype)
    save = {".npy": np.save, ".h5": lambda p, x: save_h5(p, f=x), ".zarr": save_zarr}[suffix]
    save(tmp_path / f"s{suffix}", frames)
    got = read(tmp_path / f"s{suffix}")
    assert got.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(got, frames)


@pytest.mark.parametrize("size", [1, 4, 7, 100])
def test_channels_of_an_array_follow_each_other(tmp_path, size):
    np.save(tmp_path / "s.npy", np.stack([FRAMES, FRAMES[::-1]], axis=1))
    frames = read(tmp_path / "s.npy", size, axes="TCYX", channels=2)
    np.testing.assert_array_equal(frames[::2], FRAMES)
    np.testing.assert_array_equal(frames[1::2], FRAMES[::-1])
    options = {"imagej": True, "metadata": {"axes": "TCYX"}}
    tifffile.imwrite(tmp_path / "s.tif", np.stack([FRAMES, FRAMES[::-1]], axis=1), **options)
    got = read(tmp_path / "s.tif", size, axes="TCYX", channels=2)
    np.testing.assert_array_equal(got, frames)
    for path in (tmp_path / "s.npy", tmp_path / "s.tif"):
        assert "set channels: 2" in refusal(path, axes="TCYX")


@given(lengths=st.lists(st.integers(0, 9), max_size=6), size=st.integers(1, 12))
def test_blocks_of_any_pieces_are_whole(lengths, size):
    values = np.arange(sum(lengths))[:, None, None]
    pieces = np.split(values, np.cumsum(lengths)[:-1]) if lengths else []
    blocks = list(movie.batched(pieces, size))
    assert [start for start, _ in blocks] == list(range(0, len(values), size))
    assert all(len(block) == size for _, block in blocks[:-1])
    if blocks:
        np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), values)


@pytest.mark.parametrize("kind", ["NPY", "time last", "chunked over time"])
def test_a_movie_is_never_whole_in_memory(tmp_path, monkeypatch, kind):
    """In any order on disk: at most a few slabs of 256 KiB, here of 4.7 MiB."""
    monkeypatch.setattr(movie, "SLAB", 1 << 18)
    frames = np.zeros((600, 64, 64), np.uint16)
    path, options = tmp_path / "s.npy", {}
    if kind == "NPY":
        np.save(path, frames)
    elif kind == "time last":
        np.save(path, np.moveaxis(frames, 0, 2).copy())
        options["axes"] = "YXT"
    else:
        path = tmp_path / "s.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("f", data=frames, chunks=(600, 8, 8), compression="gzip")
    with open_movie(path, **options) as opened:
        next(opened.blocks(8))
        tracemalloc.start()
        try:
            assert sum(len(block) for _, block in opened.blocks(8)) == 600
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < frames.nbytes / 3


RESIDENT = """
import sys
from mesodecode.recordings.readers import open_movie
with open_movie(sys.argv[1]) as movie:
    next(movie.blocks(16))  # the libraries are there
    def peak():  # kB, maps included, since this process began; ru_maxrss would count its parent
        lines = open("/proc/self/status").read().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    before = peak()
    assert sum(len(block) for _, block in movie.blocks(16)) == movie.shape[0]
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_a_mapped_file_does_not_stay_resident(tmp_path, suffix):
    """A map of the file would: what is mapped counts, and a cluster kills a job for it."""
    frames = np.zeros((200, 512, 512), np.uint16)  # 100 MB
    path = tmp_path / f"s{suffix}"
    np.save(path, frames) if suffix == ".npy" else tifffile.imwrite(path, frames, **GRAY)
    words = [sys.executable, "-c", RESIDENT, path]
    grown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert int(grown) < 40_000


# --- several files -----------------------------------------------------------------------------


def save_parts(folder, suffix=".tif", cuts=(4, 5, 12)):
    """Write parts of the movie as s_1, s_2, s_10, s_11: in the order of their numbers."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"s_{n}{suffix}" for n in (1, 2, 10, 11)]
    for path, part in zip(paths, np.split(FRAMES, cuts), strict=True):
        if suffix == ".tif":
            tifffile.imwrite(path, part, **GRAY)
        elif suffix == ".npy":
            np.save(path, part)
        else:
            save_h5(path, frames=part)
    return paths


@pytest.mark.parametrize("size", [1, 5, 100])
def test_a_folder_a_pattern_and_a_list_are_one_movie(tmp_path, size):
    paths = save_parts(tmp_path / "s 1")
    (tmp_path / "s 1" / "._s_1.tif").write_bytes(b"of macOS")
    (tmp_path / "s 1" / "notes.txt").write_text("no movie")
    for given_as in (
        tmp_path / "s 1",
        str(tmp_path / "s ?" / "s_*.tif"),
        paths,
        [tmp_path / "s 1"],
    ):
        np.testing.assert_array_equal(read(given_as, size), FRAMES)
    np.testing.assert_array_equal(read(paths[::-1])[: len(FRAMES[12:])], FRAMES[12:])  # as listed


@pytest.mark.parametrize("suffix", [".npy", ".h5"])
def test_files_of_any_format_follow_each_other(tmp_path, suffix):
    save_parts(tmp_path, suffix)
    np.testing.assert_array_equal(read(tmp_path / f"s_*{suffix}"), FRAMES)
    two = save_parts(tmp_path, suffix)[2:]  # of three axes each: no components
    np.testing.assert_array_equal(read(two), FRAMES[5:])


def test_files_of_one_frame_each(tmp_path):
    for i, frame in enumerate(FRAMES):
        tifffile.imwrite(tmp_path / f"img{i}.tif", frame, **GRAY)
    np.testing.assert_array_equal(read(tmp_path), FRAMES)


@pytest.mark.parametrize("n_channels", [1, 2])
def test_an_ome_movie_in_several_files(tmp_path, n_channels):
    """Its metadata are in every file and speak of all: neither counts frames twice."""
    names = [tmp_path / "a.ome.tif", tmp_path / "b.ome.tif"]
    n_pages = T // n_channels * n_channels
    blocks = [
        f'<TiffData FirstT="{i // n_channels}" FirstC="{i % n_channels}" IFD="{i % 12}" '
        'PlaneCount="1">'
        f'<UUID FileName="{names[i // 12].name}">urn:uuid:{i // 12}</UUID></TiffData>'
        for i in range(n_pages)
    ]
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
        f'SizeX="{W}" SizeY="{H}" SizeZ="1" SizeC="{n_channels}" SizeT="{T // n_channels}">'
        + "".join(f'<Channel ID="C:{i}" SamplesPerPixel="1"/>' for i in range(n_channels))
        + "".join(blocks)
        + "</Pixels></Image></OME>"
    )
    for name, part in zip(names, (FRAMES[:12], FRAMES[12:n_pages]), strict=True):
        with tifffile.TiffWriter(name, ome=False) as tif:
            for i, frame in enumerate(part):
                text = {"description": xml} if i == 0 else {}
                tif.write(frame, contiguous=False, metadata=None, **GRAY, **text)
    for path in (names[0], names):
        np.testing.assert_array_equal(read(path, channels=n_channels), FRAMES[:n_pages])
    names[1].unlink()
    assert "b.ome.tif" in refusal(names[0])


def test_files_that_do_not_fit_together_are_named(tmp_path):
    paths = save_parts(tmp_path)
    tifffile.imwrite(paths[2], FRAMES[5:12, :, 1:], **GRAY)
    with pytest.raises(UserError, match=r"s_10\.tif: frames of \(6, 8\) px.*s_1\.tif has \(6, 9\)"):
        read(tmp_path)
    tifffile.imwrite(paths[2], FRAMES[5:12].astype(np.uint8), **GRAY)
    with pytest.raises(UserError, match=r"s_10\.tif: .*uint8"):
        read(tmp_path)


def test_names_are_ordered_as_people_count():
    names = ["s10", "s9", "s1b", "s1a", "s", "s01", "a2b10", "a2b9"]
    ordered = ["a2b9", "a2b10", "s", "s01", "s1a", "s1b", "s9", "s10"]
    assert [str(path) for path in in_order(map(Path, names))] == ordered


def test_a_fingerprint_is_of_all_files(tmp_path):
    paths = save_parts(tmp_path / "s")
    alone = subprocess.run(["sha256sum", paths[0]], capture_output=True, text=True).stdout[:64]
    assert fingerprint([paths[0]]) == (str(paths[0]), alone)
    folder, pattern = fingerprint(tmp_path / "s"), fingerprint(str(tmp_path / "s" / "*.tif"))
    lines = subprocess.run(
        ["sha256sum", *(p.name for p in paths)], cwd=tmp_path / "s", capture_output=True
    )
    of_lines = subprocess.run(["sha256sum"], input=lines.stdout, capture_output=True, text=False)
    assert pattern[1] == of_lines.stdout.decode()[:64]
    assert folder[0] == str(tmp_path / "s")
    tifffile.imwrite(paths[3], FRAMES[12:] + 1, **GRAY)
    assert fingerprint(tmp_path / "s")[1] != folder[1]


# --- particular formats ------------------------------------------------------------------------


def packed(values):
    """Pack rows of 12-bit numbers, most significant bit first, as TIFF 6.0 says."""
    rows = []
    for row in values.reshape(-1, values.shape[-1]):
        bits = "".join(f"{v:012b}" for v in row)
        bits += "0" * (-len(bits) % 8)
        rows.append(int(bits, 2).to_bytes(len(bits) // 8, "big"))
    return b"".join(rows)


def test_twelve_bit_tiff(tmp_path):
    frames = FRAMES >> 4
    tifffile.imwrite(tmp_path / "s.tif", frames, bitspersample=12, **GRAY)
    with tifffile.TiffFile(tmp_path / "s.tif") as tif:
        page = tif.pages[3]
        offset, size = page.dataoffsets[0], page.databytecounts[0]
        assert page.bitspersample == 12
    stored = (tmp_path / "s.tif").read_bytes()[offset : offset + size]
    assert stored == packed(frames[3])  # the writer does what the standard says
    np.testing.assert_array_equal(read(tmp_path / "s.tif"), frames)


@pytest.mark.parametrize("compression", ["lzw", "zstd", "deflate", "packbits", "jpeg2000"])
def test_compressed_tiff(tmp_path, compression):
    options = {"compression": compression}
    if compression == "jpeg2000":
        options["compressionargs"] = {"reversible": True}
    frames = FRAMES.repeat(4, 1).repeat(4, 2)
    tifffile.imwrite(tmp_path / "s.tif", frames, **options, **GRAY)
    np.testing.assert_array_equal(read(tmp_path / "s.tif"), frames)


def big(path, kind, n_frames):
    """Make a sparse TIFF file of more than 4 GiB: frames of 64 MiB, of which three are written."""
    side = 8192
    frames = {0: 7, n_frames // 2: 8, n_frames - 1: 9}
    head = {"bigtiff": {"bigtiff": True}, "imagej": {"imagej": True}}[kind]
    tifffile.imwrite(path, shape=(n_frames, side, side), dtype=np.uint8, **GRAY, **head)
    with tifffile.TiffFile(path) as tif:
        offset = tif.series[0].dataoffset
    with open(path, "r+b") as file:
        for frame, value in frames.items():
            file.seek(offset + frame * side * side)
            file.write(bytes([value]) * 100)
    return side, frames


@pytest.mark.filterwarnings("ignore:.*truncating ImageJ file")
@pytest.mark.parametrize("kind", ["bigtiff", "imagej"])
def test_tiff_across_four_gigabytes(tmp_path, kind):
    """Frame 64 of these lies at 4 GiB, where the offsets of classic TIFF end."""
    path = tmp_path / "s.tif"
    side, frames = big(path, kind, 67)
    assert path.stat().st_size > 1 << 32 and path.stat().st_blocks < 1 << 16  # sparse
    with open_movie(path) as opened:
        assert opened.shape == (67, side, side)
        for frame, value in frames.items():
            assert opened._read(frame, frame + 1).ravel()[:101].tolist() == [value] * 100 + [0]
    with open(path, "r+b") as file:
        file.truncate((1 << 32) + 5)
    assert "truncated" in refusal(path)


def test_an_empty_array_of_matlab_is_not_the_size_that_is_kept_of_it(tmp_path):
    path = tmp_path / "s.mat"
    save_v73(path, mov=FRAMES.transpose(1, 2, 0))
    with h5py.File(path, "r+") as file:
        file["R"] = np.array([0, 0], np.uint64)
        file["R"].attrs["MATLAB_empty"] = np.uint8(1)
    np.testing.assert_array_equal(read(path), FRAMES)
    assert "R" not in read_mat(path)
    assert "no dataset 'R' in it, or an empty one; it holds: mov" in refusal(path, dataset="R")


U = np.random.default_rng(0).normal(size=(H, W, 4))
SVT = np.random.default_rng(1).normal(size=(4, T))
PRODUCT = np.einsum("hwk,kt->thw", U, SVT)


def test_svd_components_are_put_together(tmp_path):
    np.save(tmp_path / "U.npy", U)
    np.save(tmp_path / "SVT.npy", SVT)
    got = read([tmp_path / "U.npy", tmp_path / "SVT.npy"], size=7)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, PRODUCT, atol=1e-5)
    np.save(tmp_path / "SVT.npy", SVT.T)  # K tells which axis is time
    np.save(tmp_path / "U.npy", np.moveaxis(U, 2, 0).astype(np.float32))
    got = read([tmp_path / "U.npy", tmp_path / "SVT.npy"])
    np.testing.assert_allclose(got, PRODUCT, atol=1e-5)
    files = [(tmp_path / name).rename(tmp_path / name.upper()) for name in ("U.npy", "SVT.npy")]
    np.testing.assert_allclose(read(files), PRODUCT, atol=1e-5)


def test_suffixes_of_files_may_be_in_upper_case(tmp_path):
    for name, values in (("l", [1, 2, 1, 2]), ("t", [0, 0.1, 0.2, 0.3])):
        np.save(tmp_path / f"{name}.npy", values)
        (tmp_path / f"{name}.npy").rename(tmp_path / f"{name}.NPY")
    assert read_light_sources(tmp_path / "l.NPY", None)[1].tolist() == [1, 2, 1, 2]
    np.testing.assert_allclose(read_times(tmp_path / "t.NPY", None, 4, 10.0), np.arange(4) / 10)
    (tmp_path / "m.TSV").write_text("name\themisphere\tx\ty\tradius\nV1\tleft\t1\t1\t0.6\n")
    assert read_masks(tmp_path / "m.TSV", H, W).names == ("V1 left",)
    (tmp_path / "folder").mkdir()
    for i, frame in enumerate(FRAMES[:3]):
        tifffile.imwrite(tmp_path / f"folder/{i}.TIF", frame, **GRAY)
    np.testing.assert_array_equal(read(tmp_path / "folder"), FRAMES[:3])


@pytest.mark.parametrize("save", [save_v73, save_h5, lambda p, **x: scipy.io.savemat(p, x)])
def test_svd_components_of_one_file(tmp_path, save):
    path = tmp_path / ("s.h5" if save is save_h5 else "s.mat")
    outside = U.copy()
    outside[0, :3] = np.nan  # outside the brain
    save(path, U=outside, Vc=SVT)
    expected = PRODUCT.copy()
    expected[:, 0, :3] = np.nan
    np.testing.assert_allclose(read(path, dataset=["U", "Vc"]), expected, atol=1e-5)


@pytest.mark.parametrize("letters", ["YXK", "XYK", "KXY", "KYX"])
def test_svd_components_in_any_order(tmp_path, letters):
    both = {"U": U.transpose(["YXK".index(letter) for letter in letters]), "SVT": SVT}
    options = {"dataset": ["U", "SVT"]}
    for file, save in (("s.h5", save_h5), ("7.mat", save_v73), ("5.mat", save_v5)):
        save(tmp_path / file, **both)
        got = read(tmp_path / file, axes=letters, **options)
        np.testing.assert_allclose(got, PRODUCT, atol=1e-5)
    with open_movie(tmp_path / "s.h5", **options) as opened:
        assert opened.axes.by is None and opened.axes.letters.replace("K", "") == "YX"
    assert "needs Y, X and K" in refusal(tmp_path / "s.h5", axes="TYX", **options)


def test_svd_components_that_do_not_fit_are_named(tmp_path):
    np.save(tmp_path / "U.npy", U)
    np.save(tmp_path / "SVT.npy", np.vstack([SVT, SVT[:1]]))
    with pytest.raises(UserError, match=r"U\.npy: U has 4 components, SVT \(5, 23\) more"):
        read([tmp_path / "U.npy", tmp_path / "SVT.npy"])
    with pytest.raises(UserError, match="in this order"):
        save_h5(tmp_path / "s.h5", U=U, SVT=SVT)
        read(tmp_path / "s.h5", dataset=["SVT", "U"])


def test_nwb_time_stamps_and_orientation(tmp_path):
    times = 5 + np.arange(T) / 30
    save_nwb(tmp_path / "t.nwb", photon_series(timestamps=times))
    save_nwb(tmp_path / "r.nwb", photon_series(starting_time=5.0))
    for name in ("t.nwb", "r.nwb"):
        with open_movie(tmp_path / name) as opened:
            np.testing.assert_allclose(opened.time, times)


def image_series(frames=FRAMES):
    from pynwb.image import ImageSeries

    return ImageSeries(name="DeltaF", data=frames.transpose(0, 2, 1), unit="n.a.", rate=30.0)


def test_nwb_image_series_where_no_photon_series_is(tmp_path):
    path = tmp_path / "s.nwb"
    save_nwb(path, image_series())
    np.testing.assert_array_equal(read(path), FRAMES)
    save_nwb(path, image_series(FRAMES + 1), photon_series())
    np.testing.assert_array_equal(read(path), FRAMES)
    np.testing.assert_array_equal(read(path, dataset="DeltaF"), FRAMES + 1)
    save_nwb(path)
    assert "no series of images in it" in refusal(path)


def test_nwb_a_series_a_wavelength(tmp_path):
    path = tmp_path / "s.nwb"
    save_nwb(path, photon_series(), photon_series(FRAMES + 1, "isosbestic"))
    got = read(path, dataset=["widefield", "isosbestic"], channels=2, size=6)
    np.testing.assert_array_equal(got[::2], FRAMES)
    np.testing.assert_array_equal(got[1::2], FRAMES + 1)


def save_nwb_svd(path, rows):
    """Write U as image masks (K, x, y) and those `rows` of SVT as a series of them."""
    from pynwb.ophys import ImageSegmentation, RoiResponseSeries

    def components(nwb):
        series = photon_series(FRAMES, "w")(nwb)
        nwb.add_acquisition(series)
        module = nwb.create_processing_module("ophys", "d")
        table = ImageSegmentation(name="segmentation")
        module.add(table)
        masks = table.create_plane_segmentation(
            name="U", description="d", imaging_plane=series.imaging_plane
        )
        for mask in U.transpose(2, 1, 0):
            masks.add_roi(image_mask=mask)
        region = masks.create_roi_table_region(region=rows, description="d")
        return RoiResponseSeries(
            name="SVT", data=SVT[rows].T / 2, rois=region, unit="a", rate=30.0, conversion=2.0
        )

    save_nwb(path, components)


@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [2, 0]])
def test_nwb_svd_of_masks_and_their_series(tmp_path, rows):
    path = tmp_path / "s.nwb"
    save_nwb_svd(path, rows)
    expected = np.einsum("hwk,kt->thw", U[..., rows], SVT[rows])
    np.testing.assert_allclose(read(path, dataset=["U", "SVT"]), expected, atol=1e-5)
    assert "no SVD components" in refusal(path, dataset=["U", "w"])


@pytest.mark.parametrize("turned", [False, True], ids=["time, x, y", "time, y, x"])
@pytest.mark.parametrize("dimension", [[W, H], [H, W]], ids=["width first", "height first"])
def test_nwb_data_and_dimension_in_either_order(tmp_path, turned, dimension):
    """Where the two contradict each other, either may be wrong: asked for, but of NeuroConv."""
    frames, path = FRAMES.transpose(0, 2, 1) if turned else FRAMES, tmp_path / "s.nwb"
    save_nwb(path, photon_series(frames, dimension=dimension))
    np.testing.assert_array_equal(read(path, axes="TYX" if turned else "TXY"), FRAMES)
    if turned == (dimension == [H, W]):  # they agree
        np.testing.assert_array_equal(read(path), frames)
        with open_movie(path) as opened:
            assert (opened.axes.letters, opened.axes.by) == ("TXY", None)
        return
    message = refusal(path)
    assert "dimension" in message and "movie_axes: TXY" in message and "TYX" in message
    if not turned:
        script = {"source_script": "Created using NeuroConv v0.6.1"}
        save_nwb(path, photon_series(frames, dimension=dimension), **script)
        np.testing.assert_array_equal(read(path), FRAMES)
        with open_movie(path) as opened:
            assert opened.axes.by == "the file"


def save_nwb_zarr(path, version=2, script="by hand", **arrays):
    """Write what hdmf-zarr 0.13 does: the group of a series, text with a fill value of 0."""
    import numcodecs
    import zarr

    root = zarr.open_group(str(path), mode="w", zarr_format=version)
    root.attrs.update({"neurodata_type": "NWBFile", "namespace": "core", "nwb_version": "2.11.0"})
    root.create_group("processing").create_array("stack", shape=(T, 4, 5), dtype="f8")
    series = root.create_group("acquisition").create_group("widefield")
    series.attrs.update({"neurodata_type": "OnePhotonSeries", "namespace": "core"})
    for name, array in ({"data": FRAMES.transpose(0, 2, 1)} | arrays).items():
        series.create_array(name, data=np.ascontiguousarray(array))
    if "starting_time" in arrays:
        series["starting_time"].attrs["rate"] = 30.0
    text = path / "general" / "source_script"
    text.mkdir(parents=True)
    meta = {"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "order": "C"}
    meta |= {"fill_value": 0, "filters": [{"id": "vlen-utf8"}], "compressor": {"id": "zlib"}}
    (text / ".zarray").write_text(json.dumps(meta))
    words = numcodecs.VLenUTF8().encode(np.array([script], object))
    (text / "0").write_bytes(numcodecs.Zlib().encode(words))


@pytest.mark.parametrize("version", [2, 3])
def test_nwb_in_zarr_is_read_as_nwb(tmp_path, version):
    path = tmp_path / "s.nwb.zarr"
    save_nwb_zarr(path, version, starting_time=np.array([0.5]), dimension=np.array([W, H]))
    np.testing.assert_array_equal(read(path), FRAMES)
    with open_movie(path, dataset="widefield") as opened:
        np.testing.assert_allclose(opened.time, 0.5 + np.arange(T) / 30)
    assert "it holds: widefield 23 x 9 x 6" in refusal(path, dataset="stack")
    save_nwb_zarr(tmp_path / "t.nwb", version, timestamps=np.arange(T) / 30 + 1)
    with open_movie(tmp_path / "t.nwb") as opened:
        np.testing.assert_allclose(opened.time, np.arange(T) / 30 + 1)


def test_series_of_one_name_of_nwb_in_zarr_are_told_apart(tmp_path):
    path = tmp_path / "s.nwb.zarr"
    for group in ("acquisition/film", "processing/ophys/film", "acquisition/other"):
        (path / group / "data").mkdir(parents=True)
        (path / group / ".zattrs").write_text('{"neurodata_type": "OnePhotonSeries"}')
    (path / ".zattrs").write_text('{"neurodata_type": "NWBFile"}')
    found = nwb_zarr.series(path)
    own = {"acquisition/film", "processing/ophys/film"}
    assert found == {name: path / name for name in own} | {"other": path / "acquisition/other"}


def test_zarr_that_writes_no_zeros_outside_the_brain(tmp_path):
    masked = FRAMES * (np.arange(H) < H // 2)[:, None]
    save_zarr(tmp_path / "s.zarr", masked, chunks=(4, H // 2, W))
    assert not list((tmp_path / "s.zarr").glob("c/*/1/0"))
    np.testing.assert_array_equal(read(tmp_path / "s.zarr"), masked)


def test_nwb_in_zarr_whose_dimension_is_height_first(tmp_path):
    path = tmp_path / "s.nwb.zarr"
    save_nwb_zarr(path, dimension=np.array([H, W]))
    assert "movie_axes: TXY" in refusal(path)
    save_nwb_zarr(tmp_path / "n", 2, "Created using NeuroConv v0.6", dimension=np.array([H, W]))
    np.testing.assert_array_equal(read(tmp_path / "n"), FRAMES)


# --- which axes were taken ---------------------------------------------------------------------

TAKEN = {
    "TIFF": ("s.tif", lambda p: tifffile.imwrite(p, FRAMES, **GRAY), None, "TYX", "the file"),
    "HDF5": ("s.h5", lambda p: save_h5(p, f=FRAMES), None, "TYX", None),
    "HDF5, asked for": ("s.h5", lambda p: save_h5(p, f=FRAMES), "TYX", "TYX", "movie_axes"),
    "MAT v7.3": ("s.mat", lambda p: save_v73(p, f=FORTRAN), None, "YXT", None),
    "MAT v5": ("s.mat", lambda p: scipy.io.savemat(p, {"f": FORTRAN}), None, "YXT", None),
    "NPY": ("s.npy", lambda p: np.save(p, FRAMES), None, "TYX", None),
    "NPY of MATLAB": (
        "s.npy",
        lambda p: np.save(p, np.asfortranarray(FORTRAN)),
        "YXT",
        "YXT",
        "movie_axes",
    ),
    "Zarr": ("s.zarr", lambda p: save_zarr(p, FRAMES), None, "TYX", None),
    "NWB": ("s.nwb", lambda p: save_nwb(p, photon_series()), None, "TXY", None),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_movie_says_which_axes_it_was_read_by(tmp_path, name):
    file, save, asked, letters, by = TAKEN[name]
    save(tmp_path / file)
    with open_movie(tmp_path / file, axes=asked) as opened:
        assert (opened.axes.letters, opened.axes.by) == (letters, by)
    np.testing.assert_array_equal(read(tmp_path / file, axes=letters), FRAMES)


def test_other_orders_of_axes_and_their_frames():
    assert axes.Axes("TYX", None, (600, 24, 32)).others() == {"YTX": 24, "YXT": 32}
    assert axes.Axes("YXT", None, (600, 24, 32)).others() == {"TYX": 600, "YTX": 24}
    assert axes.Axes("TCYX", None, (600, 2, 24, 32)).others() == {"CYTX": 48, "CYXT": 64}
    assert axes.Axes("TYX", None, (600, 24, 32)).others(2) == {"YTX": 12, "YXT": 16}
    assert axes.Axes().others() == {}  # not known of a movie in several files


def test_a_lossy_video_is_read_and_named(tmp_path, capsys):
    smooth = (np.mgrid[:12, :64, :48].sum(0)).astype(np.uint8)
    save_video(tmp_path / "s.mp4", smooth, "libx264", "yuv420p")
    got = read(tmp_path / "s.mp4")
    assert got.shape == smooth.shape and got.dtype == np.uint8
    assert np.abs(got.astype(int) - smooth).max() < 12  # grey stays grey, in its full range
    assert "last resort" in capsys.readouterr().err
    save_video(tmp_path / "s.avi", smooth)
    np.testing.assert_array_equal(read(tmp_path / "s.avi"), smooth)
    assert capsys.readouterr().err == ""


def test_a_video_of_16_bits_keeps_them_and_all_frames_in_colours_or_with_alpha_too(tmp_path):
    late = ["-vf", r"setpts=PTS+gt(N\,9)*0.5/TB", "-fps_mode", "passthrough"]  # half a second
    save_video(tmp_path / "s.mkv", FRAMES, "png", "ya16be", output_params=late)
    np.testing.assert_array_equal(read(tmp_path / "s.mkv"), FRAMES)
    grey = np.repeat(FRAMES[..., None], 3, axis=-1)
    save_video(tmp_path / "s.mkv", grey, "png", "rgb48be")
    got = read(tmp_path / "s.mkv")
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got, FRAMES)  # ffmpeg's own greys are up to 253 off
    colours = np.stack([FRAMES, FRAMES[::-1], FRAMES[:, ::-1]], axis=-1)
    save_video(tmp_path / "s.mkv", colours, "png", "rgb48be")
    red, green, blue = np.moveaxis(colours.astype(float), -1, 0)
    weighed = 0.299 * red + 0.587 * green + 0.114 * blue
    assert np.abs(read(tmp_path / "s.mkv") - weighed).max() < 0.51


# --- words for what is not there ---------------------------------------------------------------


def test_a_dataset_that_is_not_there_is_answered_by_what_is(tmp_path):
    save_h5(tmp_path / "s.h5", a__b=FRAMES, a__c=FRAMES, t=np.arange(T))
    message = refusal(tmp_path / "s.h5", dataset="a/d")
    assert "no dataset 'a/d'" in message and "a/b 23 x 6 x 9, a/c 23 x 6 x 9, t 23" in message
    assert "name one in movie_dataset" in refusal(tmp_path / "s.h5")
    save_zarr(tmp_path / "s.zarr", FRAMES, 3, "a/b")
    assert "it holds: a/b 23 x 6 x 9, other 3" in refusal(tmp_path / "s.zarr", dataset="x")
    save_nwb(tmp_path / "s.nwb", photon_series())
    assert "it holds: widefield 23 x 9 x 6" in refusal(tmp_path / "s.nwb", dataset="x")
    scipy.io.savemat(tmp_path / "s.mat", {"t": np.arange(3)})
    assert "no array of three axes; it holds: t 1 x 3" in refusal(tmp_path / "s.mat")


def test_a_file_that_is_named_twice_is_refused(tmp_path):
    for name in ("a", "b"):
        tifffile.imwrite(tmp_path / f"{name}.tif", FRAMES, **GRAY)
    (tmp_path / "again.tif").symlink_to("a.tif")
    parts = [tmp_path / name for name in ("a.tif", "b.tif", "again.tif")]
    assert len(read(parts[:2])) == 2 * len(FRAMES)
    named = ([*parts[:2], parts[0]], [f"{tmp_path}/?.tif", parts[0]], [parts[0], parts[2]])
    for files, said in zip(
        named, ("; name it once", "; name it once", ", as .*a.tif; name"), strict=True
    ):
        with pytest.raises(UserError, match=f"tif: is a part of its movie twice{said}"):
            read(files)


@pytest.mark.parametrize(
    ("axes", "words"),
    [("TYY", "once each"), ("TY", "not 2 axes"), ("TZYX", "not 4 axes"), ("TZX", "once each")],
)
def test_axes_that_do_not_fit_are_refused(tmp_path, axes, words):
    np.save(tmp_path / "s.npy", FRAMES)
    assert words in refusal(tmp_path / "s.npy", axes=axes)


def test_four_axes_need_their_names(tmp_path):
    np.save(tmp_path / "s.npy", np.zeros((T, 2, H, W)))
    assert "movie_axes" in refusal(tmp_path / "s.npy")
    assert "other axes must have length 1" in refusal(tmp_path / "s.npy", axes="TZYX")


@pytest.mark.parametrize("options", [{"dataset": "x"}, {"axes": "YXT"}])
def test_options_that_a_format_has_no_use_for_are_refused(tmp_path, options):
    save_video(tmp_path / "s.avi", FRAMES, pixels="gray16le")
    assert "leave movie_" in refusal(tmp_path / "s.avi", **options)
    tifffile.imwrite(tmp_path / "s.tif", FRAMES, ome=True, metadata={"axes": "TYX"}, **GRAY)
    assert "leave movie_" in refusal(tmp_path / "s.tif", **options)


ORDERS = {
    # name: (axes of the pages, how they are written, movie_axes)
    "OME": ("CTYX", {"ome": True, "metadata": {"axes": "CTYX"}}, None),
    "OME, zlib": (
        "CTYX",
        {"ome": True, "compression": "zlib", "metadata": {"axes": "CTYX"}},
        None,
    ),
    "OME, asked for": ("CTYX", {"ome": True, "metadata": {"axes": "CTYX"}}, "CTYX"),
    "OME, channels first": ("TCYX", {"ome": True, "metadata": {"axes": "TCYX"}}, None),
    "axes that nobody names": ("CTYX", {}, "CTYX"),
    "axes that nobody names, time first": ("TCYX", {}, "TCYX"),
}


@pytest.mark.parametrize("size", [1, 5, 100])
@pytest.mark.parametrize("name", ORDERS)
def test_channels_of_a_tiff_stack_take_turns_whatever_their_order(tmp_path, name, size):
    order, options, asked = ORDERS[name]
    both = np.stack([FRAMES, FRAMES[::-1]])  # C, T, Y, X
    pages = both if order == "CTYX" else both.transpose(1, 0, 2, 3)
    tifffile.imwrite(tmp_path / "s.tif", pages, **GRAY, **options)
    frames = read(tmp_path / "s.tif", size, axes=asked, channels=2)
    np.testing.assert_array_equal(frames[::2], FRAMES)
    np.testing.assert_array_equal(frames[1::2], FRAMES[::-1])


def test_channels_of_several_ome_files_take_turns(tmp_path):
    for i, part in enumerate(np.split(FRAMES[:20], 2)):
        both = np.stack([part, part + 1])
        options = {"ome": True, "metadata": {"axes": "CTYX"}}
        tifffile.imwrite(tmp_path / f"s_{i}.ome.tif", both, **GRAY, **options)
    frames = read(tmp_path, channels=2)
    np.testing.assert_array_equal(frames[::2], FRAMES[:20])
    np.testing.assert_array_equal(frames[1::2], FRAMES[:20] + 1)


def test_channels_of_a_tiff_stack_that_are_not_told_are_asked_for(tmp_path):
    tifffile.imwrite(tmp_path / "s.tif", np.stack([FRAMES, FRAMES]), **GRAY)
    assert "TCYX or CTYX? set movie_axes" in refusal(tmp_path / "s.tif", channels=2)
    both = {"ome": True, "metadata": {"axes": "CTYX"}}
    tifffile.imwrite(tmp_path / "f.tif", FRAMES, **GRAY)  # frames of two channels in turn
    np.testing.assert_array_equal(read(tmp_path / "f.tif", axes="TCYX", channels=2), FRAMES)
    tifffile.imwrite(tmp_path / "o.tif", np.stack([FRAMES, FRAMES]), **GRAY, **both)
    assert "set channels: 2" in refusal(tmp_path / "o.tif")
    assert "names its axes itself, CTYX" in refusal(tmp_path / "o.tif", axes="TCYX")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("letters", ["YXT", "YTX", "TXY"])
def test_a_tiff_stack_whose_pages_are_not_frames(tmp_path, letters, compression, monkeypatch):
    monkeypatch.setattr(movie, "SLAB", 1 << 10)  # several slabs
    array = FRAMES.transpose(["TYX".index(letter) for letter in letters])
    tifffile.imwrite(tmp_path / "s.tif", array, compression=compression, **GRAY)
    np.testing.assert_array_equal(read(tmp_path / "s.tif", axes=letters), FRAMES)


def test_an_unknown_format_is_answered_by_those_that_are_known(tmp_path):
    (tmp_path / "s.xyz").write_bytes(FRAMES.tobytes())
    message = refusal(tmp_path / "s.xyz")
    assert all(name in message for name in ("TIFF", "HDF5", "MAT", "NPY", "Zarr", "NWB", ".mp4"))


def test_readers_define_what_their_formats_give():
    needs = {"movie": "open_movie", "intervals": "read_variables"}
    for one in file_formats.FORMATS:
        names = {needs[what] for what in one.gives if what in needs}
        names |= {"holding"} if "traces" in one.gives and one.name not in ("NWB", "HDF5") else set()
        names |= {"read_rois"} if one.name == "NWB" else set()
        module = by_name.reader(one.name) if one.reader else None
        assert [name for name in names if not callable(getattr(module, name, None))] == [], one


@pytest.mark.parametrize("suffix", [".h5", ".zarr"])
def test_frames_packed_by_netcdf_are_those_that_they_stand_for(tmp_path, suffix):
    """xarray's encoding: of whole numbers, whose ΔF/F is another where there is an offset."""
    path = tmp_path / f"s{suffix}"
    stored = np.arange(3 * 2 * 4, dtype="i2").reshape(3, 2, 4)
    packing = {"scale_factor": 0.5, "add_offset": 100.0, "_FillValue": 23}
    if suffix == ".h5":
        save_h5(path, f=stored)
        with h5py.File(path, "r+") as file:
            file["f"].attrs.update(packing)
    else:
        import zarr

        save_zarr(path, stored, chunks=stored.shape)
        zarr.open_array(str(path), mode="r+").attrs.update(packing)
    frames = read(path)
    assert frames.dtype == np.float32
    assert frames[0].tolist() == [[100, 100.5, 101, 101.5], [102, 102.5, 103, 103.5]]
    assert frames[2, 1, 2] == 111 and np.isnan(frames[2, 1, 3])  # 22 and 23
