"""Sessions held out: trained on others, by a slow way; and that none has two roles."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from make_decoders import TINY, refused, run, slow_centres, write_recording
from make_recordings import recordings as simulated
from make_recordings import write_rois
from mesodecode.base.files import UserError
from mesodecode.decoders import held_out
from mesodecode.decoders.fitted import linear
from mesodecode.study.ceilings import Member
from mesodecode.study.targets import Target

LINEAR = json.dumps({"model": "logistic_regression", "pixels": 32, "frame_step": 1})


@pytest.mark.parametrize(
    ("read", "name"),
    [(held_out.read, "of `mesodecode hold-out`"), (linear.load, "of `mesodecode fit-linear`")],
)
def test_a_file_of_another_kind_is_refused_and_one_that_is_gone_is_said_to_be(tmp_path, read, name):
    (tmp_path / "other").write_text("no HDF5")
    with pytest.raises(UserError, match=f"other: not .*{name}"):
        read(tmp_path / "other")
    (tmp_path / "empty").touch()
    (tmp_path / "zip").write_bytes(b"PK\x03\x04")
    np.save(tmp_path / "array.npy", np.ones(3))
    np.savez(tmp_path / "no_mice.npz", pixels=1)
    np.savez(tmp_path / "more.npz", train_mice=["a"], valid_mice=["b"], pixels=1, mine=2)
    for none in ("empty", "zip", "array.npy", "no_mice.npz", "more.npz"):
        with pytest.raises(UserError, match=rf"{none}: not .*{name}"):
            read(tmp_path / none)
    with pytest.raises(FileNotFoundError, match="gone"):
        read(tmp_path / "gone")


@pytest.mark.parametrize(
    "change",
    [
        {"decoder": None},  # is not there
        {"test": "m1"},  # a mouse and no session
        {"test": "m1/b/c"},
        {"frame": None},
        {"target": "states", "target_states": ["a", "b"], "probability_b": [0, 0, 0]},
        {"frame": "group"},
    ],
)
def test_a_file_that_lacks_something_is_none_of_a_held_out_session(tmp_path, change):
    made = {"frame": [0, 1], "label": [0, 1], "state": [0, 1], "probability": [0.5, 0.5]}
    made |= {"probability_a": [0.5, 0.5], "probability_b": [0.5, 0.5]}
    about = {"decoder": "d", "arm": "own", "train": "m1/a", "valid": "", "test": "m1/b"}

    def write(of):
        with h5py.File(tmp_path / "s.h5", "w") as file:
            for key, value in of.items():
                if key not in made:
                    file.attrs[key] = value
                elif value == "group":
                    file.create_group(key)
                else:
                    file[key] = value
        return tmp_path / "s.h5"

    assert held_out.read(write(about | made)).predictions.mouse == "m1"
    states = about | made | {"target": "states", "target_states": ["a", "b"]}
    assert held_out.read(write(states)).target == Target("states", ("a", "b"))
    lacking = {key: value for key, value in (about | made | change).items() if value is not None}
    with pytest.raises(UserError, match=r"^\S+s\.h5: not of `mesodecode hold-out` \(.+\); make"):
        held_out.read(write(lacking))
    with pytest.raises(
        UserError, match=r"/s\.h5: own: needs sessions to train on, and one to test"
    ):
        held_out.read(write(about | made | {"test": ""}))
    with pytest.raises(UserError, match=r"/s\.h5: own\.test-b: session b has two roles"):
        held_out.read(write(about | made | {"train": "m1/b"}))


@pytest.fixture
def paths(tmp_path):
    made = [("m1", i) for i in range(3)] + [("m2", i) for i in range(2)]
    return {
        f"{mouse}_{i}": write_recording(tmp_path / f"{mouse}_{i}.h5", mouse, seed=at + 1)
        for at, (mouse, i) in enumerate(made)
    }


def words(paths, train, test, *more, arm="own", settings=LINEAR, out="out.h5"):
    files = [paths[name] for name in train], [paths[name] for name in test]
    flags = ["--arm", arm, "--train", *files[0], "--test", *files[1], "--settings", settings]
    return ["hold-out", *flags, "--decoder", "lin", "--out", paths["m1_0"].parent / out, *more]


def test_a_session_is_predicted_by_what_was_trained_on_the_others(paths, tmp_path):
    assert run(*words(paths, ["m1_0", "m1_2"], ["m1_1"])) == 0

    def rows(name):
        with h5py.File(paths[name]) as file:
            frames = file["frames"][:].astype(float)
            at = slow_centres(len(frames), 1, None)
            x = (frames - frames.mean(0)) / frames.std()
            return x[at].reshape(len(at), -1), file["labels"][:][at], at

    parts = [rows(name) for name in ("m1_0", "m1_2")]
    scaler = StandardScaler()
    x = scaler.fit_transform(np.concatenate([part[0] for part in parts]))
    model = LogisticRegression(max_iter=1000).fit(x, np.concatenate([part[1] for part in parts]))
    tested, label, at = rows("m1_1")
    found = held_out.read(tmp_path / "out.h5")
    np.testing.assert_array_equal(found.predictions.frame, at)
    np.testing.assert_array_equal(found.predictions.label, label)
    slow = model.predict_proba(scaler.transform(tested))[:, 1]
    np.testing.assert_allclose(found.predictions.probability, slow, atol=2e-3)
    assert found.split.train == (Member("m1", "m1_0"), Member("m1", "m1_2"))
    assert (found.decoder, found.split.id, found.split.valid) == ("lin", "own.test-m1_1", ())


def test_a_session_or_mouse_in_two_roles_is_refused_before_any_work(paths, tmp_path, capsys):
    def fault(*given, **more):
        text = refused(capsys, *words(paths, *given, **more))
        assert not (tmp_path / "out.h5").exists()
        return text

    assert "session 'm1_1' was given twice" in fault(["m1_0", "m1_1"], ["m1_1"])
    assert "sessions of several mice" in fault(["m1_0", "m2_0"], ["m1_1"])
    other = {"arm": "others_equal"}
    assert "a mouse has two roles" in fault(["m1_0", "m2_0"], ["m1_1"], **other)
    assert "one to test" in fault(["m1_0"], ["m1_1", "m1_2"])
    assert "one to test" in fault(["m1_0"], ["m1_1"], arm="frames")
    both = [*words(paths, ["m1_0"], ["m1_1"]), "--valid", paths["m1_2"]]
    assert "a linear decoder of pixels chooses nothing" in refused(capsys, *both)
    for settings, said in (("[", "--settings: not JSON"), ('{"a": 1}', "no such key"), ("3", "no")):
        assert said in fault(["m1_0"], ["m1_1"], settings=settings)
    frozen = '{"start_from": "cnn", "rnn": "gru"}'
    assert "not trained in one step" in fault(["m1_0"], ["m1_1"], settings=frozen)


@pytest.mark.parametrize(
    ("train", "n_frames", "said"),
    [
        ("still", 30, "its training sessions are all of one state"),
        ("m1_0", 2, "its test session is shorter than a window"),
    ],
)
def test_what_has_no_auc_is_said_and_does_not_stop_the_others(
    paths, tmp_path, capsys, train, n_frames, said
):
    still = [0] * 30
    paths["still"] = write_recording(tmp_path / "still.h5", "m1", seed=7, labels=still)
    paths["test"] = write_recording(tmp_path / "test.h5", "m1", seed=8, n_frames=n_frames)
    assert run(*words(paths, [train], ["test"])) == 0
    assert f"own.test-test: has no AUC, as {said}\n" in capsys.readouterr().err
    found = held_out.read(tmp_path / "out.h5")
    assert len(found.predictions.frame) == len(found.predictions.probability) == 0
    assert found.split.train == (Member("m1", train),)


def test_one_movie_under_two_names_is_refused(paths, tmp_path, capsys):
    for name, digest in (("m1_0", "a" * 64), ("m1_1", "b" * 64), ("m1_2", "b" * 64)):
        with h5py.File(paths[name], "a") as file:
            file.attrs["movie_sha256"] = digest
    assert "its movie has the same bytes as that of" in refused(
        capsys, *words(paths, ["m1_2"], ["m1_1"])
    )
    settings = json.dumps({"backbone": TINY, "pretrained": "none", "epochs": 1})
    line = words(paths, ["m1_0"], ["m1_1"], settings=settings)
    with h5py.File(paths["m1_2"], "a") as file:
        file.attrs["movie_sha256"] = "a" * 64  # that of m1_0, which trains
    text = refused(capsys, *line, "--valid", paths["m1_2"])
    assert "one recording under two names; list one session under exclude" in text
    assert run(*words(paths, ["m1_0"], ["m1_1"])) == 0


def test_a_file_that_names_a_session_twice_or_is_another_is_refused(paths, tmp_path):
    path = tmp_path / "out.h5"
    assert run(*words(paths, ["m1_0"], ["m1_1"])) == 0
    with h5py.File(path, "a") as file:
        file.attrs["train"] = "m1/m1_0+m1/m1_1"
    with pytest.raises(UserError, match="session m1_1 has two roles"):
        held_out.read(path)
    with pytest.raises(UserError, match=r"not of `mesodecode hold-out`"):
        held_out.read(paths["m1_0"])


SMALL = {"hidden_size": 4, "num_layers": 1, "half_window": 3, "epochs": 2, "max_lr": 0.01}
KINDS = {
    "roi_rnn": {"input": "rois", "rnn": "gru", "baseline": None} | SMALL,
    "roi_classical": {"input": "rois", "model": "ridge", "half_window": 3, "baseline": None},
}


@pytest.mark.parametrize("kind", KINDS)
def test_roi_decoders_hold_sessions_out(kind, tmp_path, capsys):
    made = simulated()  # two sessions of each of five mice
    paths = {one.session: write_rois(tmp_path, one) for one in made[:6]}
    paths["m1_0"] = paths["m1_s1"]
    train, settings = ["m2_s1", "m3_s1"][: 1 + (kind != "roi_rnn")], json.dumps(KINDS[kind])
    line = words(paths, train, ["m1_s1"], arm="others_equal", settings=settings)
    if kind == "roi_rnn":
        assert "--valid: needed" in refused(capsys, *line)
        line += ["--valid", paths["m3_s1"]]
    assert run(*line) == 0
    found = held_out.read(tmp_path / "out.h5").predictions
    assert found.mouse == "m1"
    assert (
        len(found.frame) == 900 - 6 and ((found.probability >= 0) & (found.probability <= 1)).all()
    )


def test_a_cnn_holds_sessions_out(paths, tmp_path):
    settings = {"backbone": TINY, "pretrained": "none", "epochs": 1, "frame_step": 2}
    line = words(paths, ["m1_0"], ["m1_2"], settings=json.dumps(settings))
    assert run(*line, "--valid", paths["m1_1"]) == 0
    found = held_out.read(tmp_path / "out.h5")
    assert len(found.predictions.frame) == 28 and found.split.valid == (Member("m1", "m1_1"),)
