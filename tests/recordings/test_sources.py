"""TIFF stacks and MAT files as labs have them, and every way in which they can be wrong."""

import struct

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from PIL import Image

import told
from mesodecode.base.files import UserError
from mesodecode.recordings.readers import open_movie, read_behavior, read_mat
from mesodecode.recordings.roi_files import read_rois

T, H, W = 11, 6, 9
RNG = np.random.default_rng(3)
STACK = RNG.integers(0, 65536, (T, H, W)).astype(np.uint16)  # half of it above 32767


def read_movie(path, size=4):
    """Read a stack in blocks of `size` frames; the blocks must follow each other."""
    with open_movie(path) as movie:
        blocks = []
        for start, block in movie.blocks(size):
            assert start == sum(map(len, blocks))
            assert len(block) <= size
            blocks.append(block)
        frames = np.concatenate(blocks)
        assert frames.shape == movie.shape
        assert frames.dtype == movie.dtype
        return frames


def page_by_page(path, pages, **options):
    with tifffile.TiffWriter(path) as tif:
        for page in pages:
            tif.write(page, photometric="minisblack", **options)


def with_pillow(path, stack, **options):
    first, *rest = (Image.fromarray(frame) for frame in stack)
    first.save(path, save_all=True, append_images=rest, **options)


