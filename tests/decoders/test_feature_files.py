"""Features of a frozen CNN, and the decoders that read them, once for each set of training mice."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch

from make_decoders import run, trained_cnn, write_recording
from mesodecode.base.files import UserError
from mesodecode.decoders import choose, feature_files, predictions, validation
from mesodecode.decoders.extraction import extract
from mesodecode.decoders.feature_files import epochs_in, read_features
from mesodecode.decoders.passed import Passed
from mesodecode.decoders.weights import load_epochs, load_trained
from mesodecode.recordings.recording import read_recording

torch.set_num_threads(1)
CNN = ["--backbone", "test_efficientnet", "--pretrained", "none", "--epochs", 3, "--batch-size", 16]
CNN += ["--frame-step", 1, "--max-lr", 0.01]
GRU = ["--rnn", "gru", "--half-window", 1, "--hidden-size", 4, "--epochs", 2, "--frame-step", 1]
GRU += ["--batch-size", 16, "--num-layers", 2, "--dropout", 0.3]
MICE = ("m1", "m2", "m3")


def choosing(epoch: int, mouse: Passed) -> Passed:
    """The same frames, of which a CNN makes the most after an epoch, from 1."""
    sessions = {}
    for name, one in mouse.sessions.items():
        right = np.where(one.label == 1, 1.0, -1.0).astype(np.float32)
        sessions[name] = type(one)(one.frame, one.label.copy(), np.outer([1, 1, 1], right) * 0.1)
        sessions[name].logit[epoch - 1] = right
    return Passed(mouse.mouse, mouse.corrected, sessions)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Features of three mice under the CNN of m1, whose epochs 2 and 3 are chosen by m2 and m3."""
    at = tmp_path_factory.mktemp("features")
    for i, mouse in enumerate(MICE):
        write_recording(at / f"{mouse}.h5", mouse, n_frames=40, seed=i)
    assert run("train-cnn", "--train", at / "m1.h5", *CNN, "--all-epochs", at / "cnn.pt") == 0
    for epoch, mouse in ((2, "m2"), (3, "m3")):
        passed = at / f"passed_{mouse}.h5"
        words = ["--trained", at / "cnn.pt", "--recordings", at / f"{mouse}.h5"]
        assert run("pass-images", *words, "--out", passed) == 0
        choosing(epoch, Passed.read(passed)).write(passed)
    chosen = ["--trained", at / "cnn.pt", "--chosen-by", at / "passed_m2.h5", at / "passed_m3.h5"]
    for mouse in MICE:
        words = [*chosen, "--recordings", at / f"{mouse}.h5"]
        assert run("extract", *words, "--features", at / f"{mouse}_f.h5") == 0
    words = ["--features", at / "m1_f.h5", *GRU, "--all-epochs", at / "gru.pt"]
    assert run("train-rnn", *words) == 0
    for mouse in MICE[1:]:
        words = ["--trained", at / "gru.pt", "--features", at / f"{mouse}_f.h5"]
        assert run("pass-features", *words, "--out", at / f"gru_{mouse}.h5") == 0
    return at


def allocate(at, out, valid, test, epoch):
    """What an allocation keeps of the GRU and predicts with it; and the features that it reads."""
    words = ["--trained", at / "gru.pt", "--valid", at / f"gru_{valid}.h5", "--start-epoch", epoch]
    words += ["--test", at / f"gru_{test}.h5", "--decoder", "gru", "--out", out / "gru.pt"]
    words += ["--history", out / "gru.tsv", "--predictions", out / "p.h5"]
    assert run("choose", *words, "--validation", out / "v.h5") == 0
    features = [at / f"{mouse}_f.h5" for mouse in MICE]
    words = ["--features", *features, "--epoch", epoch, "--seen", "m1", valid]
    assert run("join-features", *words, "--out", out / "f.h5") == 0


def test_allocations_have_what_studies_of_each_alone_would_have(made, tmp_path):
    for valid, test, epoch in (("m2", "m3", 2), ("m3", "m2", 3)):
        (tmp_path / valid).mkdir()
        assert_as_alone(made, tmp_path / valid, valid, test, epoch)


