"""The predictions file, and AUC tables made of it."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesodecode.base.files import UserError
from mesodecode.base.roc_auc import roc_auc
from mesodecode.base.tables import read_table
from mesodecode.cli.scores import auc as verb
from mesodecode.decoders import predictions
from mesodecode.decoders.predictions import Predictions, SessionPredictions
from mesodecode.scores import auc as auc_tables
from mesodecode.study.targets import Target
from tabled import as_tabled


def session(label, probability, *, mouse="5", frame=None) -> SessionPredictions:
    frame = np.arange(1, len(label) + 1) if frame is None else np.asarray(frame)
    return SessionPredictions(mouse, frame, np.asarray(label), np.asarray(probability, float))


def made(decoder="cnn", allocation="train-1+2+3.valid-4.test-5", **sessions) -> Predictions:
    sessions = sessions or {
        "s1": session([0, 0, 1, 1], [0.1, 0.5, 0.5, 0.75]),
        "s2": session([1, 1], [0.25, 1.0]),
    }
    return Predictions(decoder, allocation, "1+2+3", "4", "5", sessions)


def run(*words: object) -> None:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    verb.run(parser.parse_args([str(word) for word in words]))


def score(tmp_path, *words: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    run(*words, "--out", tmp_path / "auc.tsv", "--sessions", tmp_path / "session_auc.tsv")
    return tuple(read_table(tmp_path / f"{name}.tsv") for name in ("auc", "session_auc"))


def test_predictions_come_back_as_written(tmp_path):
    written = made()
    written.write(tmp_path / "p.h5")
    found = predictions.read(tmp_path / "p.h5")
    for name in predictions.ATTRIBUTES:
        assert getattr(found, name) == getattr(written, name)
    assert list(found.sessions) == ["s1", "s2"]
    for name, item in found.sessions.items():
        assert item.mouse == "5"
        dtypes = {"frame": np.int64, "label": np.uint8, "probability": np.float32}
        for key, dtype in dtypes.items():
            assert getattr(item, key).dtype == dtype
            np.testing.assert_array_equal(
                getattr(item, key), getattr(written.sessions[name], key).astype(dtype)
            )


def test_the_same_predictions_are_the_same_bytes(tmp_path):
    for name in "ab":
        made().write(tmp_path / f"{name}.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


BAD_SESSIONS = [
    (session([0, 1], [0.5]), "of one length, not [(2,), (2,), (1,)]"),
    (session(1, 0.5, frame=4), "must be (n,) of one length, not [(), (), ()]"),
    (session([[0, 1]], [[0.5, 0.5]], frame=[[4, 5]]), "not [(1, 2), (1, 2), (1, 2)]"),
    (session([0], [0.5, 0.5], frame=[4, 5]), "of one length, not [(2,), (1,), (2,)]"),
    (session([0, 2], [0.5, 0.5]), "labels must be 0 or 1, not 2"),
    (session([0, 1], [0.5, 1.5]), "1 probabilities are not between 0 and 1 (the first is 1.5)"),
    (session([0, 1], [np.nan, np.inf]), "2 probabilities"),
    (session([0, 1], [0.5, np.nan]), "1 probabilities are not between 0 and 1 (the first is nan)"),
    (session([0, 1], [-0.25, 1.0]), "1 probabilities are not between 0 and 1 (the first is -0.25)"),
    (session([0, 1], [0.5, 0.5], frame=[5, 4]), "frame numbers must increase"),
    (
        session([0, 1], [0.5, 0.5], frame=np.array([5, 4], np.uint32)),
        "frame numbers must increase",
    ),
    (session([0, 1], [0.5, 0.5], frame=[4, 4.5]), "frame numbers must be whole, not 4.5"),
    (session([0, 1], [0.5, 0.5], frame=[4, 4]), "frame numbers must increase"),
    (session([0, 1], [0.5, 0.5], mouse="1"), "mouse 1 is not a test mouse (5)"),
]


@pytest.mark.parametrize("bad, words", BAD_SESSIONS)
def test_impossible_predictions_are_neither_written_nor_read(tmp_path, bad, words):
    path = tmp_path / "p.h5"
    with pytest.raises(UserError) as caught:
        made(s1=bad).write(path)
    assert words in str(caught.value) and f"{path}: session s1" in str(caught.value)
    assert not list(tmp_path.iterdir())
    made(s1=session([0, 1], [0.5, 0.5])).write(path)
    with h5py.File(path, "a") as file:
        file["s1"].attrs["mouse"] = bad.mouse
        for key in ("frame", "label", "probability"):
            del file["s1"][key]
            file["s1"][key] = getattr(bad, key)
    with pytest.raises(UserError, match="session s1"):
        predictions.read(path)


@pytest.mark.parametrize(
    ("text", "frame", "truth", "made_of"),
    [(np.bytes_, "f8", "f8", "f2"), (lambda text: np.array([text], object), "u4", "?", ">f4")],
)
def test_files_of_matlab_and_r_are_read_as_those_of_here(tmp_path, text, frame, truth, made_of):
    path = tmp_path / "p.h5"
    made().write(path)
    expected = predictions.read(path)
    with h5py.File(path, "a") as file:
        for name in (*predictions.ATTRIBUTES, "protocol"):
            file.attrs[name] = text(file.attrs[name])
        for group in file.values():
            group.attrs["mouse"] = text(group.attrs["mouse"])
            for key, dtype in (("frame", frame), ("label", truth), ("probability", made_of)):
                values = group[key][()].astype(dtype)
                del group[key]
                group[key] = values
    found = predictions.read(path)
    with h5py.File(path, "a") as file:
        del file["s1/label"]
        file["s1/label"] = np.array([b"rest", b"run"] * 9)[: len(found.sessions["s1"].label)]
    with pytest.raises(UserError, match=r"session s1: labels must be 0 or 1, not b'rest'"):
        predictions.read(path)
    for name in (*predictions.ATTRIBUTES, "protocol"):
        assert getattr(found, name) == getattr(expected, name)
    for name, item in found.sessions.items():
        assert item.mouse == "5"
        for key in ("frame", "label", "probability"):
            array, other = getattr(item, key), getattr(expected.sessions[name], key)
            assert array.dtype == other.dtype
            assert array.tolist() == pytest.approx(other.tolist(), abs=1e-3)


PX, NAMED = Target("pupil", unit="px"), Target("states", ("rest", "walk", "groom"))
THREE = np.full((3, 3), 1 / 3)
BAD_OF_OTHERS = [
    (PX, session([1.5, np.nan, 3], [1, np.inf, np.nan]), "3 values or predictions are no finite"),
    (PX, session([1.5, 2, 3], [1, 2]), "of one length"),
    (PX, session([1.5, 2, 3], [1, -2, 99]), ""),  # no probabilities
    (NAMED, session([0, 2, 3], THREE), "labels must be 0 to 2, not 3"),
    (NAMED, session([0, 2, 1], THREE[:, :2]), "of one length"),
    (NAMED, session([0, 2, 1], THREE[:2]), "of one length"),
    (NAMED, session(1, THREE[0], frame=4), "of one length"),
    (NAMED, session([0, 2, 1], THREE - 0.5), "9 probabilities are not between 0 and 1"),
    (NAMED, session([0, 2, 1], THREE), ""),
]


@pytest.mark.parametrize(("target", "bad", "words"), BAD_OF_OTHERS)
def test_impossible_predictions_of_other_targets_are_not_written(tmp_path, target, bad, words):
    of = replace(made(s1=bad), target=target)
    if not words:
        of.write(tmp_path / "p.h5")
        found = predictions.read(tmp_path / "p.h5", of_any=True).sessions["s1"]
        np.testing.assert_array_equal(found.probability, bad.probability.astype(np.float32))
        return
    with pytest.raises(UserError, match=f"session s1: .*{words}"):
        of.write(tmp_path / "p.h5")


def test_predictions_of_no_session_are_refused(tmp_path):
    with pytest.raises(UserError, match="of no session"):
        Predictions("cnn", "a", "1", "4", "5", {}).write(tmp_path / "p.h5")


def break_attribute(path):
    with h5py.File(path, "a") as file:
        del file.attrs["decoder"]


def break_dataset(path):
    with h5py.File(path, "a") as file:
        del file["s2/label"]


def break_file(path):
    path.write_text("not HDF5")


@pytest.mark.parametrize("damage", [break_attribute, break_dataset, break_file])
def test_a_damaged_file_is_named_in_one_line(tmp_path, damage):
    path = tmp_path / "p.h5"
    made().write(path)
    damage(path)
    with pytest.raises(UserError) as caught:
        predictions.read(path)
    assert str(caught.value).startswith(f"{path}: not a predictions file")
    assert "\n" not in str(caught.value)


def test_tables_by_hand():
    pooled, sessions = auc_tables.auc_table([made()]), auc_tables.session_table([made()])
    as_tabled(pooled, "auc"), as_tabled(sessions, "auc_by_session")
    assert " ".join(pooled.columns) == (
        "decoder allocation train_mice valid_mouse test_mouse n_frames n_run auc accuracy protocol"
    )
    assert " ".join(sessions.columns) == (
        "decoder allocation train_mice valid_mouse test_mouse session n_frames n_run auc accuracy "
        "protocol"
    )
    # Run .5 .75 .25 1 against rest .1 .5. Over .1: 4 of 4; over .5: tie, yes, no, yes = 2.5.
    assert pooled["auc"].tolist() == [6.5 / 8]
    # Of .1 .5 | .5 .75 .25 1 the second (at the threshold, so run) and the fifth are wrong.
    assert pooled["accuracy"].tolist() == [pytest.approx(4 / 6)]
    assert pooled[["n_frames", "n_run"]].to_numpy().tolist() == [[6, 4]]
    assert sessions["session"].tolist() == ["s1", "s2"]
    assert sessions["auc"][0] == 3.5 / 4 and math.isnan(sessions["auc"][1])
    assert sessions["accuracy"].tolist() == [0.75, 0.5]


def test_a_probability_of_one_half_is_called_run():
    item = made(s1=session([0, 1, 1], [0.1, 0.5, 0.9]), s2=session([0, 0], [0.5, 0.4]))
    assert auc_tables.auc_table([item])["accuracy"].tolist() == [4 / 5]
    assert auc_tables.session_table([item])["accuracy"].tolist() == [1, 1 / 2]


def test_one_state_in_all_test_frames_is_an_error():
    with pytest.raises(
        UserError, match=r"decoder cnn, allocation train.*all 2 test frames are run"
    ):
        auc_tables.auc_table([made(s1=session([1, 1], [0.5, 0.5]))])


frames = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=2, max_size=40)


@given(frames)
def test_auc_is_the_share_of_ordered_pairs(pairs):
    label = np.array([run for run, _ in pairs])
    probability = np.array([eighths / 8 for _, eighths in pairs], np.float32)
    found = roc_auc(label, probability)
    run, rest = probability[label == 1], probability[label == 0]
    if len(run) == 0 or len(rest) == 0:
        assert math.isnan(found)
    else:
        difference = run[:, None] - rest[None, :]
        expected = ((difference > 0) + 0.5 * (difference == 0)).mean()
        assert found == pytest.approx(expected, abs=1e-12)


def test_verb_takes_files_or_a_folder(tmp_path):
    ids = ["train-1+2+3.valid-4.test-5", "train-2+3+4.valid-1.test-5"]
    paths = []
    for decoder in ("cnn", "gru"):
        for allocation in ids:
            paths.append(tmp_path / "predictions" / decoder / f"{allocation}.h5")
            made(decoder, allocation).write(paths[-1])
    (tmp_path / "allocations.tsv").write_text("\n".join(["allocation", *ids]) + "\n")
    by_file = score(tmp_path, "--predictions", *paths)
    by_folder = score(
        *(tmp_path, "--predictions", tmp_path / "predictions", "--decoders", "cnn", "gru"),
        *("--allocations", tmp_path / "allocations.tsv"),
    )
    for table, same in zip(by_file, by_folder, strict=True):
        pd.testing.assert_frame_equal(table, same)
    auc, sessions = by_file
    assert auc["decoder"].tolist() == ["cnn", "cnn", "gru", "gru"] and len(sessions) == 8
    assert auc["accuracy"][0] == 0.666667 and auc["test_mouse"][0] == "5"
    assert "\tnan\t" in (tmp_path / "session_auc.tsv").read_text()  # the one-state session stays


@pytest.mark.parametrize(
    "words, message",
    [
        (["--predictions", "{p}", "{p}"], "p: decoder cnn, .* is also in .*/p; give each once"),
        (
            ["--predictions", "{gru}", "{p}", "{copy}"],
            "copy: decoder cnn, allocation train-1.2.3.valid-4.test-5 is also in .*/p; give each",
        ),
        (["--predictions", "{folder}"], "--decoders and --allocations"),
        (["--predictions", "{folder}", "--decoders", "cnn"], "--decoders and --allocations"),
        (["--predictions", "{folder}", "--allocations", "{p}"], "--decoders and --allocations"),
        (
            ["--predictions", "{folder}", "{p}", "--decoders", "cnn", "--allocations", "{p}"],
            "folder: a folder goes alone",
        ),
    ],
)
def test_verb_refuses_what_it_cannot_score(tmp_path, words, message):
    (tmp_path / "folder").mkdir()
    for name, decoder in {"p": "cnn", "copy": "cnn", "gru": "gru"}.items():
        made(decoder).write(tmp_path / name)
    names = ("p", "copy", "gru", "folder")
    words = [word.format(**{name: tmp_path / name for name in names}) for word in words]
    with pytest.raises(UserError, match=message):
        score(tmp_path, *words)
    assert not list(tmp_path.glob("*.tsv"))


def test_verb_names_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such predictions file"):
        score(tmp_path, "--predictions", tmp_path / "none.h5")


@pytest.mark.parametrize(("label", "state"), [(0, "rest"), (1, "run")])
def test_a_mouse_of_one_state_has_no_auc_and_the_state_is_named(label, state):
    one = SessionPredictions("m", np.arange(3), np.full(3, label), np.array([0.1, 0.2, 0.9]))
    item = Predictions("d", "x", "a", "b", "m", {"s": one})
    with pytest.raises(UserError, match=rf"all 3 test frames are {state}, .*labels of mouse m$"):
        auc_tables.auc_table([item])
