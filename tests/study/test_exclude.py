"""Excluded sessions and mice: they take part in nothing, whatever reads the config."""

from __future__ import annotations

import json

import pytest

from make import ALL, LINEAR, STUDY, add_files, plan
from mesodecode.base.files import UserError
from mesodecode.study import study as studies

ROIS = {"rois": "my data/{session}_roi.mat"}
SIX = STUDY | {"mice": STUDY["mice"] | {"f": ["f1", "f2"]}, "allocation": ALL}


def excluding(exclude: object, **change: object) -> dict:
    return SIX | {"exclude": exclude} | change


def test_session_and_mouse_take_no_part():
    study = studies.resolve(excluding({"a2": "camera off", "c": "seizures"}))
    assert study.mice == {"a": ["a1"], "b": ["b1"], "d": ["d1"], "e": ["e1"], "f": ["f1", "f2"]}
    assert list(study.mouse_of) == ["a1", "b1", "d1", "e1", "f1", "f2"]
    # as if the mouse had never been there; what is done stays valid
    without = {mouse: names for mouse, names in SIX["mice"].items() if mouse != "c"}
    assert list(study.allocations) == list(studies.resolve(SIX | {"mice": without}).allocations)
    assert len(study.allocations) == 20
    assert study.sessions("train-a+b+d.valid-e.test-f", "train", "test") == [
        *("a1", "b1", "d1", "f1", "f2")
    ]


def test_mouse_left_without_sessions_drops_out():
    by_sessions = studies.resolve(excluding({"a1": "x", "a2": "y"}))
    assert by_sessions.mice == studies.resolve(excluding({"a": "z"})).mice
    assert "a" not in by_sessions.mice and len(by_sessions.allocations) == 20


def test_resolved_config_keeps_the_reasons_and_resolves_to_the_same_study(tmp_path):
    study = studies.resolve(excluding({"a2": "camera off", "c": "seizures"}))
    (tmp_path / "config.json").write_text(json.dumps(study.config))
    again = studies.load(tmp_path / "config.json")
    assert again == study
    assert again.config["exclude"] == {"a2": "camera off", "c": "seizures"}
    assert studies.resolve(SIX).config["exclude"] == {}


def test_mouse_whose_name_is_a_number_in_yaml():
    mice = {number: [f"m{number}"] for number in range(1, 7)}
    assert list(studies.resolve(SIX | {"mice": mice, "exclude": {3: "x"}}).mice) == list("12456")


def test_mouse_with_one_session_of_its_name():
    study = studies.resolve(excluding({"g": "x"}, mice=SIX["mice"] | {"g": ["g"]}))
    assert study.mice == SIX["mice"]


def test_other_simulated_mice_stay_as_they_were():
    config = {key: value for key, value in SIX.items() if key != "recordings"}
    config |= {"simulate": {"run_shares": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}}
    study = studies.resolve(config | {"exclude": {"b": "x"}})
    assert study.run_share("c1") == 0.3 and study.run_share("f2") == 0.6


def test_permuted_labels_need_two_sessions_that_take_part():
    config = {
        "recordings": STUDY["recordings"] | ROIS,
        "mice": {mouse: [f"{mouse}1", f"{mouse}2"] for mouse in "abcde"},
        "decoders": {"n": {"input": "rois", "rnn": "gru", "labels": "permuted_between_sessions"}},
    }
    assert studies.resolve(SIX | config).label_donors("n")["a1"] == "a2"
    with pytest.raises(UserError, match="mouse a has one session"):
        studies.resolve(SIX | config | {"exclude": {"a2": "x"}})


@pytest.mark.parametrize(
    ("exclude", "words"),
    [
        ({"b11": "x"}, "config: exclude.b11: no mouse or session of this name; did you mean 'b1'?"),
        ({"zzz": "x"}, "config: exclude.zzz: no mouse or session of this name; name one of"),
        ({"a": ""}, "config: exclude.a: '' is not a reason in words"),
        ({"a": " "}, "config: exclude.a: ' ' is not a reason in words"),
        ({"a": None}, "config: exclude.a: None is not of type 'string'"),
        (["a"], "config: exclude: ['a'] is not of type 'object'"),
        (
            {"a": "x", "b": "x"},
            "config: mice: 4 in all, fewer than allocation.train + valid + test = 3 + 1 + 1; add "
            "mice, exclude fewer or ask for fewer",
        ),
    ],
)
def test_bad_exclusions_are_one_line(exclude, words):
    with pytest.raises(UserError) as caught:
        studies.resolve(excluding(exclude))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_name_of_a_mouse_and_of_another_session():
    mice = SIX["mice"] | {"g": ["g", "g2"]}
    with pytest.raises(UserError, match=r"exclude\.g: both a mouse and a session have this name"):
        studies.resolve(excluding({"g": "x"}, mice=mice))


def test_no_job_reads_what_is_excluded(tmp_path):
    add_files(tmp_path, SIX)
    for name in ("a2.tif", "c1.mat"):  # nor need the files be there
        (tmp_path / "my data" / name).unlink()
    config = excluding({"a2": "camera off", "c": "seizures"}, decoders={"linear": LINEAR})
    config["allocation"] = STUDY["allocation"]
    jobs, lines = plan(tmp_path, config=config)
    assert jobs["preprocess"] == 6 and jobs["fit_linear"] == 5
    assert not [line for line in lines for name in ("a2", "c1", "+c") if name in line]
