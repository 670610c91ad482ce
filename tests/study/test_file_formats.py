"""Which suffix is of which format, and what each can give."""

from __future__ import annotations

import importlib

import pytest

from mesodecode.study import file_formats
from mesodecode.study.file_formats import FORMATS, GIVES, format_of

# suffix -> format and what it can give (m: movie, t: traces, i: intervals, r: ROIs, a: areas)
BY_HAND = {
    **dict.fromkeys((".tif", ".tiff", ".btf", ".tf8", ".pcoraw"), ("TIFF", "ma")),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), ("HDF5", "mtra")),
    **{".mat": ("MAT", "mtra"), ".npy": ("NPY", "mtra"), ".zarr": ("Zarr", "m")},
    **{".nwb": ("NWB", "mtir"), ".mj2": ("Motion JPEG 2000", "m"), ".smr": ("Spike2", "t")},
    **dict.fromkeys((".dat", ".bin", ".raw"), ("flat", "m")),
    **dict.fromkeys((".sif", ".sifx"), ("Andor", "m")),
    **dict.fromkeys((".nd2", ".czi", ".lif"), ("bioio", "m")),
    **dict.fromkeys((".avi", ".mp4", ".m4v", ".mov", ".mkv", ".wmv"), ("video", "m")),
    **dict.fromkeys((".csv", ".tsv", ".txt"), ("table", "tra")),
    **{".abf": ("ABF", "t"), ".tdms": ("TDMS", "t"), ".png": ("PNG", "a")},
    **{".json": ("polygons", "a"), ".roi": ("ImageJ", "a"), ".zip": ("ImageJ", "a")},
}


@pytest.mark.parametrize("suffix", BY_HAND)
def test_a_suffix_is_of_one_format(suffix):
    name, gives = BY_HAND[suffix]
    for what, letter in zip(GIVES, "mtira", strict=True):
        expected = name if letter in gives else None
        assert format_of(f"a/b{suffix}", what) == format_of(f"B{suffix.upper()}", what) == expected


def test_every_format_has_its_suffixes_and_a_reader_but_those_of_areas():
    known = {suffix: one.name for one in FORMATS for suffix in one.suffixes}
    assert known == {suffix: name for suffix, (name, _) in BY_HAND.items()}
    assert file_formats.suffixes("Andor", "MAT") == (".mat", ".sif", ".sifx")
    for one in FORMATS:
        assert bool(one.reader) == (one.gives != ("masks",))
        if one.reader:
            importlib.import_module(f"mesodecode.recordings.readers.{one.reader}")
    assert {one.name: one.takes for one in FORMATS if one.takes} == {
        **dict.fromkeys(("TIFF", "NWB"), ("datasets", "axes")),
        **dict.fromkeys(("HDF5", "MAT", "Zarr"), ("datasets", "axes", "shape")),
        **{"NPY": ("axes", "shape"), "flat": ("axes", "shape"), "bioio": ("datasets",)},
    }
    extras = {"bioio": "bioio", "Spike2": "neo", "ABF": "abf", "TDMS": "tdms"}
    assert {one.name: one.extra for one in FORMATS if one.extra} == extras


def test_what_gives_areas_of_images_alone_in_words():
    assert file_formats.listed("intervals") == "NWB (.nwb)"
    assert file_formats.listed("masks").endswith("polygons (.json) or ImageJ (.roi, .zip)")
    row = next(line for line in file_formats.table().splitlines() if "behaviour, times" in line)
    assert "Spike2 (.smr: `pip install mesodecode[neo]`); ABF (.abf: `pip" in row
