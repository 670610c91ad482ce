"""Sessions of one name under several mice: ids, files, exclusions, and what tables call them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from make import LINEAR, plan
from mesodecode.base.files import UserError
from mesodecode.cli.decoders import _label_donors
from mesodecode.explain.cutout_masks import masks_of
from mesodecode.export.nwb_metadata import read_metadata
from mesodecode.recordings.recording import Recording
from mesodecode.study import session_ids
from mesodecode.study import study as studies
from mesodecode.study.schema import defaults

DAYS = ["20260101", "20260102"]
STUDY = {
    "study": "days",
    "recordings": {
        "movie": "data/{mouse}/{session}/*.tif",
        "behavior": "data/{mouse}/{session}.csv",
    },
    "mice": {f"m{number}": DAYS for number in range(1, 7)},
    "decoders": {"linear": LINEAR},
}


def study(**change) -> studies.Study:
    return studies.resolve(STUDY | change)


def recordings(**change) -> dict:
    return {"recordings": STUDY["recordings"] | change}


def test_ids_hold_the_mouse_and_paths_the_name():
    found = study()
    assert found.mice["m2"] == ["m2_20260101", "m2_20260102"]
    assert found.mouse_of["m2_20260101"] == "m2" and len(found.mouse_of) == 12
    assert found.source("movie", "m2_20260101") == "data/m2/20260101/*.tif"
    assert found.sessions("train-m1+m2+m3.valid-m4.test-m5", "test") == [
        *("m5_20260101", "m5_20260102")
    ]
    again = studies.resolve(json.loads(json.dumps(found.config)))
    assert again == found


@pytest.mark.parametrize(
    "movie", ["d/{session}_{mouse}.h5", ["U.npy{session}{mouse}", "{session}"]]
)
def test_any_path_of_the_movie_counts(movie):
    mice = {f"m{n}": [f"s{n}"] for n in range(5)}
    assert study(mice=mice, **recordings(movie=movie)).mice["m3"] == ["m3_s3"]


def test_the_id_depends_on_no_other_mouse_and_names_without_mouse_stay():
    alone = {f"m{n}": [f"s{n}"] for n in range(5)}
    assert study(mice=alone).mice["m0"] == ["m0_s0"]
    plain = recordings(movie="data/{session}.tif")
    assert study(mice=alone, **plain).mice["m0"] == ["s0"]


def test_numbers_of_yaml_are_names_as_written(tmp_path):
    lines = [f"  m{n}: [20260101]" for n in range(5)]
    head = (
        "study: d\nrecordings: {movie: '{mouse}/{session}.h5', behavior: '{mouse}/{session}.h5'}\n"
    )
    text = head + "mice:\n" + "\n".join(lines) + "\ndecoders: {l: {model: logistic_regression}}\n"
    (tmp_path / "c.yaml").write_text(text)
    assert studies.load(tmp_path / "c.yaml").mice["m4"] == ["m4_20260101"]


FAULTS = {
    "collision": (
        {"mice": {"a": ["b_c"], "a_b": ["c"], "d": ["e"], "f": ["g"], "h": ["i"]}},
        "mice.a_b: session 'c' has the id 'a_b_c' (mouse_session), which session 'b_c' of mouse "
        "'a' has already; rename one of them",
    ),
    "twice in a mouse": ({"mice": {"a": ["x", "x"]}}, "mice.a: session 'x' is listed twice"),
    "no mouse in movie": (
        recordings(movie="data/{session}.tif"),
        "session '20260101' already belongs to mouse 'm1'; where mice have sessions of one name, "
        "recordings.movie must hold {mouse}",
    ),
    "one behaviour": (
        recordings(behavior="data/{session}.csv"),
        "config: recordings.behavior: 'data/{session}.csv' names one file for session '20260101' "
        "of mouse 'm1' and of mouse 'm2'; it must hold {mouse} too",
    ),
    **{
        f"one file of {key}": (
            recordings(**{key: "data/{session}.x"}),
            f"config: recordings.{key}: 'data/{{session}}.x' names one file for session '20260101'",
        )
        for key in ("movie_mask", "rois", "roi_masks", "frame_times", "light_sources")
    },
    "one mask of the brain": (
        {"corrections": {"brain_mask": "{session}.npy"}},
        "config: corrections.brain_mask: '{session}.npy' names one file for session '20260101'",
    ),
    "one part of the movie": (
        recordings(movie=["U/{mouse}/{session}.npy", "V/{session}.npy"]),
        "config: recordings.movie: 'V/{session}.npy' names one file",
    ),
    "simulated": (
        {"simulate": {"n_frames": 300}},
        "session '20260101' already belongs to mouse 'm1'",
    ),
    "too long": (
        {"mice": {"m" * 64: ["s" * 64]}},
        f"mice.{'m' * 64}: the id '{'m' * 64}_{'s' * 64}' has 129 characters, more than 128",
    ),
}


@pytest.mark.parametrize(("change", "words"), FAULTS.values(), ids=FAULTS)
def test_what_would_mix_sessions_is_one_line(change, words):
    with pytest.raises(UserError) as caught:
        study(**change)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_an_id_may_have_128_characters():
    mice = {"m" * 63: ["s" * 64]} | {f"m{n}": ["s"] for n in range(4)}
    assert len(study(mice=mice).mice["m" * 63][0]) == 128


ALIKE = {
    "capitals": ("m1", "M1"),
    "a sign": ("mouse-1", "mouse1"),
    "another sign": ("mouse_a", "mouse-a"),
    "a zero": ("m1", "m01"),
    "all of it": ("Mouse_007", "mouse7"),
    "at the end": ("anna_", "Anna"),
}
APART = {
    "other numbers": ("m1", "m10"),
    "cage and mouse": ("1-12", "11-2"),  # with a sign between numbers
    "day in the name": ("m1_20260101", "m12_0260101"),
    "letters": ("C12a", "C12b"),
    "nothing but zeros": ("m0", "m10"),
}


@pytest.mark.parametrize("pair", ALIKE.values(), ids=ALIKE)
def test_one_animal_in_two_spellings_is_refused_unless_it_is_said_to_be_two(pair):
    mice = dict.fromkeys([*pair, "x", "y", "z"], DAYS)
    with pytest.raises(UserError) as caught:
        study(mice=mice)
    message, named = str(caught.value), ", ".join(pair)
    assert message.startswith(f"config: mice: '{pair[0]}' and '{pair[1]}' differ in spelling alone")
    assert f"different_mice: [{named}]" in message and "\n" not in message
    with pytest.raises(UserError, match="differ in spelling"):  # one of the two does not say it
        study(mice=mice, different_mice=[pair[0]])
    assert len(study(mice=mice, different_mice=[*pair]).mice) == 5


@pytest.mark.parametrize("pair", APART.values(), ids=APART)
def test_different_names_are_different_mice(pair):
    assert len(study(mice=dict.fromkeys([*pair, "x", "y", "z"], DAYS)).mice) == 5


def test_a_spelling_that_is_excluded_takes_no_part():
    mice = dict.fromkeys(["m1", "M1", "x", "y", "z", "w"], DAYS)
    assert len(study(mice=mice, exclude={"M1": "the same animal"}).mice) == 5


def test_different_mice_are_mice():
    mice = dict.fromkeys(["m1", "x", "y", "z", "w"], DAYS)
    with pytest.raises(UserError, match="different_mice: no mouse 'M1'; known: m1, x"):
        study(mice=mice, different_mice=["M1"])


def test_a_dark_frame_of_the_day_may_be_that_of_all_mice():
    found = study(corrections={"dark_frame": "dark/{session}.tif"})
    assert found.source("dark_frame", "m2_20260101") == "dark/20260101.tif"


@pytest.mark.parametrize("word", ["m2/20260101", "m2_20260101"])
def test_one_of_several_is_excluded_by_its_mouse(word):
    assert study(exclude={word: "dark"}).mice["m2"] == ["m2_20260102"]
    assert study(exclude={word: "dark"}).mice["m1"] == ["m1_20260101", "m1_20260102"]


def test_a_name_of_one_mouse_alone_is_enough():
    mice = STUDY["mice"] | {"m1": [*DAYS, "extra"]}
    assert study(mice=mice, exclude={"extra": "x"}).mice["m1"] == [f"m1_{day}" for day in DAYS]


@pytest.mark.parametrize(
    ("exclude", "words"),
    [
        (
            "20260102",
            "exclude.20260102: '20260102' may be any of 6 sessions; write m1/20260102 or m2/",
        ),
        ("m1/20260103", "exclude.m1/20260103: no mouse or session of this name"),
        ("m9/20260101", "exclude.m9/20260101: no mouse or session of this name"),
    ],
)
def test_bad_exclusions(exclude, words):
    with pytest.raises(UserError) as caught:
        study(exclude={exclude: "x"})
    assert words in str(caught.value)


def test_the_id_of_one_that_is_the_name_of_another():
    mice = STUDY["mice"] | {"n": ["m1_20260101"]}  # whose id is n_m1_20260101
    with pytest.raises(UserError, match="may be any of 2 sessions; write m1/20260101 or n/m1_202"):
        study(mice=mice, exclude={"m1_20260101": "x"})
    assert study(mice=mice, exclude={"n/m1_20260101": "x"}).mice.keys() == STUDY["mice"].keys()


def test_labels_are_exchanged_within_a_mouse():
    null = {"input": "rois", "rnn": "gru", "labels": "permuted_between_sessions"}
    change = recordings(rois="data/{mouse}/{session}_roi.mat") | {"decoders": {"null": null}}
    assert study(**change).label_donors("null")["m3_20260101"] == "m3_20260102"


def table(folder, *lines: str) -> dict:
    (folder / "s.csv").write_text("\n".join(["session,sex", *lines]))
    known = study().by_id
    some = ["m1_20260101", "m2_20260101"]
    settings = defaults("nwb", sessions=str(folder / "s.csv"), session_start="%Y%m%d")
    return read_metadata(some, known, settings)


def test_rows_of_nwb_metadata_name_the_mouse_and_dates_are_those_of_names(tmp_path):
    found = table(tmp_path, "m2/20260101,F", "m1_20260101,M", "another,F")
    assert [one.subject["sex"] for one in found.values()] == ["M", "F"]
    assert found["m2_20260101"].start.isoformat() == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["20260101,F"], "s.csv: '20260101' may be any of 6 sessions; write m1/20260101 or m2/"),
        (["m1/20260101,F", "m1_20260101,M", "m2/20260101,F"], "'m1_20260101' is there twice"),
        (["m1/20260101,F"], "no session 'm2_20260101' in it; add its row"),
    ],
)
def test_rows_that_may_be_of_several_sessions_are_refused(tmp_path, lines, words):
    with pytest.raises(UserError, match=words):
        table(tmp_path, *lines)


def recording_of(mouse: str, session: str, name: str | None, label: int = 0) -> Recording:
    return Recording(
        path=Path("r.h5"),
        session=session,
        mouse=mouse,
        frame_rate=30.0,
        labels=np.full(9, label, np.uint8),
        speed=None,
        segment=None,
        rois=None,
        pixel_mean=np.ones((4, 5), np.float32),
        stack_sd=1.0,
        shape=(9, 4, 5),
        recorded_size=(4, 5),
        name=name,
    )


@pytest.mark.parametrize(
    "word", ["m1_20260101=m1_20260102", "m1/20260101=m1/20260102", "m1_20260101=m1/20260102"]
)
def test_labels_of_another_session_by_id_or_by_mouse_and_name(word):
    days = [(mouse, day) for mouse in ("m1", "m2") for day in DAYS]
    read = [recording_of(m, f"{m}_{day}", day, n) for n, (m, day) in enumerate(days)]
    given = _label_donors.exchange(read, [word])
    assert [one.labels[0] for one in given] == [1, 1, 2, 3]
    for wrong in ("20260101=20260102", "m1/20260101=m2/20260102", "m1/20260101"):
        with pytest.raises(UserError, match="two sessions of one mouse"):
            _label_donors.exchange(read, [wrong])


@pytest.mark.parametrize("name", ["20260101", None])
def test_areas_of_a_cut_out_are_found_by_the_name(tmp_path, name):
    areas = np.zeros((4, 5), np.uint8)
    areas[1:3, 1:3] = 1
    (tmp_path / "m1").mkdir()
    np.save(tmp_path / f"m1/{name or 'm1_20260101'}.npy", areas)
    settings = defaults("importance_cutout", masks=f"{tmp_path}/{{mouse}}/{{session}}.npy")
    masks = masks_of(settings, recording_of("m1", "m1_20260101", name))
    assert len(masks) == 2  # the area, and all but it


def test_the_workflow_reads_each_file_once_under_its_own_id(tmp_path):
    config = STUDY | {"mice": {f"m{n}": ["1", "2"] for n in range(1, 6)}}
    config |= recordings(movie="data/{mouse}/{session}.tif")
    config |= {
        "importance": {"seen": {"decoder": "linear", "masks": "areas/{mouse}/{session}.json"}}
    }
    for session in session_ids.sessions_of(config):
        for path in ("data/{}.tif", "data/{}.csv", "areas/{}.json"):
            path = tmp_path / path.format(session.address)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    jobs, lines = plan(tmp_path, config=config)
    assert jobs["preprocess"] == 10
    made = next(line for line in lines if "--movie=data/m3/2.tif" in line)
    assert "--session=m3_2 --session-name=2 --mouse=m3" in made
    assert "--out results/days/recordings/m3_2.h5" in made


@pytest.mark.parametrize(
    "change",
    [
        {"mice": {"nan": ["s1"], **{m: [m] for m in "bcde"}}},
        {"mice": {"a": ["NaN"], **{m: [m] for m in "bcde"}}},
        {"decoders": {"nan": {"model": "logistic_regression"}}},
        {"cohorts": {"nan": ["a"]}},
        {"comparisons": {"nan": {"decoders": ["linear", "b"]}}},
        {"importance": {"NaN": {"decoder": "linear", "masks": "squares"}}},
        {"variants": {"nan": {"image_size": 16, "decoders": ["linear"]}}},
    ],
)
def test_a_name_that_is_none_in_tables_is_refused(change):
    with pytest.raises(UserError, match=r"'(nan|NaN)' is .*none in tables"):
        study(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"decoders": {"linear": LINEAR, "Linear": LINEAR}},
            "config: decoders: 'linear' and 'Linear' differ in case alone",
        ),
        (
            {"comparisons": {name: {"decoders": ["linear", "b"]} for name in ("ab", "aB")}},
            "config: comparisons: 'ab' and 'aB' differ in case alone",
        ),
        (
            {"mice": {"x": ["d1", "D1"], "y": ["d2"], "z": ["d3"]}},
            "config: mice.x: 'd1' and 'D1' differ in case alone",
        ),
    ],
    ids=["decoders", "comparisons", "sessions"],
)
def test_names_that_would_be_one_file_where_case_is_not_told_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        study(**change)