def assert_as_alone(made, tmp_path, valid, test, epoch):
    allocate(made, tmp_path, valid, test, epoch)
    load_epochs(made / "cnn.pt").at(epoch - 1, (valid,)).save(tmp_path / "cnn.pt")
    cnn = ["--weights", tmp_path / "cnn.pt"]
    recordings = ["--recordings", *(made / f"{mouse}.h5" for mouse in MICE)]
    assert run("extract", *cnn, *recordings, "--features", tmp_path / "alone.h5") == 0
    features = ["--features", tmp_path / "alone.h5"]
    roles = ["--train-mice", "m1", "--valid-mice", valid]
    out = ["--out", tmp_path / "alone.pt", "--history", tmp_path / "alone.tsv"]
    assert run("train-rnn", *features, *roles, *GRU, *out) == 0

    alone = {one.session: one for one in read_features(tmp_path / "alone.h5")}
    joined = {one.session: one for one in read_features(tmp_path / "f.h5")}
    assert set(joined) == set(alone) == {"m1", "m2", "m3"}
    for name, one in alone.items():
        assert (joined[name].mouse, joined[name].seen) == (name, name in ("m1", valid))
        assert joined[name].weights == one.weights
        for key in ("features", "logit", "labels"):
            np.testing.assert_array_equal(getattr(joined[name], key), getattr(one, key))

    ours = load_trained(tmp_path / "gru.pt", "cnn_rnn")
    theirs = load_trained(tmp_path / "alone.pt", "cnn_rnn")
    assert (ours.train_mice, ours.valid_mice) == (theirs.train_mice, theirs.valid_mice)
    assert ours.state.keys() == theirs.state.keys()
    for name, value in ours.state.items():
        assert torch.equal(value, theirs.state[name]), name

    predicted = ["--decoder", "gru", "--out", tmp_path / "again.h5", "--test-mice", test]
    weights = ["--weights", tmp_path / "gru.pt", "--features", tmp_path / "f.h5"]
    assert run("predict", *weights, *predicted, "--validation", tmp_path / "again_v.h5") == 0
    again = predictions.read(tmp_path / "again.h5")
    shared = predictions.read(tmp_path / "p.h5")
    assert (shared.allocation, shared.sessions.keys()) == (again.allocation, again.sessions.keys())
    checked = [
        validation.read(tmp_path / name, shared.allocation, valid)[valid]
        for name in ("v.h5", "again_v.h5")
    ]
    for one, other in ((shared.sessions[test], again.sessions[test]), checked):
        np.testing.assert_array_equal(one.frame, other.frame)
        np.testing.assert_allclose(one.probability, other.probability, atol=1e-6)


def test_a_joined_folder_can_be_moved(made, tmp_path):
    before = tmp_path / "before"
    (before / "train").mkdir(parents=True)
    for mouse in MICE:
        (before / "train" / f"{mouse}.h5").write_bytes((made / f"{mouse}_f.h5").read_bytes())
    files = [before / "train" / f"{mouse}.h5" for mouse in MICE]
    words = ["--features", *files, "--epoch", 2, "--seen", "m1", "m2", "--out", before / "f.h5"]
    assert run("join-features", *words) == 0
    before.rename(tmp_path / "after")
    (one,) = read_features(tmp_path / "after" / "f.h5", ["m3"])
    (same,) = read_features(made / "m3_f.h5", epoch=2)
    np.testing.assert_array_equal(one.features, same.features)


def test_the_epochs_of_a_file_are_those_chosen(made, tmp_path, capsys):
    assert epochs_in(made / "m1_f.h5") == [2, 3]
    assert not np.array_equal(*(read_features(made / "m1_f.h5", epoch=n)[0].logit for n in (2, 3)))
    with pytest.raises(UserError, match="no features of epoch 1"):
        read_features(made / "m1_f.h5", epoch=1)
    capsys.readouterr()
    words = ["--trained", made / "gru.pt", "--features", made / "m1_f.h5", "--out", tmp_path / "x"]
    assert run("pass-features", *words) == 1
    assert "has seen mouse m1; a decoder never tests it" in capsys.readouterr().err
    (tmp_path / "no.h5").write_text("no HDF5")
    with pytest.raises(UserError, match="not a file of features"):
        read_features(tmp_path / "no.h5")


