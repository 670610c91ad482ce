"""Image decoders whose labels are those of other sessions: chance, and the check of their maps."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from make import LINEAR, STUDY, add_files, check_commands, plan
from make_decoders import run, write_linear
from mesodecode.base.files import UserError
from mesodecode.base.tables import read_table
from mesodecode.decoders import predictions
from mesodecode.decoders.feature_files import read_features
from mesodecode.explain import check_files, cutout_tables, map_verdicts
from mesodecode.study import study as studies

NULL = {"labels": "permuted_between_sessions"}
SWAP = [f"{mouse}{a}={mouse}{b}" for mouse in "abc" for a, b in ((1, 2), (2, 1))]


pytestmark = pytest.mark.usefixtures("one_thread")


def labels_of(session: str) -> np.ndarray:
    """Labels of a session: run in 5 of 10 frames, or in 10 of 20, so that the two say nothing of
    each other.
    """
    frames = np.arange(120) + ord(session[0])
    return (frames % 10 < 5) if session[1] == "1" else (frames % 20 < 10)


def write(folder: Path, brightness: float, side: int = 32) -> dict[str, Path]:
    """Sessions a1 … c2 of three mice; its left half shows its labels, its right those of the other.

    So a decoder of own labels reads the left half, one of exchanged labels the right. `brightness`
    of run frames is in counts, of noise with SD 40.
    """
    rng, files = np.random.default_rng(0), {}
    for mouse in "abc":
        for own, other in ((f"{mouse}1", f"{mouse}2"), (f"{mouse}2", f"{mouse}1")):
            frames = rng.normal(2000, 40, (120, side, side))
            frames[labels_of(own), :, : side // 2] += brightness
            frames[labels_of(other), :, side // 2 :] += brightness
            files[own] = folder / f"{own}.h5"
            with h5py.File(files[own], "w") as file:
                file["frames"], file["labels"] = frames.astype(np.uint16), labels_of(own) * 1
                file["pixel_mean"], file["stack_sd"] = frames.mean(axis=0), frames.std()
                file.attrs.update(session=own, mouse=mouse, frame_rate=30.0)
    return files


def of(paths: dict, *mice: str) -> list:
    return [paths[f"{mouse}{i}"] for mouse in mice for i in (1, 2)]


def check_predictions(path, at_least: float) -> None:
    """The predictions have the donors' labels and say them, not the sessions' own."""
    for name, found in predictions.read(path).sessions.items():
        own, other = labels_of(name), labels_of(name[0] + "21"[int(name[1]) - 1])
        np.testing.assert_array_equal(found.label, other[found.frame])
        assert roc_auc_score(other[found.frame], found.probability) > at_least
        assert abs(roc_auc_score(own[found.frame], found.probability) - 0.5) < 0.2


def test_a_linear_decoder_learns_the_labels_of_the_donors_and_its_map_is_checked_by_them(tmp_path):
    paths = write(tmp_path, 8)
    roles = ["--train", *of(paths, "a"), "--valid-mice", "b", "--test", *of(paths, "c")]
    masks = ["--masks", "squares", "--size", 16, "--stride", 8, "--threads", 1]
    exchanged = {"own": [], "null": ["--labels-of", *SWAP[:2], *SWAP[4:]]}
    for name, donors in exchanged.items():
        out = ["--out", tmp_path / f"{name}.npz", "--predictions", tmp_path / f"{name}.h5"]
        assert run("fit-linear", *roles, *out, "--pixels", 8, *donors) == 0
        decoder = ["--weights", tmp_path / f"{name}.npz", "--recordings", *of(paths, "c"), *masks]
        decoder += ["--labels-of", *SWAP[4:]] if donors else []
        table = tmp_path / f"{name}.tsv"
        assert run("cutout", *decoder, "--decoder", name, "--out", table) == 0
        check = [
            "--frames",
            40,
            "--run-length",
            1,
            "--maps",
            table,
            "--out",
            tmp_path / f"{name}.check.h5",
        ]
        assert run("cutout-check", *decoder, *check) == 0
        checked = check_files.read(check[-1])
        assert checked.auc_intact > 0.95 and 20 < checked.n_windows <= 40
        rows = cutout_tables.read_rows([table]).set_index(["session", "mask"])
        assert (rows["auc_intact"] > 0.95).all()
        left, right = (rows.xs(f"square r2 c{column}", level="mask")["score"] for column in (1, 3))
        assert ((right > left) == bool(donors)).all()
    check_predictions(tmp_path / "null.h5", 0.95)

    judge = ["--maps", tmp_path / "own.tsv", "--checks", tmp_path / "own.check.h5"]
    judge += ["--null-maps", tmp_path / "null.tsv", "--out", tmp_path / "checks.tsv"]
    assert run("map-checks", *judge, "--figure", tmp_path / "checks") == 0
    checks = read_table(tmp_path / "checks.tsv", map_verdicts.COLUMNS, map_verdicts.NUMBERS)
    found = checks.set_index("check").loc["permuted labels"]
    maps = [
        cutout_tables.read_rows([tmp_path / f"{name}.tsv"]).groupby("mask")["score"].mean()
        for name in exchanged
    ]
    assert found["value"] == pytest.approx(spearmanr(*maps).statistic, abs=1e-6)
    assert found["value"] < 0 and found["verdict"] == "pass"
    assert found["sentence"].startswith("Trained on permuted labels the decoder has another map")


TINY = ["--backbone", "test_resnet", "--pretrained", "none", "--epochs", 4, "--batch-size", 16]


@pytest.mark.slow
def test_networks_learn_the_labels_of_the_donors(tmp_path):
    """train-cnn → finetune, and train-cnn → extract → train-rnn → predict."""
    paths = write(tmp_path, 60, side=16)
    roles = ["--train", *of(paths, "a"), "--valid", *of(paths, "b"), "--threads", 1]
    both = ["--labels-of", *SWAP[:4]]

    def out(name: str) -> list:
        return ["--out", tmp_path / f"{name}.pt", "--history", tmp_path / f"{name}.tsv"]

    assert run("train-cnn", *roles, *both, *TINY, "--max-lr", 0.003, *out("cnn")) == 0
    test = ["--recordings", *of(paths, "c"), "--labels-of", *SWAP[4:], "--decoder", "null"]
    predict = ["predict", "--threads", 1, "--out", tmp_path / "p.h5"]
    assert run(*predict, "--weights", tmp_path / "cnn.pt", *test) == 0
    check_predictions(tmp_path / "p.h5", 0.9)

    gru = ["--rnn", "gru", "--half-window", 1, "--hidden-size", 8, "--max-lr", 0.003]
    start = ["--start", tmp_path / "cnn.pt", *roles, *both, *gru]
    assert run("finetune", *start, "--epochs", 1, *out("tuned")) == 0
    assert run(*predict, "--weights", tmp_path / "tuned.pt", *test) == 0
    check_predictions(tmp_path / "p.h5", 0.9)

    features = ["--features", tmp_path / "f.h5"]
    everything = ["--recordings", *of(paths, *"abc"), "--labels-of", *SWAP, "--threads", 1]
    cnn = ["--weights", tmp_path / "cnn.pt", *features]
    assert run("extract", *cnn, *everything) == 0
    assert run(*predict, *cnn, "--test-mice", "c", "--decoder", "null") == 0
    check_predictions(tmp_path / "p.h5", 0.9)
    for session in read_features(tmp_path / "f.h5"):
        other = session.session[0] + "21"[int(session.session[1]) - 1]
        np.testing.assert_array_equal(session.labels, labels_of(other))
    frozen = [*features, "--train-mice", "a", "--valid-mice", "b", *gru, "--threads", 1]
    assert run("train-rnn", *frozen, "--epochs", 4, *out("frozen")) == 0
    given = ["--weights", tmp_path / "frozen.pt", *features, "--test-mice", "c", "--decoder", "x"]
    assert run(*predict, *given) == 0
    check_predictions(tmp_path / "p.h5", 0.9)


def test_donors_must_be_there_and_of_the_same_mouse(tmp_path, capsys):
    paths = write(tmp_path, 8)
    weights = write_linear(tmp_path / "l.npz")
    cut = ["cutout", "--weights", weights, "--decoder", "x", "--masks", "edges"]
    cut += ["--out", tmp_path / "x.tsv", "--recordings", paths["c1"], paths["a1"]]
    for word in ("c1=c2", "c1=a1", "c2=c1", "c1"):
        assert run(*cut, "--labels-of", word) == 1
        line = capsys.readouterr().err.splitlines()[-1]
        assert f"--labels-of {word}: needs SESSION=OTHER, two sessions of one mouse" in line
    given = ["--features", tmp_path / "f.h5", "--labels-of", "c1=c2"]
    assert (
        run("predict", "--weights", weights, "--decoder", "x", "--out", tmp_path / "p.h5", *given)
        == 1
    )
    assert "features have the labels that they were extracted with" in capsys.readouterr().err


# Config and jobs ---------------------------------------------------------------------------------

IMAGES = STUDY | {
    "mice": {mouse: [f"{mouse}{i}" for i in (1, 2)] for mouse in "abcde"},
    "decoders": {
        "linear": LINEAR,
        "linear_null": {"like": "linear", **NULL},
        "cnn": {"pretrained": "none"},
        "cnn_null": {"like": "cnn", "seed": 7, **NULL},
        "gru": {"start_from": "cnn", "rnn": "gru"},
        "gru_null": {"like": "gru", "start_from": "cnn_null", **NULL},
        "frozen": {"like": "gru", "cnn_weights": "frozen"},
        "frozen_null": {"like": "gru_null", "cnn_weights": "frozen", "seed": 9},
    },
}


def with_decoder(name: str, **settings) -> dict:
    return IMAGES | {"decoders": IMAGES["decoders"] | {name: settings}}


def test_every_image_decoder_has_its_null():
    study = studies.resolve(IMAGES)
    expected = {name: [f"{name}_null"] for name in ("linear", "cnn", "gru", "frozen")}
    assert study.nulls == expected
    assert study.label_donors("linear") == study.label_donors("frozen") == {}
    assert study.label_donors("linear_null")["a1"] == "a2"
    # drawn by the CNN's seed, 7, whatever that of the network on its features
    five = {mouse: [f"{mouse}{i}" for i in range(5)] for mouse in "abcde"}
    study = studies.resolve(IMAGES | {"mice": five})
    donors = study.label_donors("cnn_null")
    assert study.label_donors("gru_null") == study.label_donors("frozen_null") == donors
    assert study.label_donors("linear_null") != donors


def test_each_mouse_has_a_permutation_of_its_own():
    """As drawn by its name: whatever other mice there are, and however many sessions they have."""
    six = {mouse: [f"{mouse}{i}" for i in range(6)] for mouse in "abcde"}

    def orders(mice):
        study = studies.resolve(IMAGES | {"mice": mice})
        donors = study.label_donors("linear_null")
        return {m: [int(donors[s][1:]) for s in names] for m, names in study.mice.items()}

    found = orders(six)
    assert len({tuple(order) for order in found.values()}) == 5
    assert all(sorted(order) == list(range(6)) for order in found.values())
    assert all(i != drawn for order in found.values() for i, drawn in enumerate(order))
    more = orders(six | {"a": [*six["a"], "a6"], "f": ["f0", "f1"]})
    assert {m: more[m] for m in "bcde"} == {m: found[m] for m in "bcde"}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            with_decoder("x", start_from="cnn", rnn="gru", **NULL),
            "decoders.x.labels: permuted_between_sessions, but cnn, which it starts from, has "
            "labels: own; start it from a CNN of the same labels, such as {like: cnn, labels: ",
        ),
        (
            with_decoder("x", start_from="cnn_null", rnn="gru", cnn_weights="frozen"),
            "decoders.x.labels: own, but cnn_null, which it starts from, has labels: permuted_",
        ),
        (
            IMAGES | {"mice": IMAGES["mice"] | {"e": ["e1"]}},
            "decoders.linear_null.labels: mouse e has one session",
        ),
        (with_decoder("x", labels="none"), "decoders.x.labels: 'none' is not one of own, permuted"),
        (
            with_decoder("x", average_of=["cnn", "cnn_null"]),
            "decoders.x.average_of: 'cnn_null' has permuted labels",
        ),
        (
            IMAGES
            | {
                "importance": {
                    "cut": {"decoder": "gru", "masks": "squares", "null_decoder": "frozen_null"}
                }
            },
            "importance.cut.null_decoder: 'frozen_null' differs from gru by cnn_weights, labels",
        ),
    ],
)
def test_bad_config_gets_one_line_that_names_the_key(config, message):
    with pytest.raises(UserError, match=f"^{re.escape(f'config: {message}')}"):
        studies.resolve(config)


def test_donors_reach_every_verb_that_reads_labels(tmp_path):
    lines = {
        name: {"decoder": name, "null_decoder": f"{name}_null", "masks": "edges", "blocks": 1}
        for name in ("linear", "gru", "frozen")
    }
    config = IMAGES | {"importance": lines}
    add_files(tmp_path, config)
    jobs, commands = plan(tmp_path, config=config)
    check_commands(commands, jobs)
    training = "train-c+d+e"
    name = f"{training}.valid-b.test-a"

    def donors(verb: str, what: str, of: str = name) -> str:
        """The mice whose sessions are given to a verb exchanged, for one allocation or training."""
        start = f"mesodecode {verb} "
        (line,) = [x for x in commands if x.startswith(start) and f"{what}{of}" in x]
        words = line.partition("--labels-of ")[2].partition(" --")[0].split()
        assert words == [f"{m}{a}={m}{3 - a}" for m in [w[0] for w in words[::2]] for a in (1, 2)]
        return "".join(word[0] for word in words[::2])

    assert donors("fit-linear", "trained/linear_null/", f"{training}.npz") == "cde"
    assert donors("train-cnn", "trained/cnn_null/", f"{training}.pt") == "cde"
    for mouse in "ab":
        of = f"{training}/{mouse}.h5"
        assert donors("pass-pixels", "passed/linear_null/", of) == mouse
        assert donors("pass-images", "passed/gru_null/", of) == mouse
    assert donors("pass-images", "passed/cnn_null/", f"{training}/b.h5") == "b"
    for mouse in "abcde":
        assert donors("extract", "features/cnn_null/", f"{training}/{mouse}.h5") == mouse
    assert donors("finetune", "trained/gru_null/", f"{training}.pt") == "cde"
    assert donors("cutout", "gru/gru_null/") == "a"
    assert donors("cutout", "frozen/frozen_null/") == donors("cutout", "linear/linear_null/") == "a"
    assert not any("--labels-of" in x for x in commands if x.startswith("mesodecode train-rnn"))
    plain = [x for x in commands if "_null" not in x]
    assert not any("--labels-of" in line for line in plain)
    (validate,) = [x for x in commands if f"validation/frozen_null/{name}" in x]
    assert "choose" in validate and "--labels-of" not in validate
    judged = [x for x in commands if x.startswith("mesodecode map-checks")]
    for decoder in lines:
        (line,) = [x for x in judged if f"--name {decoder} " in x]
        assert f"--null-maps results/lab/importance/{decoder}/null.txt " in line
