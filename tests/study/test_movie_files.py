"""Which files are one session's movie, and what names them: `movies.txt`.

A group of files a paragraph, then its sessions: the files of each wavelength with what names them
in their folder, and versions that are not taken. What was changed on purpose is read in the diff:
`MOVIES=write pytest -n 0 …`.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from kept import assert_kept
from mesodecode.study.discovery.movie_files import in_folders, pattern_of, sessions_of, units_of

FILE = Path(__file__).with_name("movies.txt")


def numbers(pattern: str, *of: int) -> list[str]:
    return [pattern.format(n) for n in of]


# what -> movies (of rank 1 behind a !), then files of behaviour
GROUPS = {
    "pco.camware": (numbers("m1@{:04}.tif", 1, 2, 10), []),
    "Micro-Manager, the first without a number": (
        ["x/m1_MMStack_Pos0.ome.tif", "x/m1_MMStack_Pos0_1.ome.tif", "x/m1_MMStack_Pos1.ome.tif"],
        ["x/a.csv", "x/b.csv"],
    ),
    "Micro-Manager, times and channels": (
        numbers("x/img_channel000_position001_time{:09}_z000.tif", 0, 1)
        + numbers("x/img_channel001_position001_time{:09}_z000.tif", 0, 1),
        [],
    ),
    "Micro-Manager 1.4": (
        numbers("x/img_{:09}_Blue_000.tif", 0, 1) + numbers("x/img_{:09}_UV_000.tif", 0, 1),
        [],
    ),
    "Andor Solis": (["m1.sif", "m1_X2.sif", "m1_X10.sif"], []),
    "WidefieldImager, a file a trial": (numbers("Frames_2_32_24_uint16_{:04}.dat", 1, 2, 3), []),
    "parts by name": (["m1_part1.tif", "m1_part2.tif", "m1-chunk 3.tif", "m2.seg1.tif"], []),
    "copies in brackets": (["m1 (1).tif", "m1 (2).tif", "m1(3).tif"], []),
    "Miniscope": (numbers("m1/miniscope/{}.avi", 0, 1, 10) + numbers("m1/cam/{}.avi", 0, 1), []),
    "numbers in a folder of their own": (numbers("x/m1_{}.tif", 1, 2, 3), ["x/m1.csv"]),
    "numbers in a folder, two files of behaviour": (
        numbers("x/m1_{}.tif", 1, 2, 3),
        ["x/m1_1.csv", "x/m1_3.csv"],
    ),
    "numbers in a folder, two other files of behaviour": (
        numbers("x/m1_{}.tif", 1, 2, 3),
        ["x/a.csv", "x/b.csv"],
    ),
    "numbers in no folder": (numbers("m1_{}.tif", 1, 2, 3), []),
    "numbers in no folder, with one behaviour": (numbers("m1_{}.tif", 1, 2, 3), ["m1.csv"]),
    "numbers with another movie beside": ([*numbers("x/m1_{}.tif", 1, 2), "x/other.tif"], []),
    "nineteen numbers": (numbers("m1_{:03}.tif", *range(1, 20)), []),
    "twenty numbers": (numbers("m1_{:03}.tif", *range(1, 21)), []),
    "twenty numbers from 2": (numbers("m1_{:03}.tif", *range(2, 22)), []),
    "twenty numbers with a gap": (numbers("m1_{:03}.tif", *range(20), 21), []),
    "times": (numbers("x/20240101_{}.tif", 143005, 150000), []),
    "times from 0": (numbers("x/20240101_{:04}.tif", 0, 1), []),
    "sessions with numbers": (numbers("x/m1_s{}.tif", 1, 2), []),
    "images with numbers": (numbers("x/img{}.tif", 1, 2), []),
    "other images with numbers": (numbers("x/plane{}.tif", 1, 2), []),
    "videos with numbers": (numbers("x/m1_{}.avi", 1, 2), []),
    "flat files with numbers": (numbers("x/m1_{}.dat", 1, 2), []),
    "parts with behaviours of their own": (
        numbers("m1_part{}.tif", 1, 2),
        numbers("m1_part{}.csv", 1, 2),
    ),
    "parts with one behaviour": (numbers("m1_part{}.tif", 1, 2), ["m1_part1.csv"]),
    "sizes in names": (["m1_2_540_640_uint16.dat", "m2_2_540_640_uint16_00.dat"], []),
    "versions": (["m1_raw.tif", "m1_mc.tif", "m1_dff.h5", "m1_hemocorrected.tif", "m2.tif"], []),
    "versions of one kind": (["m1_mc.dat", "m1_mc.tif"], []),
    "a later version without a header": (["m1_dff.dat", "m1_raw.tif"], []),
    "components and pixels": (["SVT.npy", "m1_x/a.tif", "m1_x/SVT.npy"], []),
    "components of two lights": (["m1_blue/SVT.npy", "m1_violet/SVT.npy", "m2_405/SVT.npy"], []),
    "components, corrected and of two lights": (
        ["m1/blue/SVT.npy", "m1/violet/SVT.npy", "m1/blue/SVTcorr.npy"],
        [],
    ),
    "components in one file": (["m1/Vc.mat", "m1/blueV.mat", "m2/rsVc.mat", "m3/Vc.npy"], []),
    "weak beside a sure one": (["m1/a.h5", "m1/shifts_reg.h5!", "m2/shifts_reg.h5!"], []),
    "calcium and blood": (["m1_405.tif", "m1_470.tif", "m2_470.tif", "m2_530.tif"], []),
    "calcium and two of blood": (["m1_470.tif", "m1_530.tif", "m1_405.tif", "m1_625.tif"], []),
    "calcium and two of reflection": (["m1_470.tif", "m1_625.tif", "m1_530.tif"], []),
    "two of calcium": (["m1_470.tif", "m1_488.tif"], []),
    "two of blood": (["m1_530.tif", "m1_625.tif"], []),
    "unnamed light and blood": (["m1_ch1.tif", "m1_ch2.tif", "m2_470_ch1.tif", "m2_530.tif"], []),
    "numbered lights that are named": (
        ["m1_channel1_violet.tif", "m1_channel2_blue.tif", "m2_violet_led1.tif", "m2_led2_470.tif"],
        [],
    ),
    "numbered lights, one named": (["m1_ch1_violet.tif", "m1_ch2.tif", "m2_ch1_green.tif"], []),
    "letters": (["m1_G.tif", "m1_R.tif", "m2_G.tif", "m2_R.tif"], []),
    "letters, one of four missing": ([f"m{i}_{c}.tif" for i in "1234" for c in "BV"][:-1], []),
    "letters, one of two missing": (["m1_B.tif", "m1_V.tif", "m2_B.tif"], []),
    "letters of three": (["m1_B.tif", "m1_G.tif", "m1_R.tif"], []),
    "colours that name mice": (["red_20240101.tif", "green_20240101.tif"], []),
    "colours that name no mice": (["m1_red.tif", "m1_green.tif", "m2_red.tif"], []),
    "colours of a pair": (["x/blue.tif", "x/violet.tif"], []),
    "colours of a pair, and one alone": (
        [f"2024010{day}_{light}.tif" for day, light in ((1, "blue"), (1, "violet"), (2, "blue"))],
        [],
    ),
    "halves": (["m1_left.tif", "m1_right.tif", "m2_left.tif", "m2_right.tif"], ["m1.csv"]),
    "halves by letters": (["m1_L.tif", "m1_R.tif"], ["m1.csv"]),
    "halves by hemispheres": (["m1_lh.tif", "m1_rh.tif"], ["m1.csv"]),
    "halves with no behaviour": (["m1_left.tif", "m1_right.tif"], []),
    "halves with a behaviour of one": (["m1_left.tif", "m1_right.tif"], ["m1_left.csv"]),
    "halves with two behaviours": (["m1_left.tif", "m1_right.tif"], ["m1.csv", "m2.csv"]),
    "one half missing": (["m1_left.tif", "m1_right.tif", "m2_left.tif"], ["m1.csv"]),
    "brackets in names": ([*numbers("x[1]/a*_part{}.tif", 1, 2), "x[1]/b.tif"], []),
    "a start in common with others": ([*numbers("x/a_part{}.tif", 1, 2), "x/a_partly.tif"], []),
    "numbers that begin alike": ([*numbers("x/a_part{}.tif", 11, 12), "x/a_part2.tif"], []),
    "a start and an end that overlap": (
        [*numbers("x/a_part{}.tif", 1, 11), "x/a_party.tif"],
        [],
    ),
    "files that no pattern names": (["x/a_part1.tif", "x/a pt 2.tif", "x/a_b.tif"], []),
}


def upper(name):
    return re.sub(r"[.]\w+(?=!?$)", lambda suffix: suffix[0].upper(), name)


def as_lines(groups):
    lines = []
    for what, (movies, behavior) in groups.items():
        ranks = {PurePosixPath(name.rstrip("!")): int(name.endswith("!")) for name in movies}
        temporal = [path for path in ranks if path.stem in ("SVT", "SVTcorr")]
        for path in temporal:
            del ranks[path]
        own = [*map(PurePosixPath, behavior)]
        folders = in_folders([*ranks, *temporal])
        sessions = sessions_of(units_of(ranks, own, temporal), own)
        lines.append(f"{what}: {len(movies)} files" + f", {', '.join(behavior)}" * bool(behavior))
        shown = [*sessions.items()] if len(sessions) < 5 else [*sessions.items()][::18]
        lines += [f"  {len(sessions)} sessions"] * (len(sessions) > 4)
        for key, session in shown:
            lines.append(f"  {'/'.join(' '.join(part) for part in key)}:")
            for unit in session.units:
                files = ", ".join(file.name for file in unit.files[:4])
                light = f" of light {unit.light} ({unit.shows})" * bool(unit.light)
                named = pattern_of(unit, folders[unit.folder])
                lines.append(f"    {named} = {unit.stem}: {len(unit.files)} ({files}){light}")
            lines += [f"    not {unit.files[0]}, made {unit.made}" for unit in session.others]
    return lines


def test_movies_are_those_that_were_read():
    assert_kept("\n".join(as_lines(GROUPS)) + "\n", FILE, "MOVIES")


def test_suffixes_may_be_in_upper_case():
    own = "WidefieldImager, a file a trial", "components in one file"  # named by their programs
    groups = {what: files for what, files in GROUPS.items() if what not in own}
    raised = {what: [[*map(upper, some)] for some in files] for what, files in groups.items()}
    lowered = re.compile(r"[.](TIF|DAT|AVI|NPY|SIF|H5|CSV)\b")
    found = [lowered.sub(lambda suffix: suffix[0].lower(), line) for line in as_lines(raised)]
    assert found == as_lines(groups)
