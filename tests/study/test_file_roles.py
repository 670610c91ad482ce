"""What files are for by their names, and of which program's layout they are: `roles.txt`.

Each line has a name, its role and rank, and its layout with channels and what lies beside it. What
was changed on purpose is read in the diff: `ROLES=write pytest -n 0 …`.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import h5py
import numpy as np
import pytest
import scipy.io

from kept import assert_kept
from mesodecode.study.discovery import file_roles
from mesodecode.study.discovery.layouts import beside, layout_of

FILE = Path(__file__).with_name("roles.txt")
NAMES = """
m1.tif m1.TIFF m1_mask.tif m1_roi.tif m1_wheel.tif m1_timestamps.tif dark.tif m1.zarr m1.ome.zarr
m1.avi m1_face.avi m1_speed.mp4 m1_wheel.mov 0.avi 12.mj2 cam/0.avi My_WebCam/0.avi m1_roi.avi
m1_2_540_640_uint16.dat analog_1.dat m1_wheel.bin m1.nidq.bin m1.imec0.ap.bin continuous.dat
fluo_475.dat m1_frame_times.dat m1.cxd m1.sifx m1.nwb m1_face.nwb m1.h5 m1_dff.h5 m1_raw.h5
m1_blue.h5 m1_470.h5 Vc.mat rsVc.mat blueV.mat SVT.mat U.mat m1_movie.mat m1_behavior.mat
m1_labels.mat m1_runrest.h5 m1_states.mat m1_timeline.mat m1_Fake_Jan01_2024_Session1.mat
m1_Fake_Jan01_2024.mat frameTimes.mat frameTimes_0001.mat m1_wheel_times.mat m1_frame_time.csv
m1_frame_rate.csv m1.csv m1.tsv m1_speed.csv m1_labels.csv m1_wheel_log.csv m1_log.csv
m1_mask.csv m1_roi.csv m1_rois.mat m1_roi_speed.npy RoiSet.zip m1.zip m1_lightSource.npy
light_source.npy m1_light.npy T.npy m1_T.npy U.npy SVT.npy V.npy m1_v.npy m1_spatial.npy
m1_temporal.npy svdTemporalComponents_blue.npy svdSpatialComponents_blue.npy m1_u.npy m1.npy
m1_movie.npy m1_delta.npy m1.mat m1.smrx m1.abf m1.rhd m1.tdms m1.log m1.json m1.pdf m1 m1.png
m1_info.mat rec_mask_speed.mat m1_stimulus.mat m1_bpod.mat m1_virmen.h5 m1_dfof.mat AcqInfos.mat
"""
MOVIES = """
Frames_2_640_540_uint16_0001.dat Frames_640_540_uint16.dat Frames_0001.dat Frames_0001.mj2
Frames_x.dat Vc.mat rsVc.mat sVc.mat 2_24_32_uint16.dat m1_2_24_32_int16.bin m1_24_32.dat
SVTcorr.npy SVT.npy mySVT.npy reduced_temporal.npy widefieldSVT.haemoCorrected.npy widefieldSVT.npy
svdTemporalComponents_corr.npy svdTemporalComponents_.npy fluo.dat fluo_475.dat green_2.dat dFF.dat
dF.dat blue.dat Delta_F.h5 Delta_F.hdf5 Delta_F.npy sub-1_desc-processed_x.nwb sub-1_x.nwb
sub-1_widefield+behavior.nwb miniscope/0.avi My_V4_MiniScope/12.avi scope/0.avi miniscope/a.avi
m1_MMStack_Pos0.ome.tif MMStack.tiff img_0001.tif img_channel000.tif img_a.tif m1@0001.tif m1@a.tif
m1.sif m1.sifx m1_X2.tif m1_X2.avi m1_X.tif m1.tif
"""


OF_PROGRAMS = "frameTimes_0001.mat", "AcqInfos.mat"  # which write them in lower case


def upper(path):
    return path.with_suffix(path.suffix.upper())


def test_roles_and_layouts_are_those_that_were_read(tmp_path):
    lines = ["# file: role, rank"]
    for name in NAMES.split():
        for path in dict.fromkeys([PurePosixPath(name), upper(PurePosixPath(name))]):
            found = file_roles.by_role({path: 40}, tmp_path)
            assert [*found] == [*file_roles.ROLES]
            ((role, rank),) = [(role, *files.values()) for role, files in found.items() if files]
            if str(path) == name:
                lines.append(f"{name}: {role} {rank}")
            elif name not in OF_PROGRAMS:
                assert lines[-1] == f"{name}: {role} {rank}", path
    lines.append("# movie: layout, channels; what lies beside it")
    for name in MOVIES.split():
        path = PurePosixPath("m1", name)
        layout, channels = layout_of(path)
        near = beside(layout, path) if layout else {}
        said = "; ".join(f"{key} {file}" for key, file in near.items())
        lines.append(f"{name}: {layout and layout.program}, {channels}; {said}".rstrip("; "))
    assert_kept("\n".join(lines) + "\n", FILE, "ROLES")


TIMED = "frame,time_s\n" + "".join(f"{i},{i / 20}\n" for i in range(30))
TABLES_OF_FRAMES = {  # name, text -> role
    ("camera.csv", TIMED): "times",
    ("m1.csv", TIMED): "times",  # no other column tells of a mouse
    ("m1_camera_log.csv", TIMED): "times",
    ("m1.txt", TIMED.replace(",", "\t")): "times",
    ("cam.csv", TIMED.replace(",", ";").replace(".", ",")): "times",
    ("cam.csv", TIMED.replace("3,", "3.0,").replace("frame,time_s", "Frame Number,Time (ms)")): (
        "times"
    ),
    ("camera.csv", TIMED.replace("\n9,0.45", "")): "times",  # a frame is missing
    ("camera.csv", TIMED.replace("frame,", "index,")): "times",
    ("camera.csv", "time\n1\n2\n3\n4\n5\n"): "times",
    ("frames.csv", "time\n12:00:01\n12:00:02\n12:00:03\n12:00:04\n12:00:05\n"): "times",
    ("m1.csv", "time\n1\n2\n3\n4\n5\n"): "behavior",  # of licks, who knows
    ("m1.csv", TIMED.replace("frame,", "index,")): "behavior",  # of pulses, stimuli, …
    ("wheel.csv", TIMED): "behavior",
    ("facecam.csv", TIMED): "behavior",
    ("m1_video.csv", TIMED): "behavior",
    ("camera.csv", "frame,time,v\n0,0,3\n1,1,4\n2,2,5\n3,3,6\n4,4,5\n"): "behavior",
    ("camera.csv", "frame,time\n7,1\n19,2\n31,3\n38,4\n41,5\n"): "behavior",  # licks
    ("camera.csv", "frame,time\n0,1\n1,2\n2,1\n3,2\n4,1\n5,2\n"): "behavior",
    ("camera.csv", "frame,begin\n0,1\n1,2\n2,3\n3,4\n4,5\n"): "behavior",
    ("camera.csv", "frame,time,timestamp\n0,1,1\n1,2,2\n2,3,3\n3,4,4\n"): "behavior",
    ("camera.csv", "frame,time\n0,1\n1,2\n"): "behavior",
    ("camera.csv", "0,0.1\n1,0.2\n2,0.3\n3,0.4\n4,0.5\n"): "behavior",
    ("camera.csv", "frame,time\n0,1\n1,2\n2\n3,4\n"): "behavior",
    ("camera.csv", "frame,time\n0.5,1\n1.5,2\n2.5,3\n3.5,4\n"): "behavior",
    ("camera.csv", ""): "behavior",
}


@pytest.mark.parametrize(("name", "text"), TABLES_OF_FRAMES)
def test_a_table_of_a_row_a_frame_is_of_their_times_if_nothing_in_it_is_of_a_mouse(
    name, text, tmp_path
):
    (tmp_path / name).write_text(text)
    found = file_roles.by_role({PurePosixPath(name): len(text)}, tmp_path)
    role = TABLES_OF_FRAMES[name, text]
    assert {key: files for key, files in found.items() if files} == {
        role: {PurePosixPath(name): 1 if role == "times" or "wheel" in name else 2}
    }


def test_of_files_of_unclear_names_the_largest_and_those_named_alike_are_movies():
    sizes = {"a_20240101.h5": 9, "a_20240102.h5": 5, "a_20240101_extra.mat": 8, "b.h5": 7}
    sizes |= {"20240101_143005.mat": 6, "20240101_150000.mat": 1}
    files = {PurePosixPath(name): size for name, size in sizes.items()}
    found = {role: files for role, files in file_roles.by_role(files, "none").items() if files}
    told = {role: {str(path): rank for path, rank in of.items()} for role, of in found.items()}
    assert told == {
        "movie": dict.fromkeys(["a_20240101.h5", "a_20240102.h5", "b.h5"], 0),
        "behavior": dict.fromkeys(
            ["a_20240101_extra.mat", "20240101_143005.mat", "20240101_150000.mat"], 4
        ),
    }
    stamped = {path: size + 9 * path.name.startswith("2024") for path, size in files.items()}
    movies = file_roles.by_role(stamped, "none")["movie"]
    assert [path.name for path in movies] == ["20240101_143005.mat", "20240101_150000.mat"]
    # beside a movie that is named as one, they are its behaviour
    roles = file_roles.by_role(files | {PurePosixPath("a.tif"): 1}, "none")
    assert [*map(str, roles["movie"])] == ["a.tif"] and len(roles["behavior"]) == 6


@pytest.mark.parametrize("written", [PurePosixPath, upper])
def test_videos_beside_other_movies_are_of_the_mouse_and_components_need_spatial_ones(written):
    def roles(*names: str) -> dict[str, list[str]]:
        given = {written(PurePosixPath(name)): name for name in names}
        found = file_roles.by_role(dict.fromkeys(given, 9), "none")
        return {role: [given[path] for path in files] for role, files in found.items() if files}

    assert roles("a.avi", "b.tif") == {"movie": ["b.tif"], "aside": ["a.avi"]}
    assert roles("a.avi", "b.dat") == {"movie": ["a.avi", "b.dat"]}
    assert roles("SVT.npy", "b.tif") == {"movie": ["b.tif"], "aside": ["SVT.npy"]}
    assert roles("SVT.npy", "U.npy") == {"temporal": ["SVT.npy"], "spatial": ["U.npy"]}
    assert roles("SVT.npy", "U.npy", "x.h5") == {
        **{"temporal": ["SVT.npy"], "spatial": ["U.npy"]},
        "behavior": ["x.h5"],
    }
    assert roles("m1_face.nwb", "m1.nwb") == {"movie": ["m1_face.nwb", "m1.nwb"]}
    if written is PurePosixPath:  # Umit's are in lower case
        assert roles("fluo.dat", "fluo.mat") == {"movie": ["fluo.dat"], "aside": ["fluo.mat"]}


@pytest.mark.parametrize(
    ("shape", "role"),
    [
        *[((9, 2, 2), "movie"), ((9, 1, 2), "behavior"), ((65, 66), "movie")],
        *[((64, 99), "behavior"), ((99, 64), "behavior"), ((5000,), "behavior")],
        *[((2, 9, 2, 2), "movie"), ((1, 65, 66), "movie"), ((1, 1), "behavior")],
    ],
)
@pytest.mark.parametrize("suffix", [".h5", ".npy", ".NPY", ".mat", ".MAT", "_v5.MAT"])
def test_shapes_in_headers_tell_movies(tmp_path, shape, role, suffix):
    """A movie has three axes of more than one value, or two of more than 64."""
    path = tmp_path / f"m1{suffix}"
    if suffix in (".h5", ".MAT"):
        with h5py.File(path, "w", userblock_size=512) as file:
            file["x/y"], file["words"] = np.zeros(shape, "u1"), [b"x"] * 9
        if suffix == ".MAT":  # of version 7.3, which is HDF5 behind 512 bytes
            with open(path, "r+b") as file:
                file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124))
    elif suffix.lower() == ".npy":
        with open(path, "wb") as file:
            np.save(file, np.zeros(shape, "u1"))
    else:  # a vector is a matrix there
        words = np.array([["x"] * 3] * 3, object)
        held = {"x": np.zeros(shape, "u1"), "cells": words, "says": "word" * 99}
        scipy.io.savemat(path, held, appendmat=False)
    found = file_roles.by_role({PurePosixPath(path.name): 40}, tmp_path)
    rank = {"movie": 1, "behavior": 4}[role]
    assert {name: [*files.values()] for name, files in found.items() if files} == {role: [rank]}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a\tb\n1\t2\n3\t4\n", [["a", "b"], ["1", "2"]]),  # the last line may be cut
        ("# note\na;b\n1,5;2\n\nx", [["a", "b"], ["1,5", "2"]]),
        ('"a","b"\n "1" , 2 \nx', [["a", "b"], ["1", "2"]]),
        ("a b\n1  2\nx", [["a", "b"], ["1", "2"]]),
        ("a;b\n1,5;2,5\nx", [["a", "b"], ["1,5", "2,5"]]),
        ("a;b\nx", [["a", "b"]]),  # by the first line
        (' "time", speed ,\t\n0,1\t\nx', [["time", "speed", ""], ["0", "1"]]),
        ("a,b\n \t\n1,2\nx", [["a", "b"], ["1", "2"]]),
        ("", []),
    ],
)
def test_fields_of_the_first_lines_of_a_text(tmp_path, text, rows):
    (tmp_path / "a.txt").write_text(text)
    assert file_roles.rows_of(tmp_path / "a.txt") == rows
    assert file_roles.rows_of(tmp_path / "none.txt") == []


@pytest.mark.parametrize(
    ("lines", "role"),
    [
        (["t v", "0 1", "1 -2.5e3", "2 +3,"], "behavior"),
        (["t v", "0 1", "1 2"], "aside"),  # fewer than three rows
        (["t v", "0 1", "1 2 3", "2 3"], "aside"),
        (["t v", "a b", "c d", "e f"], "aside"),
        (["a text", "for 20 min", "of 3 days", "and some more nights"], "aside"),
        (["t word", "0 run", "1 rest", "2 run"], "behavior"),
        (["a b c", "x y", "0 1", "1 2", "2 3"], "behavior"),
        (["t word", "0,5 run", "1,25 rest", "-2, run"], "behavior"),  # decimal commas
        (["t word", "5e-1 run", "+1E+2 rest", "2.e0 run"], "behavior"),
        (["t word", "0.5.1 run", "12:30 rest", "3s run"], "aside"),
    ],
)
def test_a_text_with_rows_of_numbers_is_a_table(tmp_path, lines, role):
    (tmp_path / "m1.txt").write_text("\n".join([*lines, "cut"]))
    found = file_roles.by_role({PurePosixPath("m1.txt"): 40}, tmp_path)
    assert [name for name, files in found.items() if files] == [role]


@pytest.mark.parametrize(
    ("files", "movies", "behavior"),
    [
        ("m1/brain/r.tif m1/facecam/r.tif", "m1/brain/r.tif", ""),
        ("m1/brain.tif m1/m1_pupil.tif eyecam/m1/0.tif", "m1/brain.tif", ""),
        ("m1/brain_movie.h5 body/m1_movie.h5", "m1/brain_movie.h5", ""),
        ("brain/U.npy brain/SVT.npy face/m1.tif", "", ""),  # the components are the movie
        ("m1/facecam/r.tif m2/facecam/r.tif", "m1/facecam/r.tif m2/facecam/r.tif", ""),
        ("m1/side/r.tif m1/top/r.tif", "m1/side/r.tif m1/top/r.tif", ""),
        ("m1.nwb m1_face.nwb", "m1.nwb m1_face.nwb", ""),
        # stimuli and states of the mouse, which are of the brain
        ("m1/whisker_stim/r.tif m1/visual/r.tif", "m1/whisker_stim/r.tif m1/visual/r.tif", ""),
        ("m1/whisker/r.tif m1/none/r.tif", "m1/whisker/r.tif m1/none/r.tif", ""),
        ("m1_eye_open.tif m1_lit.tif", "m1_eye_open.tif m1_lit.tif", ""),
        ("m1/whisker_cam/r.tif m1/wf.tif", "m1/wf.tif", ""),
        ("wf/recording.h5 wheel/recording.h5", "wf/recording.h5", "wheel/recording.h5"),
        ("wf/r.tif treadmill/frames.mat", "wf/r.tif", "treadmill/frames.mat"),
        ("wheel/m1.tif rest/m1.tif", "wheel/m1.tif rest/m1.tif", ""),  # conditions
    ],
)
def test_folders_and_names_tell_what_a_camera_or_a_wheel_recorded(files, movies, behavior):
    found = file_roles.by_role({PurePosixPath(name): 9 for name in files.split()}, "none")
    assert [*map(str, found["movie"])] == movies.split()
    assert [*map(str, found["behavior"])] == behavior.split()


def test_a_movie_in_the_folder_of_a_wheel_is_one_by_its_header(tmp_path):
    (tmp_path / "wheel").mkdir()
    for name, shape in (("recording", (6, 70, 70)), ("frames", (6, 2))):
        with h5py.File(tmp_path / f"wheel/{name}.h5", "w") as file:
            file["data"] = np.zeros(shape)
    files = dict.fromkeys(map(PurePosixPath, ("wheel/recording.h5", "wheel/frames.h5")), 9)
    found = file_roles.by_role(files, tmp_path)
    assert [*map(str, found["movie"])] == ["wheel/recording.h5"]
    assert [*map(str, found["behavior"])] == ["wheel/frames.h5"]