def test_epochs_are_numbers_in_their_order_and_a_file_of_one_cnn_has_none(tmp_path, capsys):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        for epoch in (2, 10, 21):
            file.create_group(feature_files.group_of(epoch))
    assert epochs_in(tmp_path / "f.h5") == [2, 10, 21]
    with h5py.File(tmp_path / "one.h5", "w") as file:
        file.create_group("epoch_3").attrs["mouse"] = "m1"  # a session of that name
    assert epochs_in(tmp_path / "one.h5") == []
    line = ["train-rnn", "--rnn", "gru", "--all-epochs", tmp_path / "gru.pt", "--features"]
    assert run(*line, tmp_path / "one.h5") == 1
    assert "one.h5: features of one CNN, not of the epochs that" in capsys.readouterr().err
    write_recording(tmp_path / "r.h5", "m1", n_frames=4)
    assert run(*line, tmp_path / "r.h5") == 1
    assert "r.h5: not a file of features (" in capsys.readouterr().err


def test_a_mouse_of_several_sessions_is_named_once(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        for name, mouse in (("s1", "m2"), ("s2", "m10"), ("s3", "m2"), ("s4", "m10")):
            for epoch in (2, 10):
                file.create_group(f"epoch_{epoch}/{name}").attrs["mouse"] = mouse
        file.create_group("epoch_10/s5").attrs["mouse"] = "m3"
    assert feature_files.mice_in(tmp_path / "f.h5", 2) == ["m2", "m10"]
    assert feature_files.mice_in(tmp_path / "f.h5", 10) == ["m2", "m10", "m3"]


def test_a_validation_mouse_of_one_state_costs_its_own_allocations_only(made, capsys):
    cnn = load_epochs(made / "cnn.pt")
    m2, m3 = (Passed.read(made / f"passed_{mouse}.h5") for mouse in ("m2", "m3"))
    one_state = choosing(1, m2)
    for session in one_state.sessions.values():
        session.label[:] = 0
    assert choose.chosen_epochs(cnn, [[m2], [m3]]) == [2, 3]
    assert choose.chosen_epochs(cnn, [[one_state], [m3]]) == [3]
    assert "no epoch for validation on m2" in capsys.readouterr().err
    # together they choose one: two thirds of the frames are best after the second epoch
    assert choose.chosen_epochs(cnn, [[m2, m2, m3]]) == [2]
    with pytest.raises(UserError, match="state"):
        choose.chosen_epochs(cnn, [[one_state]])


def test_h5py_follows_the_links_of_an_allocation(made, tmp_path):
    """Readers of other labs open the file of an allocation as they did before."""
    allocate(made, tmp_path, "m2", "m3", 2)
    with h5py.File(tmp_path / "f.h5") as file:
        assert file["m3/features"].shape == (40, file["m1/features"].shape[1])
        assert file["m3"].attrs["mouse"] == "m3" and not file["m3"].attrs["seen"]


def test_mice_that_a_cnn_was_trained_or_chosen_on_are_seen(made, tmp_path):
    recordings = [read_recording(made / f"{mouse}.h5") for mouse in MICE]
    extract({None: trained_cnn()}, recordings, tmp_path / "f.h5")  # of m1, by m2
    with h5py.File(tmp_path / "f.h5") as file:
        seen = {session.attrs["mouse"]: bool(session.attrs["seen"]) for session in file.values()}
    assert seen == {"m1": True, "m2": True, "m3": False}


def test_a_fingerprint_is_of_features_labels_and_segments_and_names_the_session():
    values = np.arange(6.0).reshape(3, 2), np.array([0, 1, 1]), np.array([0, 0, 1])
    one = feature_files.SessionFeatures("s1", "m1", *values)
    first = feature_files.fingerprint(one)
    assert first.startswith("m1/s1: ") and first == feature_files.fingerprint(one)
    others = [
        replace(one, features=one.features + 1),
        replace(one, labels=1 - one.labels),
        replace(one, segment=np.array([0, 1, 1])),
        replace(one, segment=None),
    ]
    assert len({first, *map(feature_files.fingerprint, others)}) == 5
