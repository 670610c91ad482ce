"""Which files are parts of one movie, in which order, and which are its wavelengths."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st

from make_movies import FRAMES, GRAY, photon_series, read, refusal, save_h5, save_nwb, save_v73
from mesodecode.base.files import UserError
from mesodecode.base.natural_order import in_order
from mesodecode.recordings.readers import movie_files, series
from mesodecode.recordings.readers.light_sources import lights_of, read_light_sources
from mesodecode.recordings.readers.series import by_wavelength, check_signal, gaps, of_one_series
from told import assert_told

BLUE, VIOLET = FRAMES, FRAMES[::-1] // 2
BOTH = np.stack([BLUE, VIOLET], axis=1).reshape(-1, *FRAMES.shape[1:])


def paths(names):
    return [Path("rec") / f"{name}.tif" for name in names.split()]


def save_each(folder, *names):
    """Write the blue frames under the first name, the violet ones under the second."""
    for name, frames in zip(names, (BLUE, VIOLET), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / name, frames, **GRAY)
    return [folder / name for name in names]


# --- order and belonging -----------------------------------------------------------------------

IN_TIME = {  # over New Year and the turn of a month, as names sort otherwise
    "month first": "m1_12-30-2023 m1_12-31-2023 m1_01-01-2024 m1_02-01-2024",
    "day first": "m1_30.12.2023 m1_31.12.2023 m1_01.01.2024 m1_02.01.2024",
    "without signs": "12302023 12312023 01012024",
    "a time behind": "12-31-2023_2350 12-31-2023_2355 01-01-2024_0001",
    "a time glued to it": "31122023235500 01012024000100",
    "one digit": "r_12-31-2023 r_1-1-2024",
    "letters": "31Dec2023_a 01Jan2024_a 02Feb2024_a",
    "letters first": "Nov-30-2023 Dec-01-2023 Jan-02-2024",
    "a year and letters": "2023-Nov-30 2023-Dec-01",
    "a year of two digits, day first": "m1_30-12-25 m1_31-12-25 m1_01-01-26 m1_02-02-26",
    "a year of two digits, month first": "12_30_25 12_31_25 01_01_26",
    "a year of two digits behind all": "r_3012_25 r_3112_25 r_0101_26",
    "six digits, day first": "301225_r 311225_r 010126_r",
}


@pytest.mark.parametrize(
    ("names", "two"),
    [
        ("m_1 m_2 m_003 m_3", "m_003.tif and m_3.tif have one number"),
        ("m1 m2 m3 m3(1)", r"m3.tif and m3\(1\).tif have one number, as a file and its copy"),
    ],
)
def test_a_part_that_is_there_twice_is_refused(names, two):
    with pytest.raises(UserError, match=two):
        of_one_series(in_order(paths(names)), "rec")


@pytest.mark.parametrize("names", ["m m(1) m(2)", "m1(1) m1(2) m2(1)", "m_1 m_1-1 m_1-2"])
def test_numbers_in_brackets_are_parts_where_there_is_nothing_to_copy(names):
    assert of_one_series(in_order(paths(names)), "rec")[1] == []


@pytest.mark.parametrize(
    ("names", "between"),
    [
        ("m_1 m_2 m_3 m_5 m_6 m_9", [("m_3", "m_5"), ("m_6", "m_9")]),
        ("a1_1 a1_2 a1_3 a1_5 a2_1 a2_2", [("a1_3", "a1_5")]),
        ("m_10 m_11 m_12", []),  # from 10 on
        ("m_0 m_500 m_1000 m_2000", []),  # of frames
        ("m m-1 m-2 m-3", []),
        ("t_1258 t_1259 t_1300 t_1301", []),  # of a clock
        ("m_20240130 m_20240131 m_20240201 m_20240202", []),
        ("m_1 m_2 m_9", []),  # too few to say
        ("m_1 m_2 m_3 m_10 m_20 m_30 m_40", []),  # which go on by other steps
        ("m_1 m_2 m_3 m_10 m_20", [("m_3", "m_10"), ("m_10", "m_20")]),
    ],
)
def test_a_part_that_seems_to_be_missing_is_named(names, between):
    assert [(a.stem, b.stem) for a, b in gaps(paths(names))] == between


def test_the_log_names_where_a_part_seems_to_be_missing(tmp_path, capsys):
    files = [tmp_path / f"m_{number}.tif" for number in (1, 2, 3, 5, 6, 9)]
    for file in files:
        file.touch()
    assert movie_files(tmp_path) == files
    said = capsys.readouterr().err
    assert "between m_3.tif and m_5.tif, nor in 1 more places: if frames are missing" in said


@pytest.mark.parametrize("ordered", IN_TIME.values(), ids=IN_TIME)
def test_parts_are_in_the_order_of_their_dates(ordered):
    expected = paths(ordered)
    assert of_one_series(in_order(expected), "rec") == (expected, [])
    assert in_order(expected) != expected


def test_dates_that_tell_no_order_are_refused():
    with pytest.raises(UserError) as caught:
        of_one_series(paths("01-12-2023 02-11-2023 03-01-2024"), "rec")
    message = str(caught.value)
    assert message.startswith("rec: 01-12-2023.tif and 02-11-2023.tif may be of other days")
    assert "name the files of the movie in a list" in message
    with pytest.raises(UserError, match="may be of other days"):
        of_one_series(paths("11-12-11 12-11-11"), "rec")  # November and December of 2011, or of 12
    same = paths("01-02-2024 02-03-2024")  # February and March, or January and February
    assert of_one_series(same, "rec") == (same, [])


@pytest.mark.parametrize("names", ["m_T0001 m_T0006 m_T2359", "T000100 T235500 T235900"])
def test_times_of_day_that_may_go_past_midnight_are_refused(names):
    with pytest.raises(
        UserError, match=r"rec: \S*T23\d+.tif may come before .*, over midnight, as"
    ):
        of_one_series(paths(names), "rec")
    with pytest.raises(UserError, match=r"m_T1231.tif may come before m_T0030"):
        of_one_series(paths("m_T0030 m_T1231"), "rec")
    for same in (
        "m_T0901 m_T1106 m_T1959",
        "m_T0030 m_T1230",
        "20240101T0001 20240101T2359",
        "m_T0001 m_T0060 m_T2359",
    ):
        assert of_one_series(paths(same), "rec") == (paths(same), [])  # of a day, dated, of trials


@pytest.mark.parametrize(
    "ordered",
    [
        *("2023-12-31 2024-01-01", "20231231 20240101", "s_99_2023 s_100_2022", "a_2 a_10"),
        *("26-04-12 26-04-30 26-05-01", "r_260412 r_260501", "10-11-25 10-12-24"),
        *("0412_15 0412_26", "000010 000020 311225", "23-59-58 23-59-59"),
    ],
)
def test_other_numbers_are_no_dates(ordered):
    assert of_one_series(in_order(paths(ordered)), "rec") == (paths(ordered), [])


@pytest.mark.parametrize(
    "ordered",
    [
        "rec rec2 rec10",
        "rec rec-1 rec-2",
        "rec rec_1 rec_2 rec_10",
        "rec rec@0001 rec@0002",
        "rec rec.2 rec.3",
        "rec.ome rec_1.ome rec_2.ome",
        "rec recA recB",
        "m1_20260101 m1_20260101_1 m1_20260101_2",
        "rec_a rec_b",
        "rec rec_part2 rec_part3",
        "r r1 r2",
        "a b c",
        "file file2 file3",
        "rec_part rec_part2",
        "file_00001_00001 file_00001_00002 file_00002_00001",
    ],
)
def test_parts_are_ordered_by_number_an_unnumbered_one_first(ordered):
    expected = paths(ordered)
    assert in_order(reversed(expected)) == expected
    assert of_one_series(expected, "rec") == (expected, [])


@given(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,12}", fullmatch=True),
    st.sampled_from(["", "_", "-", "@", ".", " ", "_X", "_part", "-file"]),
)
def test_a_name_and_the_same_with_numbers_are_a_series(name, between):
    files = [Path("rec") / f"{name}{number}.tif" for number in ("", f"{between}2", f"{between}10")]
    assert of_one_series(files, "rec") == (files, [])


def test_a_number_in_brackets_is_that_of_a_part():
    expected = [Path("rec/a b.tif"), Path("rec/a b (2).tif"), Path("rec/a b (10).tif")]
    assert in_order(reversed(expected)) == expected
    assert of_one_series(expected, "rec") == (expected, [])


@pytest.mark.parametrize(
    ("names", "others"),
    [
        ("MAX_img img_0 img_1", "MAX_img"),
        ("MAX_rec rec", "MAX_rec"),
        ("AVG_m12_20260101 m12_20260101", "AVG_m12_20260101"),
        ("img_1 img_2 img_2_mask img_reference", "img_2_mask img_reference"),
        ("rec_1 rec_2 rec_3 vessels", "vessels"),
    ],
)
def test_what_lies_beside_the_parts_is_none_of_them(names, others):
    assert of_one_series(paths(names), "rec")[1] == paths(others)


@pytest.mark.parametrize("names", ["raw_1 raw_2 rec_1 rec_2", "rec_1 mask", "first second"])
def test_files_that_could_be_two_series_are_refused(names):
    with pytest.raises(UserError, match=r"rec: .*parts of one series; name the files"):
        of_one_series(paths(names), "rec")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("x_MMStack_Pos0.ome x_MMStack_Pos1.ome", "2 positions"),
        ("img_000000000_Blue_000 img_000000000_Blue_001", "2 planes"),
        (
            "img_channel000_position000_time000000000_z000 "
            "img_channel000_position001_time000000000_z000",
            "2 positions",
        ),
    ],
)
def test_images_of_several_places_are_no_movie(names, words):
    with pytest.raises(UserError, match=words):
        of_one_series(paths(names), "rec")


def test_a_projection_in_the_folder_is_named_and_left_out(tmp_path, capsys):
    for i, part in enumerate(np.split(FRAMES, (4, 12))):
        tifffile.imwrite(tmp_path / f"img_{i}.tif", part, **GRAY)
    tifffile.imwrite(tmp_path / "MAX_img.tif", FRAMES.max(0), **GRAY)
    np.testing.assert_array_equal(read(tmp_path), FRAMES)
    assert "MAX_img.tif: left out" in capsys.readouterr().err
    np.testing.assert_array_equal(read(str(tmp_path / "*.tif")), FRAMES)
    listed = [tmp_path / "MAX_img.tif", tmp_path / "img_0.tif"]  # what a user lists is taken
    np.testing.assert_array_equal(read(listed)[0], FRAMES.max(0))


# --- wavelengths -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        ("s1_470 s1_405", "470 405"),
        ("s1_525 s1_590 s1_625", "525 590 625"),
        ("s1_470nm_1 s1_470nm_2 s1_410nm_1 s1_410nm_2", "470 410"),
        ("blue violet", "blue violet"),
        ("recBlue recViolet", "Blue Violet"),
        ("C1-rec C2-rec", "C1 C2"),
        ("rec_w1GFP rec_w2RFP", "w1GFP w2RFP"),
        ("rec_G rec_R", "G R"),
        ("470/s_470 405/s_405", "470 405"),
        ("s_470_ch1 s_405_ch2", "ch1/470 ch2/405"),
        ("s_blue_ch1 s_violet_ch2", "ch1/blue ch2/violet"),  # marks of other lengths
        ("Cycle00001_Ch1_000001.ome Cycle00001_Ch2_000001.ome", "Ch1 Ch2"),
        ("img_000000000_Cy5_000 img_000000000_Dapi_000", "Cy5 Dapi"),
        (  # ended within a cycle
            "img_channel000_time0 img_channel000_time1 img_channel000_time2 "
            "img_channel001_time0 img_channel001_time1",
            "channel000 channel001",
        ),
    ],
)
def test_names_tell_wavelengths(names, labels):
    found = by_wavelength(paths(names))
    assert list(found) == [label.replace("/", " ") for label in labels.split()]
    assert list(chain.from_iterable(found.values())) == paths(names)


@pytest.mark.parametrize(
    "names",
    [
        "rec_1 rec_2",
        "file000 file500 file1000",
        "img_404 img_405 img_406",
        "img_470 img_473",
        "m405_s1 m405_s2",
        "recA recB",
        "s1_470 s2_405",
        "blue_1 blue_2",
    ],
)
def test_names_of_parts_tell_no_wavelengths(names):
    assert by_wavelength(paths(names)) is None


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_a_file_a_wavelength(tmp_path, size, capsys):
    files = save_each(tmp_path, "s1_470.tif", "s1_405.tif")
    np.testing.assert_array_equal(read(files, size, channels=2), BOTH)
    assert "channel 1 is 470, channel 2 is 405" in capsys.readouterr().err
    # of a folder, names are in the order of their numbers
    turned = np.stack([VIOLET, BLUE], axis=1).reshape(BOTH.shape)
    for told in ("auto", "separate"):
        np.testing.assert_array_equal(read(tmp_path, size, channels=2, wavelengths=told), turned)
        assert "channel 1 is 405, channel 2 is 470" in capsys.readouterr().err
    joined = read(files, size, channels=2, wavelengths="in_turn")
    np.testing.assert_array_equal(joined, np.concatenate([BLUE, VIOLET]))


def test_files_that_may_be_a_wavelength_each_are_said_to_be_joined(tmp_path, capsys):
    files = save_each(tmp_path, "rec_1.tif", "rec_2.tif")
    joined = np.concatenate([BLUE, VIOLET])
    np.testing.assert_array_equal(read(files, channels=2), joined)
    said = capsys.readouterr().err
    assert "2 files, taken to follow each other in time" in said and "separate" in said
    for options in ({"channels": 2, "wavelengths": "in_turn"}, {"channels": 1}):
        np.testing.assert_array_equal(read(files, **options), joined)
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("names", "calcium"),
    [
        ("405 470", 2),
        ("s1/405nm s1/488nm", 2),
        ("isosbestic signal", 2),
        ("imagingUV imagingBlue", 2),
        ("green_reflectance blue_fluo", 2),
        ("hemo_530 calcium_470", 2),
        ("violet 415 blue", 3),
    ],
)
def test_what_shows_no_calcium_is_not_taken_for_the_signal(names, calcium):
    words = f"signal_channel 1 is .*signal_channel: {calcium} .*reference_channel: 1"
    with pytest.raises(UserError, match=f"rec: {words}"):
        check_signal(names.split(), 1, "rec")
    for chosen in range(2, len(names.split()) + 1):
        check_signal(names.split(), chosen, "rec")


@pytest.mark.parametrize(
    "names", ["ch1 ch2", "470 405", "405 415", "G R", "GCaMP tdTomato", "470 530"]
)
def test_where_names_do_not_tell_calcium_any_may_be_the_signal(names):
    for signal in (1, 2):
        check_signal(names.split(), signal, "rec")


def test_parts_of_each_wavelength(tmp_path):
    for name, frames in (("470", BLUE), ("405", VIOLET)):
        for i, part in enumerate(np.split(frames, (9, 14)), 1):
            tifffile.imwrite(tmp_path / f"s_{name}_{i}.tif", part, **GRAY)
    patterns = [str(tmp_path / "s_470_*.tif"), str(tmp_path / "s_405_*.tif")]
    np.testing.assert_array_equal(read(patterns, channels=2), BOTH)


def test_a_folder_a_wavelength(tmp_path):
    save_each(tmp_path, "a/m_1.tif", "b/m_1.tif")
    folders = [tmp_path / "a", tmp_path / "b"]
    np.testing.assert_array_equal(read(folders, channels=2, wavelengths="separate"), BOTH)
    save_each(tmp_path, "blue/m_1.tif", "violet/m_1.tif")
    np.testing.assert_array_equal(read([tmp_path / "blue", tmp_path / "violet"], channels=2), BOTH)


def test_single_images_with_the_channel_before_the_time(tmp_path):
    for c, frames in enumerate((BLUE, VIOLET[:-1])):  # stopped before the last violet image
        for t, frame in enumerate(frames):
            name = f"img_channel{c:03d}_position000_time{t:09d}_z000.tif"
            tifffile.imwrite(tmp_path / name, frame, **GRAY)
    np.testing.assert_array_equal(read(tmp_path, channels=2), BOTH[:-2])


def test_wavelengths_are_not_joined_in_time_without_a_word(tmp_path):
    files = save_each(tmp_path, "s1_470.tif", "s1_405.tif")
    words = "470, 405.*channels is 1: set channels: 2.*wavelengths: in_turn"
    with pytest.raises(UserError, match=words):
        read(files)
    tifffile.imwrite(files[1], VIOLET[:-2], **GRAY)
    with pytest.raises(UserError, match="wavelengths of 23 and 21 frames"):
        read(files, channels=2)
    tifffile.imwrite(files[1], VIOLET[:, 1:], **GRAY)
    with pytest.raises(UserError, match="must match"):
        read(files, channels=2)
    files = save_each(tmp_path, "one.tif", "two.tif")
    with pytest.raises(UserError, match="2 files whose names do not tell 3 wavelengths"):
        read(files, channels=3, wavelengths="separate")
    save_each(tmp_path, "p/s_1.tif", "p/s_2.tif")  # as many files as wavelengths
    np.testing.assert_array_equal(read(tmp_path / "p", channels=2, wavelengths="separate"), BOTH)


def save_zarr(path, **arrays):
    group = zarr.open_group(str(path), mode="w")
    for name, array in arrays.items():
        group.create_array(name, data=array)


@pytest.mark.parametrize("suffix", [".h5", ".mat", ".zarr", ".nwb"])
def test_a_dataset_a_wavelength(tmp_path, suffix):
    path, names = tmp_path / f"s{suffix}", ["calcium", "isosbestic"]
    options = {"dataset": names, "channels": 2}
    if suffix == ".h5":
        save_h5(path, calcium=BLUE, isosbestic=VIOLET)
    elif suffix == ".mat":
        turned = [frames.transpose(1, 2, 0) for frames in (BLUE, VIOLET)]
        save_v73(path, calcium=turned[0], isosbestic=turned[1])
    elif suffix == ".zarr":
        save_zarr(path, calcium=BLUE, isosbestic=VIOLET)
    else:
        each = zip((BLUE, VIOLET), names, strict=True)
        save_nwb(path, *[photon_series(frames, name) for frames, name in each])
    np.testing.assert_array_equal(read(path, **options), BOTH)
    assert "channels is 1: set channels: 2" in refusal(path, dataset=names)
    joined = read(path, dataset=names, wavelengths="in_turn")
    np.testing.assert_array_equal(joined, np.concatenate([BLUE, VIOLET]))


def test_wavelengths_of_as_many_frames_as_columns_are_no_components(tmp_path):
    """U (Y, X, K) and SVT (K, T) share K; these share the size of their images."""
    rng = np.random.default_rng(0)
    blue, violet = (rng.integers(0, 999, (n, 12, 20), np.uint16) for n in (21, 20))
    save_h5(tmp_path / "s.h5", blue=blue, violet=violet)
    frames = read(tmp_path / "s.h5", dataset=["blue", "violet"], channels=2)
    np.testing.assert_array_equal(frames[::2], blue[:20])
    np.testing.assert_array_equal(frames[1::2], violet)


@pytest.mark.parametrize("suffix", [".npy", ".mat", ".h5", ".csv", "folder"])
def test_light_sources_are_read_from_any_file(tmp_path, suffix):
    lights, path = np.array([0, 2, 3, 2, 3]), tmp_path / f"lights{suffix}"
    if suffix == ".npy":
        np.save(path, lights.astype(float)[:, None])
    elif suffix == ".mat":
        scipy.io.savemat(path, {"light_sources": lights[None]})
    elif suffix == ".h5":
        save_h5(path, light_source=lights)
    elif suffix == ".csv":
        path.write_text(
            "frame,light_source\n" + "".join(f"{i},{v}\n" for i, v in enumerate(lights))
        )
    else:
        path.mkdir()
        np.save(path / "imaging.imagingLightSource.npy", lights)
    assert lights_of(path, None, 5).values.tolist() == lights.tolist()
    with pytest.raises(UserError, match="5 light sources, but the movie has 6 frames"):
        lights_of(path, None, 6)


@pytest.mark.parametrize(
    ("lights", "n_frames", "numbers"),
    [
        ([2, 3, 2, 3], 2, [0, 2]),
        ([2, 3, 2, 3, 2], 2, [0, 2]),  # of a last cycle that is not complete
        ([2, 3, 2, 3, 2, 3], 2, None),
        ([2, 3, 2, 3], 3, None),
        ([2, 3, 2, 2], 1, None),
    ],
)
def test_a_movie_of_one_light_source_alone_has_as_many_frames(tmp_path, lights, n_frames, numbers):
    np.save(tmp_path / "l.npy", lights)
    if numbers is None:
        with pytest.raises(UserError, match=rf"{lights.count(2)} of them are 2 \(signal_channel"):
            lights_of(tmp_path / "l.npy", None, n_frames, 2)
    else:
        found = lights_of(tmp_path / "l.npy", None, n_frames, 2)
        assert found.values is None and found.numbers.tolist() == numbers
        assert found.n_all == len(lights)


def test_light_sources_that_are_none_are_refused(tmp_path):
    path = tmp_path / "lights.csv"
    path.write_text("led\nblue\nviolet \n")
    assert read_light_sources(path, "led")[1].tolist() == ["blue", "violet"]
    with pytest.raises(UserError, match=r"no 'light_sources' in it; it holds: led; name"):
        read_light_sources(path, None)
    np.save(tmp_path / "l.npy", [1.5, 2])
    with pytest.raises(UserError, match="no whole numbers"):
        read_light_sources(tmp_path / "l.npy", None)
    held = {"led": np.ones((2, 3)), "light_sources": [], "light_source": [1, 2]}
    scipy.io.savemat(tmp_path / "l.mat", held)
    assert read_light_sources(tmp_path / "l.mat", None)[0] == "light_source"  # the other is empty
    for name, why in (("led", r"has shape \(2, 3\); needs one"), ("light_sources", "is empty")):
        with pytest.raises(UserError, match=rf"l\.mat: {name} {why}"):
            read_light_sources(tmp_path / "l.mat", name)


# --- told: what names say, whole ---------------------------------------------------------------


def told_series(*names):
    kept, others = series.of_one_series([Path(name) for name in names], "folder")
    shown = [[file.name for file in files] for files in (kept, others)]
    between = [f"{one.name} … {other.name}" for one, other in series.gaps(kept)]
    return [" ".join(shown[0]), f"without {' '.join(shown[1])}", f"gaps {', '.join(between)}"]


def told_wavelengths(*names):
    found = series.by_wavelength([Path(name) for name in names])
    if found is None:
        return None
    return {label: " ".join(file.name for file in files) for label, files in found.items()}


SERIES = {
    "numbers": "a_1.tif a_2.tif a_3.tif",
    "numbers without one": "a_1.tif a_2.tif a_3.tif a_5.tif a_6.tif",
    "numbers without many": "a_1.tif a_2.tif a_3.tif a_4.tif a_9.tif a_10.tif a_20.tif",
    "numbers that mostly leap": "a_1.tif a_3.tif a_4.tif a_6.tif a_8.tif",
    "few numbers that go on": "a_1.tif a_2.tif a_5.tif",
    "half of the numbers go on": "a_1.tif a_2.tif a_3.tif a_5.tif a_7.tif",
    "minutes of a clock": "a_1258.tif a_1259.tif a_1300.tif a_1301.tif",
    "minutes that leap": "a_1257.tif a_1258.tif a_1300.tif a_1301.tif",
    "dates": "a_999998.tif a_999999.tif a_1000000.tif a_1000009.tif",
    "two numbers that change": "a1_1.tif a1_2.tif a1_3.tif a2_1.tif a2_2.tif",
    "letters": "a.tif b.tif c.tif",
    "letters of parts": "m_a.tif m_b.tif",
    "one file": "a.tif",
    "two names": "left.tif right.tif",
    "two of one and one of another": "a_1.tif a_2.tif b.tif",
    "two of one and two of another": "a_1.tif a_2.tif b_1.tif b_2.tif",
    "three of one and two of another": "a_1.tif a_2.tif a_3.tif b_1.tif b_2.tif",
    "two of one, two of another and one of a third": "a_1.tif a_2.tif b_1.tif b_2.tif c.tif",
    "four of one and two of another": "a_1.tif a_2.tif a_3.tif a_4.tif b_1.tif b_2.tif",
    "with a projection": "AVG_a_1.tif a_1.tif a_2.tif std_a_2.tif",
    "wavelengths": "a_blue_1.tif a_violet_1.tif a_blue_2.tif",
    "months": "a_5Jan2024.tif a_7Feb2024.tif a_1Dec2023.tif",
    "months before days": "a_Jan 05, 2024.tif a_Feb 07, 2024.tif",
    "dates of either order": "a_01-02-2024.tif a_02-01-2024.tif a_03-03-2024.tif",
    "parts": "a.tif a_part2.tif a (3).tif a_X4.tif",
    "a copy": "a_3.tif a_003.tif a_4.tif",
    "a copy in brackets": "a_3.tif a_3 (1).tif a_4.tif",
    "brackets of parts": "a_3.tif a_3 (1).tif a_3 (2).tif",
    "times of day": "a_T2200.tif a_T2301.tif",
    "times of day past midnight": "a_T0001.tif a_T2359.tif",
    "times of day twelve hours apart": "a_T0001.tif a_T1201.tif",
    "times of day with dates": "a_20240101_T0001.tif a_20240101_T2359.tif",
    "times of day of two": "a_T0001.tif b_T2359.tif",
    "positions": "img_channel0_position0_time1_z0.tif img_channel0_position1_time1_z0.tif",
    "planes": "img_000000000_blue_000.tif img_000000000_blue_001.tif",
    "positions of a stack": "a_MMStack_Pos0.ome.tif a_MMStack_Pos1.ome.tif",
    "one position": "a_MMStack_Pos0.ome.tif a_MMStack_Pos0_1.ome.tif",
}  # fmt: skip
LIGHT = "blue violet purple green red orange amber yellow cyan uv"
DYES = "calcium gcamp gfp yfp rfp mcherry tdtomato jrgeco rcamp"
SHOWN = "signal sig isosbestic isos reference ref hemo haemo hemodynamic hemodynamics reflectance"
SHOWN += " fluorescence fluo"
NM = "365 385 405 430 445 460 475 490 505 525 560 590 617 635 660"
STILL_OTHER_NM = "410 455 473 488 532 561 594 630"
OTHER_NM = "395 415 465 480 530 565 625 640"
WAVELENGTH = {
    "channels": "a_ch1.tif a_ch2.tif",
    "a capital between": "aCh1.tif aCh2.tif",
    "LEDs": "a_led1_1.tif a_led2_1.tif a_led1_2.tif a_led2_2.tif",
    "one more of the first": "a_led1_1.tif a_led2_1.tif a_led1_2.tif a_led2_2.tif a_led1_3.tif",
    "two more of the first": "a_c1_1.tif a_c2_1.tif a_c1_2.tif a_c2_2.tif a_c1_3.tif a_c1_4.tif",
    "one of each and one more": "a_led1_1.tif a_led2_1.tif a_led1_2.tif",
    "of other parts": "a_led1_1.tif a_led2_2.tif",
    "filters": "a_w1GFP.tif a_w2Cy.tif",
    "nm": "a_470nm.tif a_405nm.tif",
    "nm by 15": "a_405nm.tif a_420nm.tif",
    "nm by 14": "a_405nm.tif a_419nm.tif",
    "nm without": "a_470.tif a_405.tif",
    "round numbers": "a_400.tif a_500.tif",
    "words": "blue.tif violet.tif",
    "words of light": " ".join(f"a_{w}.tif" for w in LIGHT.split()),
    "words of dyes": " ".join(f"a_{w}.tif" for w in DYES.split()),
    "words of what is shown": " ".join(f"a_{w}.tif" for w in SHOWN.split()),
    "nm of lamps": " ".join(f"a_{nm}.tif" for nm in NM.split()),
    "nm of other lamps": " ".join(f"a_{nm}.tif" for nm in OTHER_NM.split()),
    "nm of still others": " ".join(f"a_{nm}.tif" for nm in STILL_OTHER_NM.split()),
    "nm of no lamp": "a_366.tif a_471.tif",
    "words in capitals": "mouseBlue.tif mouseViolet.tif",
    "words and numbers": "a_blue_470.tif a_violet_405.tif",
    "letters": "a_B.tif a_V.tif",
    "Micro-Manager": "img_000000001_blue_000.tif img_000000001_uv_000.tif",
    "all of one": "a_blue_1.tif a_blue_2.tif",
    "no words": "a_1.tif a_2.tif",
    "16 channels": " ".join(f"a_ch{i}.tif" for i in range(16)),
    "17 channels": " ".join(f"a_ch{i}.tif" for i in range(17)),
    "no files": "",
}


def test_names_of_series_and_of_wavelengths_in_full(capsys):
    def split(names):
        return re.findall(r"\S.*?(?:\.ome)?\.tif", names)

    cases = {name: (lambda n=names: told_series(*split(n))) for name, names in SERIES.items()}
    folder = Path(__file__).with_name("told")
    assert_told(cases, folder / "series.txt", capsys)
    cases = {
        name: (lambda n=names: told_wavelengths(*split(n))) for name, names in WAVELENGTH.items()
    }
    assert_told(cases, folder / "wavelengths.txt", capsys)


@pytest.mark.parametrize(
    ("names", "signal", "calcium"),
    [
        (["violet", "blue"], 1, 2),
        (["violet", "blue"], 2, None),
        (["blue", "violet"], 1, None),
        (["405", "415", "470"], 1, 3),
        (["violet", "uv"], 1, None),
        (["mouseHemo", "mouseSignal"], 1, 2),
    ],
)
def test_the_first_that_shows_calcium_is_named(names, signal, calcium):
    if calcium is None:
        return series.check_signal(names, signal, "m.tif")
    with pytest.raises(UserError) as caught:
        series.check_signal(names, signal, "m.tif")
    assert str(caught.value) == (
        f"m.tif: signal_channel 1 is {names[0]}, which shows no calcium: set signal_channel: "
        f"{calcium} ({names[calcium - 1]}) and reference_channel: 1; to decode {names[0]} itself, "
        "name its files alone, or tell frames by light_sources"
    )
