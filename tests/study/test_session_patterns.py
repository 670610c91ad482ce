"""How files of a folder are named in a config: patterns, mice and links, in `patterns.txt`.

A folder's files a paragraph, then what `init` finds in it. What was changed on purpose is read in
the diff: `PATTERNS=write pytest -n 0 …`.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from kept import assert_kept, each
from mesodecode.study.discovery import discover

FILE = Path(__file__).with_name("patterns.txt")


MICE, DAYS = "m1 m2", "20240101 20240102"
GROUPS = {
    "by the movie's name": each("{}_{}{}", MICE, DAYS, ".tif _speed.csv _roi.csv _times.csv"),
    "by a folder's name": each("{}_{}/{}", MICE, DAYS, "a.tif a.csv"),
    "by the day": each("{}/{}/{}", MICE, DAYS, "a.tif speed.csv"),
    "by a count before what differs": each("x{}_run{}/stuff{}.tif", "1 2", "1 2", "a b"),
    "by words that do not count": each("{}/{}{}", "anna ben", "tone noise", ".tif .csv"),
    "the first of two ways that both need links": [
        *["20240101/m1.tif", "20240102/m2.tif", "20240103/m3.tif"],
        *["c1/m1_speed.csv", "c2/m2_speed.csv", "c3/m3_speed.csv"],
    ],
    "a word of what was done before the mouse": [
        *each("raw_{}_{}.tif", MICE, DAYS),
        *each("{}_{}_speed.csv", MICE, DAYS),
    ],
    "many versions of a movie": [
        *each("{}/rec{}.tif", MICE, "_raw _reg _binned _final _dff _corrected _copy"),
        *each("{}/rec_speed.csv", MICE),
    ],
    "a name longer than a config holds": each(f"ä{{}}{'x' * 70}{{}}", "a b", ".tif _speed.csv"),
    "one session a mouse": each("{}/{}", MICE, "a.tif a.csv"),
    "Pos0 tells no session": each("{}/x_{}/{}", MICE, "1", "Pos0.tif a.csv"),
    "folders that differ": [
        *each("c1/{}_{}{}", "m1", DAYS, ".tif _speed.csv"),
        *each("c2/{}_{}{}", "m2", DAYS, ".tif _speed.csv"),
    ],
    "folders that differ, of equal names": [
        *each("c1/{}/{}{}", "m1", DAYS, ".tif .csv"),
        *each("c2/{}/{}{}", "m2", DAYS, ".tif .csv"),
    ],
    "folders that differ, and versions of the same names": [
        *each("c1_mc/{}_{}{}", "m1", DAYS, ".tif _speed.csv"),
        *each("c2_mc/{}_{}{}", "m2", DAYS, ".tif _speed.csv"),
        *[*each("c1_raw/{}_{}.tif", "m1", DAYS), *each("c2_raw/{}_{}.tif", "m2", DAYS)],
    ],
    "days below mice that no config holds": [
        *each("{}/x{}/{}{}", "ä", "1", "20240101 20240102", ".tif _speed.csv"),
        *each("{}/{}{}", "ö", "20240103 20240104", ".tif _speed.csv"),
    ],
    "folders that differ in number": ["m1/d1/a.tif", "m2/x/d1/a.tif", "m1/a.csv", "m2/x/a.csv"],
    "names of equal files in folders that differ": [
        *["a/m1/d1.tif", "b/m1/d1.tif", "a/m2/d1.tif", "a/m1/d1.csv", "b/m1/d1.csv", "a/m2/d1.csv"],
    ],
    "spaces, and a start in common": each("Versuch 1 {}_s{}{}", "a b", "1 2", ".tif _speed.csv"),
    "signs that a config does not hold": each("{} s{}{}", "ä ö", "1 2", ".tif _speed.csv"),
    "two that are one without accents": each("{} s{}{}", "ä a", "1 2", ".tif _speed.csv"),
    "an accent, and one as Macs write it": each("{}/s{}.tif", "né ne\u0301", "1"),
    "braces": each("{{x}}/{}_{}{}", MICE, DAYS, ".tif .csv"),
    "a mouse's name within another word": each("m/{}m/{}_m{}", "m", DAYS, ".tif .csv"),
    "a session's name in folders too": each("{0}/{1}{2}", "s1 s2", "m1_d1 m2_d1", ".tif .csv"),
    "a few behaviours named otherwise": [
        *each("m{}_s1.tif", "1 2 3 4 5 6 7 8 9 10"),
        *each("m{}_s1_speed.csv", "1 2 3 4 5 6 7 8 9"),
        "m10_s1_wheel_x.csv",
    ],
    "more behaviours named otherwise": [
        *each("m{}_s1.tif", "1 2 3 4 5 6 7 8 9 10"),
        *each("m{}_s1_speed.csv", "1 2 3 4 5 6 7 8"),
        *["m9_s1_wheel_x.csv", "m10_s1_wheel_y.csv"],
    ],
    "two wavelengths, one lacking": [
        *each("{}_{}_{}.tif", MICE, DAYS, "470 405"),
        *["m3_20240101_470.tif", *each("{}_{}.csv", "m1 m2 m3", DAYS)],
    ],
    "two wavelengths to link": each("ä {} {}{}", "1 2", "a b", "_470.tif _405.tif .csv"),
    "parts to link": each("ä {} {}{}", "1 2", "a b", "_part1.tif _part2.tif .csv"),
    "components": each("{}/{}/{}", MICE, DAYS, "U.npy SVT.npy wheel.csv"),
    "components of which one names no light": each(
        "{}/{}/{}", MICE, DAYS, "U.npy U_blue.npy U_violet.npy SVT.npy wheel.csv"
    ),
    "one behaviour of all": [*each("{}_{}.tif", MICE, DAYS), "speed.csv"],
    "halves": [*each("{}_{}_{}.tif", MICE, DAYS, "left right"), *each("{}_{}.csv", MICE, DAYS)],
    "a binary of suite2p": each("{}/{}/{}", MICE, DAYS, "data.bin ops.npy speed.csv"),
    "a binary of nobody": each("{}/{}/{}", MICE, DAYS, "data.bin speed.csv"),
    "a camera a wavelength": each("{}/{}/{}", MICE, DAYS, "cam1.tif cam2.tif speed.csv"),
    "NWB in Zarr": each("{}_{}{}", MICE, DAYS, ".NWB.zarr _speed.csv"),
    "behaviour in MAT files of no words": each("{}_{}{}", MICE, DAYS, ".tif _x.mat"),
    "behaviour in MAT files that say so": each("{}_{}{}", MICE, DAYS, ".tif _speed.mat"),
    "components of a mouse": [
        *each("{}/{}/{}", MICE, DAYS, "SVT.npy wheel.csv"),
        *each("{}/U.npy", MICE),
    ],
    "components above, and others beside": each("{}/{}/{}", MICE, DAYS, "U.npy 1/SVT.npy 2/U.npy"),
    "components of two lights": each("{}/{}", MICE, "U_blue.npy U_violet.npy SVT.npy wheel.csv"),
    "components to link": each("ä {}/{}", "1 2", "U.npy SVT.npy wheel.csv"),
    "ROIs of some": [*each("{}_s1{}", "m1 m2 m3", ".tif .csv"), "m1_s1_roi.csv"],
    "areas": each("{}_s1{}", "m1 m2", ".tif .csv _rois.zip"),
    "areas and ROIs": each("{}_s1{}", "m1 m2", ".tif .csv _rois.zip _roi.csv"),
    "lights": each("{}_s1{}", "m1 m2", ".tif .csv _lightSource.npy"),
    "a mask": each("{}/{}", "m1 m2", "Delta_F.h5 Generous_Mask.npy speed.csv"),
    "dates in other orders": each("{}_{}{}", MICE, "03-01-2024 02-02-2024", ".tif .csv"),
    "dates in one order": each("{}_{}{}", "m2 m1", "13-02-2024 01-03-2024", ".tif .csv"),
    "no mice": each("{}{}", DAYS, ".tif _speed.csv"),
    "two behaviours of a session": each("{}_s1{}", MICE, ".tif _labels.csv _speed.csv .csv"),
    "a behaviour far and one near": [
        *each("x/{}_s1{}", MICE, ".tif _speed.csv"),
        *each("y/{}_s1{}", MICE, "_speed.csv"),
    ],
    "a behaviour that says so far, and one that does not near": [
        *each("x/{}_s1{}", MICE, ".tif .csv"),
        *each("y/{}_s1{}", MICE, "_speed.csv"),
    ],
    "a behaviour of two sessions": [*each("{}_s{}.tif", MICE, "1 2"), *each("{}_speed.csv", MICE)],
    "a behaviour that says less": [*each("{}_s1.tif", MICE), *each("{}_speed.csv", MICE)],
    "a behaviour that says more": [*each("{}.tif", MICE), *each("{}_s{}_x.csv", MICE, "1")],
    "a movie of two behaviours": [*each("{}.tif", MICE), *each("{}_s{}.csv", MICE, "1 2")],
    "a session that begins another": each("{}{}", "m1_a m1_a_b m2_a", ".tif _speed.csv"),
    "words in another order": [*each("{}_{}.tif", MICE, DAYS), *each("{1}/{0}.csv", MICE, DAYS)],
}


def test_patterns_are_those_that_were_read(monkeypatch):
    lines = []
    for what, names in GROUPS.items():
        sizes = {PurePosixPath(name): 9 + 90 * name.endswith(".tif") for name in sorted(names)}
        monkeypatch.setattr(discover, "files_in", lambda folder, sizes=sizes: sizes)
        found = discover.look("/usr")
        lines.append(f"{what}: {', '.join(map(str, sizes))}")
        lines += [f"  {kind}: {' '.join(of)}" for kind, of in found.patterns.items()]
        lines += [f"  {mouse}: {', '.join(of)}" for mouse, of in found.mice.items()]
        lines += [f"  {source} -> {target}" for source, target in found.links]
        tables = {**found.settings, **found.corrections}
        lines += [
            f"  {key} = {value}  # {said}".rstrip(" #") for key, (value, said) in tables.items()
        ]
        lines += [f"  {note}" for note in found.notes]
    assert_kept("\n".join(lines) + "\n", FILE, "PATTERNS")