GRAY = {"photometric": "minisblack"}
WRITERS = {
    "uncompressed": lambda p, x: tifffile.imwrite(p, x, metadata=None, **GRAY),
    "with a shape": lambda p, x: tifffile.imwrite(p, x, **GRAY),
    "zlib": lambda p, x: tifffile.imwrite(p, x, compression="zlib", **GRAY),
    "lzma": lambda p, x: tifffile.imwrite(p, x, compression="lzma", **GRAY),
    "strips of two rows": lambda p, x: tifffile.imwrite(p, x, rowsperstrip=2, **GRAY),
    "BigTIFF": lambda p, x: tifffile.imwrite(p, x, bigtiff=True, **GRAY),
    "big-endian": lambda p, x: tifffile.imwrite(p, x, byteorder=">", metadata=None, **GRAY),
    "big-endian zlib": lambda p, x: tifffile.imwrite(
        p, x, byteorder=">", compression="zlib", **GRAY
    ),
    "OME": lambda p, x: tifffile.imwrite(p, x, ome=True, metadata={"axes": "TYX"}, **GRAY),
    "page by page": page_by_page,
    "page by page, zlib": lambda p, x: page_by_page(p, x, compression="zlib"),
    "page by page, no metadata": lambda p, x: page_by_page(p, x, metadata=None, contiguous=False),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_reads_what_was_written(tmp_path, writer, dtype):
    stack = STACK.astype(dtype) if dtype != "float32" else STACK / np.float32(7)
    WRITERS[writer](tmp_path / "s.tif", stack)
    frames = read_movie(tmp_path / "s.tif")
    assert frames.dtype.newbyteorder("=") == np.dtype(dtype)
    np.testing.assert_array_equal(frames, stack)


@pytest.mark.parametrize("axes", ["TYX", "TZYX", "ZYX", "TZCYX"])
def test_reads_imagej_hyperstacks_of_one_channel(tmp_path, axes):
    shape = tuple({"Y": H, "X": W}.get(axis, 1) for axis in axes)
    shape = (T, *shape[1:])
    tifffile.imwrite(
        tmp_path / "s.tif", STACK.reshape(shape), imagej=True, metadata={"axes": axes, "fps": 30}
    )
    np.testing.assert_array_equal(read_movie(tmp_path / "s.tif"), STACK)


@pytest.mark.parametrize("compression", [None, "packbits"])
def test_reads_stacks_of_other_writers(tmp_path, compression):
    """Pillow writes pages one after the other, each with its own header; MATLAB packs bits."""
    with_pillow(tmp_path / "s.tif", STACK, compression=compression)
    np.testing.assert_array_equal(read_movie(tmp_path / "s.tif"), STACK)


def test_one_page_is_one_frame(tmp_path):
    for name, frames in (("a", STACK[0]), ("b", STACK[:1])):
        tifffile.imwrite(tmp_path / name, frames, **GRAY)
        np.testing.assert_array_equal(read_movie(tmp_path / name), STACK[:1])


@pytest.mark.parametrize("size", [1, 3, T, 100])
def test_block_size_does_not_change_the_frames(tmp_path, size):
    for writer in ("uncompressed", "zlib"):
        WRITERS[writer](tmp_path / "s.tif", STACK)
        np.testing.assert_array_equal(read_movie(tmp_path / "s.tif", size), STACK)


def test_an_uncompressed_stack_is_not_read_whole(tmp_path, monkeypatch):
    def refuse(self, *_, **__):
        raise AssertionError("read by pages")

    WRITERS["uncompressed"](tmp_path / "s.tif", STACK)
    monkeypatch.setattr(tifffile.TiffFile, "asarray", refuse)
    with open_movie(tmp_path / "s.tif") as movie:
        blocks = [block for _, block in movie.blocks(4)]
    assert [len(block) for block in blocks] == [4, 4, 3]
    # A view into the file's map would keep what was read in memory for the life of the map.
    assert all(not isinstance(block, np.memmap) for block in blocks)


def test_a_compressed_stack_is_read_by_pages(tmp_path, monkeypatch):
    read, original = [], tifffile.TiffFile.asarray

    def count(self, key=None, **options):
        read.append(len(key))
        return original(self, key=key, **options)

    WRITERS["zlib"](tmp_path / "s.tif", STACK)
    monkeypatch.setattr(tifffile.TiffFile, "asarray", count)
    read_movie(tmp_path / "s.tif", size=4)
    assert read == [4, 4, 3]


# --- bad movies --------------------------------------------------------------------------------


def refusal(path, read=read_movie):
    """Return the error of reading `path`: one line that names the file."""
    message = told.refusal(read, path)
    assert str(path) in message
    return message


def test_refuses_what_is_no_tiff(tmp_path):
    for name, content, why in (
        ("empty.tif", b"", "an empty file (0 bytes)"),
        ("text.tif", b"frames\n" * 99, "TIFF"),
        ("ii.tif", b"II*\0", "TIFF"),
    ):
        (tmp_path / name).write_bytes(content)
        assert why in refusal(tmp_path / name)


def test_a_missing_file_or_a_folder_is_an_error_that_names_it(tmp_path):
    for read in (read_movie, read_mat):
        with pytest.raises(OSError, match=r"none\.tif"):
            read(tmp_path / "none.tif")
    with pytest.raises(OSError, match=tmp_path.name):
        read_mat(tmp_path)
    assert "neither TIFF files" in refusal(tmp_path)


@pytest.mark.parametrize("writer", ["uncompressed", "with a shape", "zlib", "BigTIFF"])
def test_a_truncated_stack_says_so_and_logs_nothing(tmp_path, writer, caplog, capfd):
    WRITERS[writer](tmp_path / "s.tif", STACK)
    content = (tmp_path / "s.tif").read_bytes()
    for share in (0.3, 0.6, 0.9):
        (tmp_path / "cut.tif").write_bytes(content[: int(share * len(content))])
        assert "truncated" in refusal(tmp_path / "cut.tif")
    assert not caplog.records
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("writer", WRITERS)
def test_a_stack_cut_anywhere_is_refused_or_whole(tmp_path, writer):
    """Every third length from the start of the last pages on, and some before."""
    WRITERS[writer](tmp_path / "whole.tif", STACK)
    content = (tmp_path / "whole.tif").read_bytes()
    late = len(content) - 600
    for length in [*range(0, late, 29), *range(late, len(content), 3)]:
        (tmp_path / "cut.tif").write_bytes(content[:length])
        try:
            frames = read_movie(tmp_path / "cut.tif")
        except UserError:
            continue
        np.testing.assert_array_equal(frames, STACK, str(length))  # only padding was cut off


def test_refuses_pages_that_differ(tmp_path):
    page_by_page(tmp_path / "size.tif", [*STACK[:4], STACK[4, :3]], metadata=None)
    assert "page 4 has another size" in refusal(tmp_path / "size.tif")
    page_by_page(tmp_path / "type.tif", [*STACK[:4], STACK[4].astype(np.uint8)], metadata=None)
    assert "page 4" in refusal(tmp_path / "type.tif")


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((T, H, W, 3), {"photometric": "rgb"}),
        ((H, W, 3), {"photometric": "rgb"}),  # one colour picture is no stack of H frames
        ((3, H, W), {"photometric": "rgb", "planarconfig": "separate"}),
        ((T, 2, H, W), {"imagej": True, "metadata": {"axes": "TCYX"}}),
    ],
)
def test_refuses_colours_and_channels(tmp_path, shape, options):
    dtype = np.uint16 if "imagej" in options else np.uint8
    tifffile.imwrite(tmp_path / "s.tif", np.zeros(shape, dtype), **options)
    assert "one channel" in refusal(tmp_path / "s.tif")


