"""The average of decoders: worked by hand, on common frames only, of the same labels only."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.decoders import predictions, validation
from mesodecode.decoders.average import average
from mesodecode.decoders.predictions import Predictions, SessionPredictions
from mesodecode.study.targets import Target

NAME = "train-1+2+3.valid-4.test-5"


def session(frame, label, probability, mouse="5") -> SessionPredictions:
    return SessionPredictions(mouse, *map(np.asarray, (frame, label, probability)))


FIRST = Predictions(
    *("gru", NAME, "1+2+3", "4", "5"),
    {
        "s1": session([1, 2, 3], [0, 1, 1], [0.25, 0.5, 1.0]),
        "s2": session([5, 6], [1, 0], [0.75, 0.0]),
    },
)
SECOND = replace(
    FIRST,
    decoder="gru2",
    sessions={
        "s1": session([2, 3, 4], [1, 1, 0], [1.0, 0.5, 0.125]),
        "s2": session([5, 6, 7], [1, 0, 0], [0.25, 0.5, 0.0]),
    },
)


@pytest.fixture
def write(tmp_path):
    def written(*members: Predictions) -> list:
        paths = [tmp_path / f"{index}.h5" for index in range(len(members))]
        for path, member in zip(paths, members, strict=True):
            member.write(path)
        return paths

    return written


def test_average_worked_by_hand(write, tmp_path):
    paths = write(FIRST, SECOND)
    out = tmp_path / "avg.h5"
    words = ["average", "--predictions", *paths, "--decoder", "avg", "--out", out]
    assert cli.main([str(word) for word in words]) == 0
    found = predictions.read(out)
    assert found.decoder == "avg"
    for name in predictions.ATTRIBUTES[1:]:
        assert getattr(found, name) == getattr(FIRST, name)
    expected = {
        "s1": session([2, 3], [1, 1], [0.75, 0.75]),  # frames 1 and 4 are in one file each
        "s2": session([5, 6], [1, 0], [0.5, 0.25]),
    }
    assert list(found.sessions) == list(expected)
    for name, item in expected.items():
        assert found.sessions[name].mouse == "5"
        for key in ("frame", "label", "probability"):
            np.testing.assert_array_equal(getattr(found.sessions[name], key), getattr(item, key))
    with h5py.File(out) as file, h5py.File(paths[0]) as member:
        assert dict(file.attrs) == dict(member.attrs) | {"decoder": "avg"}
        for key in ("frame", "label", "probability"):
            assert file["s1"][key].dtype == member["s1"][key].dtype


@settings(max_examples=10)
@given(
    values=st.lists(
        st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4), min_size=2, max_size=5
    ),
    order=st.randoms(),
)
def test_mean_of_any_number_in_any_order(values, order, tmp_path_factory):
    folder = tmp_path_factory.mktemp("average")
    paths = [folder / f"{index}.h5" for index in range(len(values))]
    for index, row in enumerate(values):
        one = session([0, 1, 2, 3], [0, 1, 0, 1], np.float32(row))
        replace(FIRST, decoder=f"d{index}", sessions={"s1": one}).write(paths[index])
    found = average(paths, "avg").sessions["s1"].probability
    np.testing.assert_allclose(found, np.mean(np.float64(values), axis=0), rtol=1e-12)
    order.shuffle(paths)
    again = average(paths, "avg").sessions["s1"].probability
    np.testing.assert_allclose(again, found, rtol=1e-12)


def changed(**sessions) -> Predictions:
    return replace(SECOND, sessions=dict(SECOND.sessions) | sessions)


OTHER = replace(
    SECOND, allocation="train-1+2+4.valid-5.test-3", train_mice="1+2+4", valid_mouse="5"
)
PUPIL = replace(
    SECOND,
    target=Target("pupil", unit="mm"),
    sessions={name: replace(one, label=one.label * 1.5) for name, one in SECOND.sessions.items()},
)
REFUSED = {
    "two targets": (
        [FIRST, PUPIL],
        "1.h5: decodes pupil (mm), but {}/0.h5 run; average decoders of one target",
    ),
    "one decoder": ([FIRST], "0.h5: decoders gru; an average is of two or more"),
    "one twice": ([FIRST, FIRST], "1.h5: decoders gru, gru; an average is of two or more, each"),
    "one of two twice": (
        [FIRST, SECOND, FIRST],
        "2.h5: decoders gru, gru2, gru; an average is of two or more, each given once",
    ),
    "allocation": (
        [FIRST, OTHER],
        f"1.h5: allocation is train-1+2+4.valid-5.test-3, but {NAME} in {{}}/0.h5; average",
    ),
    "roles": (
        [FIRST, replace(SECOND, valid_mouse="3")],
        "1.h5: valid_mouse is 3, but 4 in {}/0.h5",
    ),
    "more sessions": (
        [FIRST, changed(s3=session([1], [0], [0.5]))],
        "1.h5: session s3 is not both here and in {}/0.h5",
    ),
    "fewer sessions": (
        [FIRST, replace(SECOND, sessions={"s1": SECOND.sessions["s1"]})],
        "1.h5: session s2 is not both here and in {}/0.h5",
    ),
    "labels": (
        [FIRST, changed(s1=session([1, 2, 3], [0, 1, 0], [0.5] * 3))],
        "1.h5: session s1: the label of frame 3 is not that of {}/0.h5",
    ),
    "no common frame": (
        [FIRST, changed(s2=session([7, 8], [0, 1], [0.5, 0.5]))],
        "0.h5: session s2: no frame that all 2 files have",
    ),
}


def test_a_session_too_short_for_one_decoder_is_averaged_at_no_frame(write):
    found = average(write(FIRST, changed(s2=session([], [], []))), "avg")
    assert len(found.sessions["s2"].frame) == 0 and len(found.sessions["s1"].frame) == 2


@pytest.mark.parametrize(("members", "words"), REFUSED.values(), ids=REFUSED)
def test_predictions_that_do_not_belong_together_are_refused(members, words, write, tmp_path):
    with pytest.raises(UserError) as caught:
        average(write(*members), "avg")
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}/{words.format(tmp_path)}") and "\n" not in said


def test_mice_that_differ_are_refused(write):
    """Two test mice may have sessions of one name."""
    both = [replace(item, test_mouse="5+6") for item in (FIRST, SECOND)]
    other = replace(both[1].sessions["s1"], mouse="6")
    both[1] = replace(both[1], sessions=dict(both[1].sessions) | {"s1": other})
    with pytest.raises(UserError, match=r"1\.h5: session s1: the mouse is not that of"):
        average(write(*both), "avg")


def test_a_refused_average_writes_nothing(write, tmp_path, capsys):
    (path,) = write(FIRST)
    words = ["average", "--predictions", path, tmp_path / "no.h5", "--decoder", "a", "--out"]
    assert cli.main([str(word) for word in [*words, tmp_path / "out.h5"]]) == 1
    error = capsys.readouterr().err
    assert "no.h5: no such predictions file" in error and error.count("\n") == 1
    assert not (tmp_path / "out.h5").exists()


def of_validation(path, decoder, probability, session_name="v1", first=0):
    n = len(probability)
    frames = range(first, first + n)
    sessions = {session_name: session(frames, np.arange(n) % 2, probability, mouse="4")}
    validation.write(path, sessions, decoder=decoder, allocation=NAME, valid_mouse="4")
    return path


def averaged(tmp_path, paths, of):
    files = ["--of-validation", *of, "--validation", tmp_path / "v.h5"]
    words = ["average", "--predictions", *paths, "--decoder", "avg", "--out", tmp_path / "o.h5"]
    return cli.main([str(word) for word in [*words, *files]])


def test_what_members_said_of_validation_mice_is_averaged_too(write, tmp_path):
    of = [
        of_validation(tmp_path / "a.h5", "gru", [0.25, 0.5]),
        of_validation(tmp_path / "b.h5", "gru2", [0.75, 1.0]),
    ]
    assert averaged(tmp_path, write(FIRST, SECOND), of) == 0
    (found,) = validation.read(tmp_path / "v.h5", NAME, "4").values()
    assert found.probability.tolist() == [0.5, 0.75] and found.mouse == "4"


def test_validation_of_members_that_do_not_fit_is_refused(write, tmp_path, capsys):
    good = of_validation(tmp_path / "a.h5", "gru", [0.25, 0.5])
    other = of_validation(tmp_path / "b.h5", "gru2", [0.75, 1.0], session_name="v2")
    paths = write(FIRST, SECOND)
    assert averaged(tmp_path, paths, [good, other]) == 1
    words = f"{other}: other sessions than {good}; make both again"
    assert words in capsys.readouterr().err
    later = of_validation(tmp_path / "b.h5", "gru2", [0.75, 1.0], first=2)
    assert averaged(tmp_path, paths, [good, later]) == 1
    words = f"{good}: session v1: no frame that all 2 files have"
    assert words in capsys.readouterr().err
    words = ["average", "--predictions", *paths, "--decoder", "a", "--out", tmp_path / "o.h5"]
    assert cli.main([str(w) for w in [*words, "--validation", tmp_path / "v.h5"]]) == 1
    assert "goes with --of-validation" in capsys.readouterr().err
    assert not (tmp_path / "o.h5").exists()
