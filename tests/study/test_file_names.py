"""What the words of a file's or a folder's name say, in the names of many labs: `words.txt`.

Each line has a name, and its words with their kinds and values; what was changed on purpose is read
in the diff: `WORDS=write pytest -n 0 …`.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from kept import assert_kept
from mesodecode.study.discovery import file_names

FILE = Path(__file__).with_name("words.txt")
NAMES = {
    "dates, as they are written": (
        *("20240131", "2024-01-31", "2024_01_31", "2024.01.31", "2024 01 31", "2024-01_31"),
        *("2024-Jan-31", "2024january31", "31-Jan-2024", "31jan24", "1 Sept 2024", "Jan-31_2024"),
        *("May 5, 2024", "31012024", "31-01-2024", "01-31-2024", "01312024", "240131", "24-01-31"),
        *("310124", "31-01-24", "13-14-24", "401314", "2024-13-31", "2024-02-30", "30-02-2024"),
        *("03.04.2024", "03042024", "03-04-24", "030424", "10-11-12", "101112", "2024-03-04"),
    ),
    "what begins or ends as a date": (
        *("202401311430", "20240131143005", "2024013114300", "202401311", "120240131", "240131a1"),
        *("240131a", "31-01-24x2", "240131_2024", "31jan24_2025", "31 jan 24 2025", "240131T1430"),
        *("310124T1430", "240131T143", "2024-01-31-2024", "Jan-31-20245", "31jan20245", "1may125"),
        *("20240131b", "20240131bc", "20240131_b", "20240131B", "m1_20240131b_x"),
    ),
    "times of day": (
        *("20240131_1430", "20240131_143005", "20240131T143005", "20240131 14-30-05", "m1_1430"),
        *("20240131_14h30", "20240131_14h30m05s", "20240131_14.30.05.123", "20240131_14:30"),
        *("20240131_2430", "20240131_1460", "20240131_143060", "20240131_143a", "20240131_1430a"),
        *("14h30", "14-30-05", "14_30_05", "14-30_05", "T143005", "T1430", "24h30", "14h30m05s_m1"),
        *("run1_143005", "run1_1430", "m1_143005", "m1_20240131_m2_1430", "m1_20240131_run_1430"),
        *("20240131_m1_143005", "20240131_x_1430_1431", "20240131_1430_143105", "m1_143005_m2"),
    ),
    "animals": (
        *("sub-01", "sub-01_ses-02", "sub-a1b", "Mouse 3", "mouse03", "mouse_003", "mouse#7"),
        *("mouse anna", "mouse-anna_s1", "mouse run", "mouse 20240131", "mouse 2024", "mouse_20"),
        *("sub day 3", "sub_m1", "id anna", "id 12", "ID12", "rat-b2_s1", "mouseA", "animalB"),
        *("mouseAb", "subjectX", "mouse_1T091500", "mouse_1T09150", "mouse red", "mouse 470"),
        *("mouse_anna_2", "mouse 3a", "animal dff", "anna", "GC5", "GC-5_s1", "GC-5 s1", "GC-5"),
        *("GC-5-s1", "GC-5_20240131", "GC-20240131_1", "wheel-5_a", "GC-5-2", "Emx1G6_LR_1"),
    ),
    "counts": (
        *("s1", "S 1", "s_1", "s01", "ses 2", "day-3", "day3", "d3", "d_3", "wk2", "run_002", "v2"),
        *("v 2", "x1", "x 1", "exp12_day3", "day20240131", "day 2024", "m1run2", "m1Run2", "m1s2"),
        *("m1d2", "M12s2", "abc1s2", "m1x2", "annaRun2", "annarun2", "anna2run3", "m1T143005"),
        *("m1T1430", "frames2", "img_0001", "file 3", "part3", "trial1", "plane0", "pos12"),
    ),
    "light": (
        *("470", "470nm", "LED470", "ex470", "em 525", "blue", "Blue_405", "blue470", "470blue"),
        *("blue999", "x470", "ch1", "channel 2", "cam1", "camera", "led3", "UV", "isosbestic"),
        *("470_2", "blue_12", "470_100", "blue2", "47", "4700"),
    ),
    "what was done, and kinds of files": (
        *("raw", "rec_mc", "dff", "dFF", "deltaF", "blueV", "blue_V", "u", "U", "SVT", "SVTcorr"),
        *("svdTemporalComponents_corr", "widefield", "frameTimes", "rawFrames", "raw_frames"),
        *("frames_dff2", "dff2", "rawData3", "run1_raw", "Vc", "rsVc", "facecam", "V1", "T"),
    ),
    "conditions, and numbers": (
        *("saline", "cno_2", "pre2", "post_12", "post_100", "post_012", "rest_0412", "12", "012"),
        *("100", "100_2", "20240131_2", "20240131_100", "20240131_012", "20240131_12_13"),
        *("a_2", "a_2_3", "a_20240131_2_3", "run1_2", "run1_100", "baseline1", "stim3_2"),
    ),
    "other letters and signs": (
        *("Mäuse 3", "Maus ä_s1", "Versuch 1 a_s1", "__", "a--b", "a.b.c", "(3)", "a (3)", "#5"),
        *("{x}", "é2", "день1"),
    ),
}
PATHS = (  # folders, and the name
    *("2024/01/31/m1", "2024/1/31/m1", "2024/m1/31/a", "2024-01/31/m1", "2024_01/31/m1_1430"),
    *("2024/01/m1/31/a", "2024/Jan/31/m1", "1999/01/31/m1", "2024/41/31/m1", "2024/01/41/m1"),
    *("2024/01/31/05/m1", "2024/01/31", "m1/20240131/2/a", "m1/20240131/143005/a", "m1/1430/a"),
    *("20240131/m1/1430", "20240131/run/1430", "20240131/m1/14305", "20240131/m1/143005"),
    *("20240131/m1/2530", "20240131/1430/1431", "m1/day1/2", "m1/day1/100", "m1/day1/012"),
)


def said(named: list[file_names.Token]) -> str:
    return ", ".join(f"{token.kind} {token.value}" for token in named)


def test_words_are_those_that_were_read():
    lines = []
    for what, names in NAMES.items():
        lines.append(f"# {what}")
        for name in names:
            found = file_names.tokens(name)
            assert [name[token.start : token.end] for token in found] == [t.text for t in found]
            lines.append(f"{name}: {said(file_names.counted([found])[0])}")
    lines.append("# folders above")
    for name in PATHS:
        path = PurePosixPath(name)
        lines.append(f"{name}: {' / '.join(map(said, file_names.parsed(path, path.name)))}")
    assert_kept("\n".join(lines) + "\n", FILE, "WORDS")


def test_words_of_a_name_are_those_of_camel_case_and_without_numbers_too():
    found = {"wheelspeed12", "wheelspeed", "wheel", "speed", "12"}
    assert file_names.words("wheelSpeed12") == found
    assert file_names.words("SVT_12") == {"svt", "12"}
