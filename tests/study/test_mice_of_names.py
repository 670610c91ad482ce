"""Which mice sessions are of by their names, and what is said of that: `mice.txt`.

A group of sessions a paragraph: each session and its mouse, what that rests on, and notes. What was
changed on purpose is read in the diff: `MICE=write pytest -n 0 …`.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from kept import assert_kept, each
from mesodecode.study.discovery.file_names import parsed
from mesodecode.study.discovery.mice_of_names import Place, mice_of

FILE = Path(__file__).with_name("mice.txt")


GROUPS = {
    "a mouse, or a group and its mice": each("{}/{}/{}", "control lesion", "m1 m2", "d1 d2"),
    "a mouse and what was done": each("{}/{}/{}", "anna ben", "tone5k tone9k", "20240101"),
    "crossed, and the lower one much like a mouse": each("{}/{}/a", "anna ben", "m5 m9"),
    "crossed, and the upper one like a group": each("{}/{}/a", "cohort1 cohort2", "GC5 GC9"),
    "rigs above": each("{}/{}_{}", "rig1 rig2", "GC5 GC9", "20240101 20240102"),
    "one mouse": each("{}/{}", "GC5", "20240101 20240102"),
    "one mouse, in names": each("{}_{}", "GC5", "20240101 20240102"),
    "one word that is like no mouse": each("{}/{}", "stuff", "20240101 20240102"),
    "two words above, the second like a mouse": each("stuff/{}/{}", "GC5", "20240101 20240102"),
    "no level for all": ["GC5/20240101", "20240102_GC6", "x/GC7/20240103", "20240104"],
    "one odd name in four": ["m1/a", "m2/a", "m3/a", "pilot/a"],
    "one odd name in three": ["GC1/a7", "GC2/b8", "pilot/c9"],
    "long numbers": each("{}/{}", "4071 4072", "1 2"),
    "short numbers": each("{}/{}", "1 2", "x y"),
    "numbers that count, of names": each("{}_{}", "GC5 GC6", "1 2 3"),
    "one number at all names": each("{}_1", "GC5 GC6"),
    "three digits in front of none": each("{}_{}", "GC5 GC6", "101 102"),
    "three digits with a zero": each("{}_{}", "GC5 GC6", "011 012"),
    "numbers above dates": each("{}_{}/{}", "GC5", "1 2", "20240101 20240102"),
    "numbers before dates": each("{}_{}_{}", "GC5", "1 2", "20240101 20240102"),
    "numbers before runs": each("{}_{}_run{}", "GC5", "1 2", "1 2"),
    "padded numbers above dates": each("{}_{}/{}", "GC5", "011 012", "20240101 20240102"),
    "numbers of a day": each("{}_{}_{}", "20240101 20240102", "GC5 GC6", "1 2"),
    "numbers of a day, from 0": each("{}_{}_{}", "20240101 20240102", "GC5 GC6", "0 1"),
    "numbers of a day, odd": each("{}_{}_{}", "20240101 20240102", "GC GD", "2 3"),
    "odd on one day of two": [*each("20240101_GC_{}", "1 2"), *each("20240102_GC_{}", "2 3")],
    "odd on two days of three": [
        *each("20240101_GC_{}", "1 2"),
        *each("{}_GC_{}", "20240102 20240103", "2 3"),
    ],
    "numbers behind dates": each("{}_{}", "20240101 20240102", "5 7"),
    "numbers behind dates, on no other day": ["20240101_5", "20240102_7"],
    "numbers behind dates, as counts": each("{}_{}", "20240101 20240102", "1 2"),
    "one number behind dates": each("{}_{}", "20240101 20240102", "5"),
    "s1 behind dates": each("s{}_day{}", "1 2 3", "1 2"),
    "s1 alone": each("s{}", "1 2 3"),
    "s1 with one more count": each("{}_s{}_day{}", "m1 m2", "1 2", "1"),
    "words that vary within": each("{}_{}", "GC5 GC6", "odorant tones"),
    "nine words that vary within": each("{}_{}", "GC5 GC6", "acc bcc ccc dcc ecc fcc gcc hcc icc"),
    "words that do not vary within": ["GC5_odorant", "GC6_tones", "GC7_odorant"],
    "ear marks that vary within": each("{}_{}", "GC5 GC6", "L R"),
    "letters that vary within": each("{}_{}", "GC5 GC6", "a b"),
    "ages": each("{}_{}", "GC5 GC6", "P30 P45"),
    "ages of four digits": each("{}_{}", "GC5 GC6", "P3000 P4500"),
    "numbered words that vary within": each("{}_{}", "GC5 GC6", "x1 y2"),
    "a word that some have": ["GC5", "GC5_odorant_s2", "GC6_s1", "GC6_s2"],
    "a word that some have, of no other": ["GC5_tones_s1", "GC6_s1", "GC6_s2"],
    "two words that some have": ["GC5_s1", "GC5_odorant_late_tones_s2", "GC6_s1"],
    "many words": each("GC5_{}", "aa bb cc dd ee ff gg hh ii jj"),
    "many words of two": each("{}_{}", "GC5 GC6", "aa bb cc dd ee ff gg hh ii jj"),
    "a whole folder with signs": each("mouse-{} (WT)/{}", "A1 B2", "20240101 20240102"),
    "what all names have": each("Versuch 1 {}_s{}", "a b", "1 2"),
    "what all names have, as a config takes it": each("lab_{}_s{}", "a b", "1 2"),
    "two spellings": ["GC-5_20240101", "GC5_20240102", "GC6_20240101"],
    "two spellings by case and zeros": ["M1_20240101", "m01_20240102", "m2_20240101"],
    "letters at the end": ["C12a_20240101", "C12b_20240101", "C13_20240101"],
    "small letters behind small ones": ["emxa_20240101", "emxb_20240101"],
    "left and right": each("{}_{}_run1", "m1 m2", "left right"),
    "left and right, in capitals": each("{}_{}_run1", "m1 m2", "Left RIGHT"),
    "left and right, glued": each("{}{}_run1", "m1 m2", "left right"),
    "names that begin alike": ["GC5_x7_s1", "GC5_y8_s1", "GC6_x7_s1"],
    "names that begin alike, with numbers of mice": ["GC5_m7_s1", "GC5_m8_s1", "GC6_m7_s1"],
    "names that begin alike, with ears": ["GC5_L_s1", "GC5_R1_s1", "GC6_N_s1"],
    "nine that may be one": each("GC5_x{}_s1", "1 2 3 4 5 6 7 8 9"),
    "below a mouse": each("{}/{}", "m1 m2", "gloom glee gleam glow"),
    "below a mouse, numbers": each("{}/{}", "m1 m2", "10 20"),
    "below a mouse, long numbers": each("{}/{}", "m1 m2", "100 200"),
    "below a mouse, groups": each("{}/{}/a", "m1 m2", "wt ko"),
    "below one mouse of two": ["m1/gloom", "m1/glee", "m2/gloom"],
    "a pause of 28 days": each("m1_{}", "20240101 20240129"),
    "a pause of 29 days": each("m1_{}", "20240101 20240102 20240131 20240202"),
    "a pause of no mouse": ["m1_20240101", "m2_20240301"],
    "a pause by days and months": each("m1_{}", "01-02-2024 02-03-2024"),
    "a pause by days": each("m1_{}", "13-02-2024 14-03-2024"),
    "two pauses": each("m{}_{}", "1 2", "20240101 20240301 20240601"),
    "subjects": each("sub-{}/ses-{}/sub-{}_ses-{}", "01 02", "01 02", "01", "01"),
    "subjects behind dates": each("{}/mouse {}", "20240101 20240102", "3 4"),
    "no names": ["20240101", "20240102_s2", "stack"],
    "marks around a folder's name": each("{}/{}", "(GC5) _GC6_ #12", "20240101 20240102"),
    "marks around names": each("{}_{}", "(GC5) #12", "20240101 20240102"),
    "folders of other depths": ["m1/20240101/a", "m2/a", "x/y/m3/a"],
}


def test_mice_are_those_that_were_read():
    lines = []
    for what, names in GROUPS.items():
        paths = [PurePosixPath(name) for name in names]
        guess = mice_of([Place(path.parts, parsed(path, path.name)) for path in paths])
        assert len(guess.mice) == len(names)
        shown = (f"  {name}: {mouse}" for name, mouse in zip(names, guess.mice, strict=True))
        lines += [f"{what}, by {guess.rests_on}", *shown, *(f"  {note}" for note in guess.notes)]
    assert_kept("\n".join(lines) + "\n", FILE, "MICE")