@pytest.mark.parametrize("dtype", [bool, np.complex64])
def test_refuses_pixels_that_are_no_counts(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "s.tif", STACK.astype(dtype), **GRAY)
    assert "whole or real numbers" in refusal(tmp_path / "s.tif")


# --- MAT files ---------------------------------------------------------------------------------


def write_v5(path, **variables):
    scipy.io.savemat(path, variables, appendmat=False)


def write_v73(path, **variables):
    """Write a MAT file as MATLAB -v7.3 does: a 512-byte header, then HDF5, columns first."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            value = np.asarray(value)
            dataset = file.create_dataset(name, data=value.T)  # C order of value.T = columns first
            kinds = {"float64": "double", "float32": "single", "bool": "logical"}
            dataset.attrs["MATLAB_class"] = np.bytes_(kinds.get(str(value.dtype), value.dtype.name))
        group = file.create_group("#refs#")
        group["a"] = np.zeros(3)
    with open(path, "r+b") as file:
        text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024"
        file.write(text.ljust(116) + bytes(8) + struct.pack("<H", 0x0200) + b"IM")


BOTH = pytest.mark.parametrize("write", [write_v5, write_v73])


@BOTH
def test_behavior_with_labels_speed_and_segments(tmp_path, write):
    runrest, speed = np.array([[0, 1, 1, 0.0]]), np.array([[0.1, 3, 0.2, 0.9]])
    write(tmp_path / "b.mat", runrest=runrest, speed_rs=speed, segment=np.array([[5, 5, 2, 2]]))
    got = read_behavior(tmp_path / "b.mat", 0.5)
    assert {key: value.dtype for key, value in got.items()} == {
        "labels": np.uint8,
        "speed": np.float32,
        "segment": np.int64,
    }
    assert got["labels"].tolist() == [0, 1, 1, 0]  # runrest counts, not the speed
    np.testing.assert_array_equal(got["speed"], speed[0].astype(np.float32))
    assert got["segment"].tolist() == [5, 5, 2, 2]


@BOTH
def test_rows_columns_and_logicals_are_the_same_labels(tmp_path, write):
    for value in (
        np.array([[0, 1, 1]], np.uint8),
        np.array([[0], [1], [1.0]]),
        [[False, True, True]],
    ):
        write(tmp_path / "b.mat", runrest=np.array(value))
        got = read_behavior(tmp_path / "b.mat", 0.5)
        assert set(got) == {"labels"}
        assert got["labels"].tolist() == [0, 1, 1]


@BOTH
def test_labels_are_made_from_speed_above_the_threshold(tmp_path, write):
    write(tmp_path / "b.mat", speed_rs=np.array([[0.0, 0.5, 0.5001, 2, 1.99]]))
    assert read_behavior(tmp_path / "b.mat", 0.5)["labels"].tolist() == [0, 0, 1, 1, 1]
    assert read_behavior(tmp_path / "b.mat", 2)["labels"].tolist() == [0, 0, 0, 0, 0]


@BOTH
def test_rois_by_frames_become_frames_by_rois(tmp_path, write):
    rois = RNG.normal(size=(3, 7))  # 3 ROIs, 7 frames
    write(tmp_path / "r.mat", dat_roi=rois)
    got = read_rois(tmp_path / "r.mat")
    assert got.dtype == np.float32
    assert got.shape == (7, 3)
    for roi in range(3):
        np.testing.assert_array_equal(got[:, roi], rois[roi].astype(np.float32))


@BOTH
def test_mat_shapes_are_those_that_matlab_shows(tmp_path, write):
    write(tmp_path / "m.mat", row=np.zeros((1, 4)), column=np.zeros((4, 1)), matrix=np.ones((2, 3)))
    shapes = {name: value.shape for name, value in read_mat(tmp_path / "m.mat").items()}
    assert shapes == {"row": (1, 4), "column": (4, 1), "matrix": (2, 3)}


@BOTH
@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"runrest": [[0, 1, 2, 0]]}, ["runrest", "2"]),
        ({"runrest": [[0, 1, 0.5]]}, ["runrest", "0.5"]),
        ({"runrest": [[-1, 1, 1]]}, ["runrest", "-1"]),
        ({"runrest": [[0, np.nan, 1, np.nan]]}, ["runrest", "2 of 4 samples", "first 1"]),
        ({"speed_rs": [[0, 1, np.inf]]}, ["speed_rs", "1 of 3 samples", "first 2"]),
        ({"runrest": [[0, 1], [1, 0]]}, ["runrest", "(2, 2)"]),
        ({"runrest": [[0, 1]], "segment": [[0.5, 1]]}, ["segment", "whole"]),
        ({"wheel": [[1.0, 2]], "trial": [[1.0]]}, ["runrest", "speed_rs", "trial, wheel"]),
    ],
)
def test_refuses_behavior_that_says_no_run_or_rest(tmp_path, write, variables, words):
    write(tmp_path / "b.mat", **{key: np.array(value) for key, value in variables.items()})
    message = refusal(tmp_path / "b.mat", lambda path: read_behavior(path, 0.5))
    for word in words:
        assert word in message


@BOTH
def test_refuses_rois_that_are_missing_or_not_finite(tmp_path, write):
    write(tmp_path / "r.mat", F=np.zeros((2, 5)), dF=np.zeros((2, 5)))
    message = refusal(tmp_path / "r.mat", read_rois)
    assert "dat_roi" in message
    assert "F (2 x 5), dF (2 x 5)" in message
    rois = np.ones((4, 6))
    rois[1, 2] = -np.inf
    rois[2, 2] = np.nan  # a missing value, which the decoder's settings deal with
    rois[3, 5] = np.inf
    write(tmp_path / "r.mat", dat_roi=rois)
    assert "in ROI 2, 4" in refusal(tmp_path / "r.mat", read_rois)  # numbered from 1, as in papers
    write(tmp_path / "r.mat", dat_roi=np.ones((2, 3, 4)))
    assert "(2, 3, 4)" in refusal(tmp_path / "r.mat", read_rois)


def test_refuses_what_is_no_mat_file(tmp_path):
    write_v5(tmp_path / "good.mat", runrest=np.arange(2000.0)[None])
    whole = (tmp_path / "good.mat").read_bytes()
    write_v73(tmp_path / "good73.mat", runrest=np.arange(2000.0)[None])
    whole73 = (tmp_path / "good73.mat").read_bytes()
    contents = {
        "empty": b"",
        "text": b"time,speed\n0,1\n" * 50,
        "bytes": np.random.default_rng(0).bytes(4000),
        "cut": whole[: len(whole) // 2],
        "header": whole[:128],
        "cut73": whole73[: len(whole73) // 2],
        "header73": whole73[:512],
        "short73": b"MATLAB 7.3",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        refusal(tmp_path / name, lambda path: read_behavior(path, 0.5))


def test_of_names_those_that_a_file_has_are_read(tmp_path):
    for write in (write_v5, write_v73):
        write(tmp_path / "b.mat", a=np.arange(3.0)[None], b=np.ones((1, 2)))
        found = read_mat(tmp_path / "b.mat", ["b", "other"])
        assert {name: array.tolist() for name, array in found.items()} == {"b": [[1, 1]]}
