"""Files of wfield: areas and landmarks, of tables in either way, and what is none of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mesodecode.recordings import wfield
from told import assert_told

TOLD = Path(__file__).with_name("told")
CORNERS = {"left_x": [-3, -2, -1], "left_y": [0, 1, 2], "right_x": [3, 2, 1], "right_y": [0, 1, 2]}
LINE = {"left_x": [-3, -2], "left_y": [0, 1], "right_x": [3, 2, 1, 0], "right_y": [0, 1, 2, 3]}
ROWS = [{"acronym": "V1", **CORNERS}, {"acronym": "M2", **LINE}]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_areas_are_polygons_of_three_corners_or_more(capsys):
    def areas(table):
        Path("a.json").write_text(json.dumps(table))
        found = wfield.areas("a.json")
        return found and {name: json.dumps(xy) for name, xy in found.items()}

    columns = {key: {str(i): row[key] for i, row in enumerate(ROWS)} for key in ROWS[0]}
    cases = {
        "rows": lambda: areas(ROWS),
        "columns": lambda: areas(columns),
        "columns without one": lambda: areas(
            {key: column for key, column in columns.items() if key != "right_y"}
        ),
        "rows without one": lambda: areas([ROWS[0], {"acronym": "M2"}]),
        "no rows": lambda: areas([]),
        "polygons": lambda: areas({"V1": [[0, 0], [1, 1], [2, 0]]}),
        "a column of names": lambda: areas({"acronym": ["V1"]}),
        "numbers": lambda: areas([1, 2]),
    }
    assert_told(cases, TOLD / "wfield_areas.txt", capsys)


def test_landmarks_of_sessions_and_of_one_atlas(capsys):
    def table(*xy, names=("bregma", "lambda")):
        x, y = zip(*xy, strict=True)
        return {"x": x, "y": y, "name": list(names)}

    def write(path, match=((1, 2), (3, 4)), home=((5, 6), (7, 8)), **changes):
        Path(path).parent.mkdir(exist_ok=True)
        about = {"landmarks_match": table(*match), "landmarks_im": table(*home)}
        about["landmarks"] = table(*((x / 10, y / 10) for x, y in home))
        Path(path).write_text(json.dumps(about | changes))

    def read(*sessions, mm=False, pattern="{mouse}/{session}.json"):
        pairs = [("m1", session) for session in sessions]
        found = wfield.landmarks(pattern, pairs, atlas="atlas", mm=mm)
        return {s: {name: list(xy.tolist()) for name, xy in xy.items()} for s, xy in found.items()}

    def with_one(**changes):
        write("m1/s3.json", **changes)
        return read("s1", "s3")

    write("m1/s1.json"), write("m1/s2.json", match=((9, 8), (7, 6)))
    cases = {
        "two sessions": lambda: read("s1", "s2"),
        "in mm": lambda: read("s1", mm=True),
        "one without a file": lambda: read("s0", "s2"),
        "none with a file": lambda: read("s0"),
        "of another mouse": lambda: read("s1", pattern="m2/{session}.json"),
        "another atlas": lambda: with_one(home=((5, 6), (7, 9))),
        "the same atlas, nearly": lambda: with_one(home=((5, 6), (7, 8.000001))),
        "an atlas of other names": lambda: with_one(
            landmarks_im=table((5, 6), (7, 8), names=("bregma", "base"))
        ),
        "a name twice": lambda: with_one(landmarks_match=table((1, 2), (3, 4), names="aa")),
        "no number": lambda: with_one(match=((1, float("nan")), (3, 4))),
        "names that are missing": lambda: with_one(
            landmarks_match=table((1, 2), (3, 4), names="a")
        ),
        "words": lambda: with_one(landmarks_match={"x": ["a"], "y": [1], "name": ["b"]}),
        "a list": lambda: with_one(landmarks_match=[1, 2]),
    }
    assert_told(cases, TOLD / "wfield_landmarks.txt", capsys)
