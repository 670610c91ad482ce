"""Cut-out as a stage: decoders from files, blocks, tables and figures, config, jobs."""

from __future__ import annotations

import itertools
import re

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score

from drawn import as_drawn
from make import LINEAR, STUDY, add_files, check_commands, plan, snakemake
from make_decoders import BY_HAND, PATCH, SIDE, run, write_linear
from mesodecode.base.files import UserError
from mesodecode.decoders import applied
from mesodecode.decoders.extraction import extract
from mesodecode.decoders.feature_files import read_features
from mesodecode.decoders.fitted import linear
from mesodecode.decoders.inputs import Images
from mesodecode.decoders.linear_networks import Pixels
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder
from mesodecode.decoders.predict import predict_cnn, predict_finetuned, predict_rnn
from mesodecode.decoders.weights import Trained
from mesodecode.explain import (
    cutout_figure,
    cutout_masks,
    cutout_tables,
    cutout_times_figure,
)
from mesodecode.explain.cutout_masks import CutoutMasks
from mesodecode.recordings.recording import read_recording
from mesodecode.study import importance, schema, study
from tabled import as_tabled
from texts import as_written

pytestmark = pytest.mark.usefixtures("one_thread")


def write_recording(path, *, mouse="d", labels=None, n_frames=60, shape=(SIDE, SIDE), **attrs):
    rng = np.random.default_rng(sum(map(ord, path.stem)))
    labels = rng.integers(0, 2, n_frames) if labels is None else np.asarray(labels)
    frames = rng.normal(2000, 60, (n_frames, *shape))
    frames[labels == 1, *PATCH] += 25
    frames = frames.astype(np.uint16)
    with h5py.File(path, "w") as file:
        file["frames"], file["labels"] = frames, labels.astype(np.uint8)
        file["pixel_mean"] = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
        file["stack_sd"] = np.float32(frames.std(dtype=np.float64))
        file.attrs.update(session=path.stem, mouse=mouse, frame_rate=30.0, **attrs)
    return path


def cut(folder, recordings, *more, weights=None, out="scores.tsv"):
    """Run the verb on recordings; return its table."""
    weights = weights or write_linear(folder / "linear.npz")
    words = ["--weights", weights, "--recordings", *recordings, "--decoder", "hand"]
    assert run("cutout", *words, "--out", folder / out, "--threads", 1, *more) == 0
    return cutout_tables.read_rows([folder / out])


def refused(capsys, folder, recordings, *more, weights=None):
    weights = weights or write_linear(folder / "linear.npz")
    words = ["--weights", weights, "--recordings", *recordings, "--decoder", "hand"]
    assert run("cutout", *words, "--out", folder / "none.tsv", *more) == 1
    assert not (folder / "none.tsv").exists()
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "error" in x]
    return line.removeprefix("mesodecode cutout: error: ")


# The verb on a decoder whose answer is known -----------------------------------------------------


def test_only_masks_that_hide_some_of_what_is_read_have_a_score(tmp_path):
    sessions = [write_recording(tmp_path / f"{name}.h5") for name in ("d1", "d2")]
    rows = cut(tmp_path, sessions, "--masks", "squares")
    assert len(rows) == 2 * 49
    assert set(rows["decoder"]) == {"hand"} and set(rows["test_mouse"]) == {"d"}
    assert set(rows["allocation"]) == {"train-a+b.valid-c.test-d"}
    grid = cutout_masks.squares(SIDE, SIDE)
    touched = grid.areas[:, *PATCH].any((1, 2))
    whole = grid.areas[:, *PATCH].all((1, 2))
    assert 0 < whole.sum() < touched.sum() < 10
    for path in sessions:
        recording = read_recording(path)
        frames, labels = recording.read_frames()[1:-1].astype(float), recording.labels[1:-1]
        patch = frames - recording.read_frames().mean(0, dtype=float)
        intact = roc_auc_score(labels, (patch[:, *PATCH] * BY_HAND).sum((1, 2)))
        mine = rows[rows["session"] == path.stem].set_index("mask").loc[list(grid.names)]
        np.testing.assert_allclose(mine["auc_intact"], intact, atol=1e-6)
        assert intact > 0.8
        assert (mine["score"][~touched] == 0).all() and (mine["score"][touched] != 0).all()
        np.testing.assert_allclose(mine["score"][whole], intact - 0.5, atol=1e-6)
        counts = mine[["n_frames", "n_run", "n_decodable"]].to_numpy()
        assert (counts == [58, labels.sum(), 58]).all()


def test_blocks_together_are_the_whole(tmp_path):
    session = write_recording(tmp_path / "d1.h5")
    whole = cut(tmp_path, [session], "--masks", "squares")
    names = [f"block{block}.tsv" for block in (1, 2, 3)]
    parts = [
        cut(tmp_path, [session], "--masks", "squares", "--block", f"{block}/3", out=name)
        for block, name in enumerate(names, 1)
    ]
    assert [len(part) for part in parts] == [16, 16, 17]
    together = cutout_tables.read_rows([tmp_path / name for name in names])
    pd.testing.assert_frame_equal(together, whole)


def test_every_nth_run_of_frames_and_how_many_they_were(tmp_path):
    labels = np.arange(60) % 7 < 3
    session = write_recording(tmp_path / "d1.h5", labels=labels)
    chosen = ["--frame-step", 3, "--run-length", 10]
    (row,) = cut(tmp_path, [session], "--masks", "edges", *chosen).head(1).itertuples()
    used = np.r_[1:11, 31:41]  # decodable are 1 … 58; runs 0 and 3 of six
    assert (row.n_frames, row.n_run, row.n_decodable) == (20, labels[used].sum(), 58)


def test_a_session_of_one_state_has_no_score_and_stops_no_other(tmp_path, capsys):
    both = write_recording(tmp_path / "d1.h5")
    rest = write_recording(
        tmp_path / "d2.h5", labels=np.arange(60) >= 59
    )  # the last frame has no image
    run_alone = write_recording(tmp_path / "d3.h5", labels=np.ones(60))
    rows = cut(tmp_path, [both, rest, run_alone], "--masks", "corners").set_index("session")
    assert rows.groupby("session")["score"].count().to_dict() == {"d1": 3, "d2": 0, "d3": 0}
    for session, n_run in (("d2", 0), ("d3", 58)):
        counts = rows.loc[session, ["n_frames", "n_run"]].to_numpy().tolist()
        assert counts == [[58, n_run]] * 3
    step = ["--masks", "corners", "--frame-step", 4, "--run-length", 1]
    rows = cut(tmp_path, [both, run_alone], *step).set_index("session")
    counts = rows.loc["d3", ["n_frames", "n_run", "n_decodable"]].to_numpy().tolist()
    assert counts == [[15, 15, 58]] * 3  # every fourth of 58
    line = refused(capsys, tmp_path, [rest], "--masks", "corners")
    assert "in no test session do the frames used have both states; lower frame_step" in line


def test_areas_of_a_file_for_each_mouse(tmp_path):
    for mouse, column in (("d", 16), ("e", 0)):  # that of d hides the patch, that of e does not
        areas = np.zeros((2 * SIDE, 2 * SIDE), np.uint8)  # drawn on the movie as recorded
        areas[16:28, 2 * column : 2 * column + 8] = 7
        np.save(tmp_path / f"{mouse}.npy", areas)
    size = {"recorded_size": (2 * SIDE, 2 * SIDE)}
    sessions = [write_recording(tmp_path / f"{m}1.h5", mouse=m, **size) for m in "de"]
    rows = cut(tmp_path, sessions, "--masks", tmp_path / "{mouse}.npy")
    scores = rows.set_index(["session", "mask"])["score"]
    assert scores["d1", "area 7"] > 0.3 and scores["d1", "all but area 7"] < 0.1
    assert scores["e1", "area 7"] == 0 and scores["e1", "all but area 7"] > 0.3


def test_a_linear_decoder_names_the_size_that_it_does_not_fit(tmp_path):
    path = write_linear(tmp_path / "l.npz", weights=np.ones(9), pixels=9)
    network = applied.load(path).decoder.network
    words = r"^a linear decoder of 9 pixels does not fit images of 4 x 3 px$"
    with pytest.raises(UserError, match=words):
        network.check_size(4, 3)
    network.check_size(1, 9)


def test_what_does_not_fit_is_refused_in_one_line(tmp_path, capsys):
    sessions = [write_recording(tmp_path / f"{m}1.h5", mouse=m) for m in "de"]
    (one, other), squares = sessions, ["--masks", "squares"]
    seen = write_linear(tmp_path / "seen.npz", valid=("d",))
    assert "a decoder never tests a mouse it saw" in refused(
        capsys, tmp_path, [one], *squares, weights=seen
    )
    line = refused(capsys, tmp_path, [one], "--masks", "triangles")
    assert line.startswith("--masks: 'triangles' is none of squares, circles, pairs, edges, corn")
    line = refused(capsys, tmp_path, [one], "--masks", "edges", "--stride", 3)
    assert line == "--stride: edges have no stride; leave it out"
    assert "covers the whole image" in refused(
        capsys, tmp_path, [one], "--masks", "edges", "--size", 16
    )
    assert "give 1/3 to 3/3" in refused(capsys, tmp_path, [one], *squares, "--block", "4/3")
    line = refused(capsys, tmp_path, [one], "--masks", "edges", "--block", "1/4")
    assert line == "3 masks in 4 blocks: set blocks to 3 at most"
    np.save(tmp_path / "small.npy", np.eye(16, dtype=np.uint8))
    line = refused(capsys, tmp_path, [one], "--masks", tmp_path / "small.npy")
    assert "small.npy: a label image of 16 x 16 px, but the movie has 32 x 32" in line
    for mouse, number in (("d", 1), ("e", 2)):
        np.save(tmp_path / f"{mouse}.npy", number * np.eye(SIDE, dtype=np.uint8))
    line = refused(capsys, tmp_path, [one, other], "--masks", tmp_path / "{mouse}.npy")
    assert line.endswith("other areas for session e1 than for d1; draw the same ones for all")
    line = refused(capsys, tmp_path, [one], *squares, "--cnn", one)
    assert line.endswith("is no decoder of train-rnn, and reads no CNN")
    (tmp_path / "no.npz").write_text("no weights")
    line = refused(capsys, tmp_path, [one], *squares, weights=tmp_path / "no.npz")
    assert "no.npz: not weights of `mesodecode fit-linear`" in line
    assert "unsafely" not in line  # NumPy's advice
    sizes = {"rnn": "gru", "hidden_size": 2, "num_layers": 1, "bidirectional": False}
    rnn = RNNDecoder(3, cell="gru", hidden_size=2, bidirectional=False).state_dict()
    settings = schema.defaults("roi_rnn") | sizes | {"dropped": []}
    Trained("roi_rnn", settings, ("a",), ("b",), rnn).save(tmp_path / "roi.pt")
    line = refused(capsys, tmp_path, [one], *squares, weights=tmp_path / "roi.pt")
    assert line.endswith("roi.pt: a 'roi_rnn' decoder reads no images, to cut areas from")
    few = write_linear(tmp_path / "few.npz", weights=np.ones((8, 9)), pixels=9)
    line = refused(capsys, tmp_path, [one], *squares, weights=few)
    assert line == "a linear decoder of 72 pixels does not fit images of 32 x 32 px"
    many = write_linear(tmp_path / "many.npz", weights=np.ones((33, 32)), pixels=64)
    line = refused(capsys, tmp_path, [one], *squares, weights=many)
    assert line == "a linear decoder of 1056 pixels does not fit images of 32 x 32 px"


# Decoders from their files -----------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "pixels"), [((24, 30), 8), ((8, 10), 9), ((8, 10), 64)])
def test_the_linear_baseline_as_a_network_averages_pixels_as_its_fit_does(tmp_path, shape, pixels):
    recording = read_recording(write_recording(tmp_path / "d1.h5", shape=shape, n_frames=9))
    _, rows = linear.pixel_features(recording, pixels)
    rng = np.random.default_rng(1)
    coef, mean, scale = rng.normal(size=(3, rows.shape[1]))
    fitted = linear.LinearWeights(coef, np.array([0.3]), mean, scale, pixels, ("a",), ("b",))
    images = Images([recording])
    with torch.no_grad():
        found = Pixels(fitted)(images.batch(images.centres)).numpy()
    expected = (rows - mean) / scale @ coef + 0.3
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["cnn", "pair", "finetuned", "linear"])
def test_the_intact_auc_is_that_of_the_stage_that_predicts(tmp_path, kind):
    session = write_recording(tmp_path / "d1.h5")
    recording = read_recording(session)
    torch.manual_seed(3)
    cnn = CNNDecoder("test_efficientnet").train()
    with torch.no_grad():
        for _ in range(10):  # gives BatchNorm statistics, without which all logits are alike
            cnn(torch.randn(8, 3, SIDE, SIDE))
    rnn = RNNDecoder(cnn.n_features, cell="gru", hidden_size=8)
    settings = {"backbone": "test_efficientnet", "half_window": 2, "rnn": "gru", "hidden_size": 8}
    settings |= {"num_layers": 1, "bidirectional": False, "dropout": 0.0}

    def save(name, model, valid="c"):
        of_kind = {"backbone": settings["backbone"]} if name == "cnn" else settings
        trained = Trained(name, of_kind, ("a", "b"), (valid,), model.state_dict())
        trained.save(tmp_path / f"{name}.pt")
        return trained

    more = []
    if kind == "cnn":
        weights, found = tmp_path / "cnn.pt", predict_cnn(save("cnn", cnn), [recording])
    elif kind == "pair":
        weights, more = tmp_path / "cnn_rnn.pt", ["--cnn", tmp_path / "cnn.pt"]
        extract({None: save("cnn", cnn)}, [recording], tmp_path / "features.h5")
        found = predict_rnn(save("cnn_rnn", rnn), read_features(tmp_path / "features.h5"))
    elif kind == "finetuned":
        weights = tmp_path / "finetuned.pt"
        found = predict_finetuned(save("finetuned", CNNRNNDecoder(cnn, rnn)), [recording])
    else:
        weights = tmp_path / "fitted.npz"
        train = [write_recording(tmp_path / f"{m}1.h5", mouse=m) for m in "ab"]
        out = ["--out", weights, "--predictions", tmp_path / "p.h5", "--pixels", 16]
        words = ["--train", *train, "--valid-mice", "c", "--test", session, *out]
        assert run("fit-linear", *words) == 0
        with h5py.File(tmp_path / "p.h5") as file:
            label, probability = file["d1/label"][:], file["d1/probability"][:]
    if kind != "linear":
        label, probability = found["d1"].label, found["d1"].probability
    rows = cut(tmp_path, [session], "--masks", "corners", *more, weights=weights)
    np.testing.assert_allclose(rows["auc_intact"], roc_auc_score(label, probability), atol=2e-3)
    assert rows["n_frames"].eq(len(label)).all()
    assert rows["allocation"].eq("train-a+b.valid-c.test-d").all()


def test_a_frozen_cnn_must_be_that_of_the_same_mice(tmp_path, capsys):
    session = write_recording(tmp_path / "d1.h5")
    cnn = CNNDecoder("test_efficientnet")
    rnn = RNNDecoder(cnn.n_features, cell="gru", hidden_size=2)
    settings = {"backbone": "test_efficientnet", "half_window": 0, "rnn": "gru", "hidden_size": 2}
    settings |= {"num_layers": 1, "bidirectional": False, "dropout": 0.0}
    Trained("cnn_rnn", settings, ("a",), ("c",), rnn.state_dict()).save(tmp_path / "rnn.pt")
    Trained("cnn", settings, ("b",), ("c",), cnn.state_dict()).save(tmp_path / "cnn.pt")
    more = ["--masks", "edges"]
    line = refused(capsys, tmp_path, [session], *more, weights=tmp_path / "rnn.pt")
    assert "--cnn: a decoder of train-rnn needs the CNN that it reads" in line
    more += ["--cnn", tmp_path / "cnn.pt"]
    line = refused(capsys, tmp_path, [session], *more, weights=tmp_path / "rnn.pt")
    assert "cnn.pt: trained or validated on other mice than" in line
    for train, valid in ((("a", "b"), ("c",)), (("a",), ("b",))):  # that have one mouse in common
        Trained("cnn", settings, train, valid, cnn.state_dict()).save(tmp_path / "cnn.pt")
        line = refused(capsys, tmp_path, [session], *more, weights=tmp_path / "rnn.pt")
        assert "cnn.pt: trained or validated on other mice than" in line


# Tables ------------------------------------------------------------------------------------------

MASKS = CutoutMasks(
    ("left", "right", "middle"), np.array([[[1, 1, 0, 0]], [[0, 0, 1, 1]], [[0, 1, 1, 0]]], bool)
)


def rows_of(scores: dict) -> pd.DataFrame:
    """Rows of (allocation, session) -> scores of MASKS; a session of one state has None."""
    made = []
    for (allocation, session), values in scores.items():
        for mask, score in zip(MASKS.names, values or [np.nan] * 3, strict=True):
            about = {"decoder": "cnn", "allocation": allocation, "train_mice": "a+b"}
            about |= {"valid_mouse": "c", "test_mouse": session[0], "session": session}
            aucs = {"auc_intact": 0.9 + 0 * score, "auc_masked": 0.9 - score, "score": score}
            counts = {"n_frames": 50, "n_run": 20, "n_decodable": 100}
            made.append(about | {"mask": mask} | aucs | counts)
    return pd.DataFrame(made, columns=list(cutout_tables.COLUMNS))


SCORES = {
    ("one", "d1"): (0.1, 0.0, 0.3),
    ("one", "d2"): (0.3, 0.1, 0.3),
    ("two", "d1"): (0.2, 0.0, 0.0),
    ("two", "d2"): (0.4, -0.2, 0.0),
    ("three", "e1"): (0.5, 0.0, -0.3),
    ("three", "e2"): None,
}


def test_scores_are_averaged_over_sessions_and_then_over_allocations():
    rows = rows_of(SCORES)
    scores = cutout_tables.allocation_scores(rows)
    assert scores.columns.tolist() == ["one", "two", "three"]
    np.testing.assert_allclose(
        scores.to_numpy(), [[0.2, 0.3, 0.5], [0.05, -0.1, 0], [0.3, 0, -0.3]], atol=1e-12
    )
    table = cutout_tables.mask_table(rows, MASKS, mirrored=True)
    table = as_tabled(table, "cutout_by_mask").set_index("mask")
    left = table.loc["left"]
    assert left["mirror"] == "right" and table["mirror"]["middle"] == ""
    assert (left["n"], left["x"], left["y"], left["area"]) == (3, 0.5, 0, 2)
    np.testing.assert_allclose(
        left[["mean", "sd", "lowest", "highest", "auc_intact", "auc_masked"]].tolist(),
        [1 / 3, np.sqrt((0.4**2 + 0.1**2 + 0.5**2) / 9 / 2), 0.2, 0.5, 0.9, 0.9 - 1 / 3],
    )
    # means of left, right and middle, in this order: 1/3, -.05/3 and 0
    np.testing.assert_allclose(table["mean"], [1 / 3, -0.05 / 3, 0], atol=1e-12)
    np.testing.assert_allclose(table["auc_masked"], 0.9 - table["mean"])
    # d1 and d2 are tested in two allocations, and e2 has no score
    counts = ["n_sessions", "n_frames", "n_run", "n_decodable"]
    assert left[counts].tolist() == [3, 150, 60, 300]
    assert cutout_tables.mask_table(rows, MASKS)["mirror"].eq("").all()
    more = cutout_tables.mask_table(rows_of(SCORES | {("four", "f1"): None}), MASKS)
    assert more["n"].tolist() == [3] * 3 and more["n_sessions"].tolist() == [3] * 3
    three = rows_of({("one", f"d{i}"): (x, 0.2, 0.3) for i, x in enumerate((0.1, 0.2, 0.6))})
    left = cutout_tables.mask_table(three, MASKS).set_index("mask").loc["left"]
    assert left[["mean", "auc_masked"]].tolist() == pytest.approx([0.3, 0.9 - 0.3])
    alone = rows_of({("one", "d1"): (1, 2, 3)})
    assert cutout_tables.mask_table(alone, MASKS)["sd"].isna().all()


def test_the_score_of_a_pixel_is_the_mean_of_the_masks_that_hide_it():
    areas = np.array([[[1, 1, 0, 0]], [[0, 1, 1, 0]], [[0, 0, 1, 1]]], bool)
    masks = CutoutMasks(("a", "b", "all but a"), areas)
    np.testing.assert_array_equal(cutout_tables.pixel_map(masks, [2, 4, 9]), [[2, 3, 4, np.nan]])


def test_tables_that_do_not_belong_together_are_refused(tmp_path):
    rows = rows_of(SCORES)
    more = CutoutMasks((*MASKS.names, "top"), np.eye(4, dtype=bool)[:, None])
    for masks in (MASKS[:2], more):
        with pytest.raises(UserError, match="scores are of other masks"):
            cutout_tables.mask_table(rows, masks)

    def refusal(match, *parts):
        paths = []
        for part in parts:
            paths.append(tmp_path / f"{len(paths)}.tsv")
            part.to_csv(paths[-1], sep="\t", index=False)
        with pytest.raises(UserError, match=match):
            cutout_tables.read_rows(paths)

    for name, part in {"a": rows[9:], "b": rows[:9]}.items():
        part.to_csv(tmp_path / f"{name}.tsv", sep="\t", index=False)
    both = cutout_tables.read_rows([tmp_path / "a.tsv", tmp_path / "b.tsv"])
    assert both["session"].tolist() == [*rows["session"][9:], *rows["session"][:9]]
    assert both.index.tolist() == [*range(len(rows))]
    refusal("one, session d1: mask 'left' is there twice", rows, rows[:1])
    refusal("three, session e2: no score of mask 'right'; give all blocks", rows.drop(index=[16]))
    refusal("three, session e2: no score of mask 'middle'", rows.drop(index=[16, 17]))
    refusal("cut-outs of cnn, gru: summarise those of one", rows, rows.assign(decoder="gru"))
    refusal("no column session", rows.drop(columns="session"))
    timed = rows.assign(**{"-1": ["x", *["0.5"] * (len(rows) - 1)]})
    refusal("line 2: -1 is 'x'; it must be a number", timed)
    with pytest.raises(UserError, match="scores are of other masks"):
        cutout_tables.mask_table(rows, MASKS[:2])


def test_mirror_images_of_the_grid():
    for side in (128, 64, 50, 31):
        grid = cutout_masks.squares(side, side)
        mirrors = dict(zip(grid.names, grid.mirrors(), strict=True))
        for row, column in itertools.product(range(1, 8), repeat=2):
            other = "" if column == 4 else f"square r{row} c{8 - column}"
            assert mirrors[f"square r{row} c{column}"] == other
    assert set(cutout_masks.edges(16, 16).mirrors()) == {""}
    # columns start at 0, 4, 8, 9: 4 … 7 has its mirror image at 5 … 8, 8 … 11 at 1 … 4
    lopsided = cutout_masks.squares(4, 13, size=4, stride=4)
    assert lopsided.mirrors() == ("square r1 c4", "", "", "square r1 c1")


# Figures -----------------------------------------------------------------------------------------


def figure_of(masks, n=4, rois=None):
    """The figure of masks, of which mask i has the scores i / 100 ± 0.01."""
    spread = np.resize([-0.01, 0.01], n) * np.sqrt((n - 1) / n)
    values = np.arange(len(masks))[:, None] / 100 + spread
    scores = pd.DataFrame(values, masks.names, [f"a{i}" for i in range(n)])
    table = pd.DataFrame(
        {"mask": masks.names, "mean": scores.mean(axis=1), "sd": scores.std(axis=1)}
    )
    return cutout_figure.draw(table, scores, masks, np.arange(SIDE**2).reshape(SIDE, SIDE), rois)


def test_a_picture_is_as_high_and_as_wide_as_its_image():
    axes, image = Figure().subplots(), np.arange(6.0).reshape(2, 3)
    cutout_figure.on_image(axes, image, image, np.array([(2.0, 1.0)]), Normalize(-5, 5))
    assert axes.get_xlim() == (-0.5, 2.5) and axes.get_ylim() == (1.5, -0.5)
    (number,) = axes.texts
    assert (number.get_text(), number.get_position()) == ("1", (2, 1))
    np.testing.assert_allclose(axes.images[1].get_array()[..., 3], 0.17 * image)


@pytest.mark.parametrize(("kind", "columns"), [("squares", 7), ("circles", 7), ("pairs", 4)])
def test_a_grid_is_drawn_with_a_cell_and_its_numbers_for_each_mask(kind, columns):
    masks = cutout_masks.make_masks(kind, SIDE, SIDE)
    picture, cells, _ = as_drawn(figure_of(masks), f"cutout_{kind}").axes
    expected = np.arange(7 * columns).reshape(7, columns) / 100
    np.testing.assert_allclose(cells.images[0].get_array(), expected)
    texts = [text.get_text() for text in cells.texts]
    assert texts == [f"{value:.3f}\n±0.010" for value in expected.ravel()]
    below, over = picture.images
    assert below.get_array().shape == (SIDE, SIDE) and over.get_array().shape == (SIDE, SIDE, 4)
    opaque = np.nan_to_num(cutout_tables.pixel_map(masks, expected.ravel())) / expected.max()
    np.testing.assert_allclose(over.get_array()[..., 3], 0.85 * opaque)  # 0 shows the image


def test_other_masks_are_drawn_as_points(tmp_path):
    figure = as_drawn(figure_of(cutout_masks.edges(SIDE, SIDE)), "cutout_edges")
    axes = figure.axes[1]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        *("left\nand right", "top\nand bottom", "all")
    ]
    assert sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() == "o") == 3 * 4
    np.save(tmp_path / "areas.npy", np.eye(SIDE, dtype=np.uint8)[::-1] * np.arange(1, SIDE + 1))
    areas = cutout_masks.from_file(tmp_path / "areas.npy", SIDE, SIDE)
    rois = np.array([(1.0, 2.0), (6.0, 4.0)])
    picture, axes, _ = as_drawn(figure_of(areas, rois=rois), "cutout_areas").axes
    assert {one.get_text(): one.get_position() for one in picture.texts} == {
        "1": (1, 2),
        "2": (6, 4),
    }
    assert len(axes.get_xticks()) == SIDE  # an area beside all but it
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["the area", "all but the area"]
    alpha = picture.images[1].get_array()[..., 3]
    assert (alpha > 0).sum() == SIDE - 1  # area 1 has score 0
    assert alpha[0, -1] == pytest.approx(0.85)


@pytest.mark.parametrize(("letter", "size", "turn"), [("", 7, 0), ("x", 5, 90)])
def test_names_of_masks_of_more_than_60_letters_are_turned(letter, size, turn):
    names = [f"area {'here and there' * 2}", f"area {'there' * 6}{letter}", "area 33"]
    masks = CutoutMasks(
        tuple(names), np.eye(SIDE, dtype=bool).repeat(2, 0)[:3, None].repeat(SIDE, 1)
    )
    labels = figure_of(masks).axes[1].get_xticklabels()
    assert {(one.get_fontsize(), one.get_rotation()) for one in labels} == {(size, turn)}
    first = "here and therehere and there"
    assert labels[0].get_text() == (first if turn else first.replace(" and ", "\nand "))


@pytest.mark.parametrize("fill", ["zero", "blur", "mean", "road"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("squares", "sample SD for each of 49 squares of 8 px, over allocations (n = 20)"),
        ("pairs", "sample SD for each of 28 pairs of mirror squares of 8 px, over allocations"),
        ("edges", "B: by mask, allocations as points and mean ± sample SD, over allocations"),
    ],
)
def test_the_caption_says_what_was_hidden_by_what_and_what_was_counted(fill, kind, words):
    counts = {
        "mask": "x",
        "n": 20,
        "n_frames": 1200,
        "n_decodable": 36000,
        "n_sessions": 3,
        "r2_intact": 0.5,
    }
    masks, settings = cutout_masks.make_masks(kind, SIDE, SIDE), {"fill": fill, "masks": kind}
    text = cutout_figure.caption(pd.DataFrame([counts]), "cnn", masks, settings, "s1")
    assert words in as_written(text, f"cutout_{kind}_{fill}") and "R²(intact) - R²(masked)" in text
    assert "Used: 1,200 of 36,000 decodable frames of 3 sessions." in text


def test_rois_are_drawn_where_they_are(tmp_path):
    with h5py.File(tmp_path / "truth.h5", "w") as file:
        file["roi_xy"] = [[1.5, 2.0]]
    path = write_recording(tmp_path / "d1.h5", recorded_size=(2 * SIDE, 4 * SIDE))
    recording = read_recording(path)
    assert cutout_figure.roi_centres(tmp_path / "truth.h5", recording).tolist() == [[1.5, 2]]
    labels = np.zeros((2 * SIDE, 4 * SIDE), np.uint8)
    labels[0:2, 0:4], labels[10:12, 8:12] = 1, 2  # four pixels across are one of the image
    np.save(tmp_path / "rois.npy", labels)
    found = cutout_figure.roi_centres(tmp_path / "rois.npy", recording)
    np.testing.assert_allclose(found, [[0, 0], [2, 5]])


def test_summary_writes_tables_and_figure(tmp_path):
    for mouse in "de":
        session = write_recording(tmp_path / f"{mouse}1.h5", mouse=mouse)
        cut(tmp_path, [session], "--masks", "squares", out=f"scores_{mouse}.tsv")
    scores = [tmp_path / f"scores_{mouse}.tsv" for mouse in "de"]
    names = {"out": "t.tsv", "sessions": "s.tsv", "figure": "f"}
    out = [word for flag, name in names.items() for word in (f"--{flag}", tmp_path / name)]
    (tmp_path / "maps.txt").write_text("".join(f"{path}\n" for path in scores))
    scores = [tmp_path / "maps.txt"]
    words = ["--scores", *scores, "--recording", tmp_path / "d1.h5", "--masks", "squares"]
    more = ["--signed", tmp_path / "g.tsv"]
    assert run("cutout-summary", *words, "--name", "fig3", *out, *more) == 0
    signed = pd.read_csv(tmp_path / "g.tsv", sep="\t").set_index("mask")
    assert signed.loc[signed["score"].idxmax(), "in_run"] > 0.1
    assert pd.read_csv(tmp_path / "s.tsv", sep="\t").columns.tolist() == [*cutout_tables.COLUMNS]
    table = pd.read_csv(tmp_path / "t.tsv", sep="\t")
    assert len(table) == 49 and set(table["n"]) == {2} and set(table["n_frames"]) == {116}
    assert len(pd.read_csv(tmp_path / "s.tsv", sep="\t")) == 98
    svg = (tmp_path / "f.svg").read_text()
    assert "fig3: areas that hand needs" in svg and "49 squares of 8 px" in svg
    assert "116 of 116 decodable frames of 2 sessions" in svg
    sided = ["--sessions", tmp_path / "s.tsv", "--masks", tmp_path / "t.tsv"]
    assert run("sides", *sided, "--out", tmp_path / "x.tsv", "--figure", tmp_path / "x") == 0
    sides = pd.read_csv(tmp_path / "x.tsv", sep="\t").set_index("unit")
    assert len(sides) == 7 * 3 and set(sides["mirror"].str[-2:]) == {"c5", "c6", "c7"}
    best = sides["difference"].idxmin()  # the patch is at the right
    assert best in ("square r2 c3", "square r3 c3") and sides["mean_left"][best] == 0


def test_times_are_averaged_over_sessions_and_then_over_allocations(tmp_path):
    rows = rows_of(SCORES).assign(in_run=1.0, in_rest=-2.0)
    rows["-1"], rows["0"] = rows["score"], 0.1
    rows.to_csv(tmp_path / "all.tsv", sep="\t", index=False)
    rows = cutout_tables.read_rows([tmp_path / "all.tsv"])
    table = as_tabled(cutout_tables.times_table(rows, 20.0), "cutout_by_time")
    table = table.set_index(["mask", "frame"])
    assert len(table) == 6 and table.loc[("left", -1), "time_s"] == -0.05
    assert table.loc[("left", -1), "mean"] == pytest.approx(1 / 3)
    assert table.loc[("left", -1), "sd"] == pytest.approx(np.std([0.2, 0.3, 0.5], ddof=1))
    assert table.loc[("right", 0)].tolist() == pytest.approx([0, 3, 0.1, 0])
    signed = as_tabled(cutout_tables.signed_table(rows), "cutout_by_state").set_index("mask")
    assert signed.loc["left", ["n", "score", "in_run", "in_rest"]].tolist() == pytest.approx(
        [3, 1 / 3, 1, -2]
    )
    with pytest.raises(UserError, match="scores are of whole windows; make them with --times"):
        cutout_tables.times_table(rows_of(SCORES), 30.0)


def test_times_are_drawn_by_mask_and_on_the_image():
    names = MASKS.names
    values = {(mask, frame): 0.0 for mask in names for frame in range(-3, 4)}
    values[("left", -2)], values[("right", 3)] = 0.4, -0.2
    rows = [(*key, key[1] / 30, 5, value, 0.1) for key, value in values.items()]
    table = pd.DataFrame(rows, columns=["mask", "frame", "time_s", "n", "mean", "sd"])
    figure = cutout_times_figure.draw(table, MASKS, np.eye(1, 4), 30.0)
    as_drawn(figure, "cutout_times")
    (heat,) = [axes.images[0] for axes in figure.axes if axes.get_ylabel().startswith("Time")]
    assert heat.norm.vmin == -heat.norm.vmax == -0.4
    assert heat.get_array()[1].tolist() == [0.4, 0, 0] and heat.get_array()[6, 1] == -0.2
    titles = [axes.get_title() for axes in figure.axes if len(axes.images) == 2]
    assert len(titles) == 6 and titles[0] == "−0.10 to −0.07 s"
    assert "n = 5" in as_written(cutout_times_figure.caption(table, "gru", "s1"), "cutout_times")


# Config and jobs ---------------------------------------------------------------------------------

GRU = {"start_from": "cnn", "rnn": "gru", "cnn_weights": "frozen"}
IMAGES = STUDY | {
    "decoders": {
        **{"linear": LINEAR, "cnn": {"pretrained": "none"}, "gru": GRU},
        "avg": {"average_of": ["cnn", "gru"]},
    }
}


def with_cutout(**line) -> dict:
    return IMAGES | {"importance": {"cut": {"decoder": "cnn", "masks": "squares"} | line}}


def test_masks_of_the_config_are_those_that_can_be_made():
    lengths = {name: (*make.__kwdefaults__,) for name, make in cutout_masks.MAKERS.items()}
    assert lengths == importance.MASKS


def test_defaults_fill_in():
    assert study.resolve(with_cutout(size=0.5)).config["importance"]["cut"] == {
        **{"decoder": "cnn", "masks": "squares", "size": 0.5, "stride": None, "fill": "zero"},
        **{"blur_sigma": 0.0625, "frame_step": 1, "run_length": 300, "blocks": 2},
        **{
            "null_decoder": None,
            "seeds": [],
            "checks": {"frames": 500, "draws": None, "noise_draws": 0},
        },
        "times": False,
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"decoder": "x"}, "cut.decoder: no decoder of images 'x'; known: linear, cnn, gru"),
        ({"decoder": "avg"}, "cut.decoder: 'avg' is an average, of which there is no map yet"),
        ({"masks": "square"}, "cut.masks: 'square' is none of squares, circles, pairs, edges, "),
        ({"masks": "a_{day}.npy"}, "cut.masks: 'a_{day}.npy' may hold {session} and {mouse}, no "),
        ({"masks": "edges", "stride": 2}, "cut.stride: edges have no stride; leave it out"),
        ({"masks": "a.npy", "size": 2}, "cut.size: areas of a file have no size; leave it out"),
        ({"size": 0}, "cut.size: 0 is less than or equal to the minimum of 0"),
        ({"fill": "grey"}, "cut.fill: 'grey' is not one of zero, blur, mean, road"),
        ({"times": True}, "cut.times: 'cnn' reads one image, not a window of them; name a decoder"),
        ({"decoder": "linear", "times": True}, "cut.times: 'linear' reads one image"),
        ({"blocks": 0}, "cut.blocks: 0 is less than the minimum of 1"),
        ({"frames": 2}, "cut.frames: no such key; did you mean"),
    ],
)
def test_bad_config_gets_one_line_that_names_the_key(line, message):
    with pytest.raises(UserError, match=f"^{re.escape(f'config: importance.{message}')}"):
        study.resolve(with_cutout(**line))


def test_a_misspelt_key_is_not_taken_for_shap():
    config = IMAGES | {"importance": {"cut": {"decoder": "cnn", "mask": "squares"}}}
    with pytest.raises(UserError, match=r"cut\.mask: no such key; did you mean 'masks'"):
        study.resolve(config)


def test_no_analysis_is_named_as_a_table_of_another():
    config = with_cutout()
    config["importance"]["cut_sides"] = config["importance"]["cut"]
    with pytest.raises(UserError, match=r"importance\.cut_sides: the name of a table of 'cut'"):
        study.resolve(config)


def test_jobs_are_blocks_of_masks_by_allocation(tmp_path):
    add_files(tmp_path, STUDY)
    config = with_cutout(blocks=3)
    lines = config["importance"]
    lines["gru"] = {"decoder": "gru", "masks": "pairs", "frame_step": 5, "times": True}
    lines["areas"] = {"decoder": "linear", "masks": "my data/{mouse}.npy", "blocks": 1}
    for mouse in STUDY["mice"]:
        (tmp_path / "my data" / f"{mouse}.npy").touch()
    name, results = "train-c+d+e.valid-b.test-a", "results/lab"
    # and a block of the same analysis for a decoder that the line does not name
    other = f"{results}/importance/cut/linear/{name}/block2.tsv"
    jobs, commands = plan(tmp_path, "all", other, config=config)
    assert jobs["cutout"] == 5 * (3 + 2 + 1) + 1
    assert (jobs["cutout_summary"], jobs["sides"]) == (3, 1)  # squares alone have mirror images
    assert jobs["cutout_times"] == 1
    check_commands([line.replace("{mouse}", "") for line in commands], jobs)
    chosen = [line for line in commands if line.startswith("mesodecode cutout ") and name in line]
    recordings = f"--recordings {results}/recordings/a.txt "
    assert all(recordings in line for line in chosen)
    (first,) = [line for line in chosen if line.endswith(f"cut/cnn/{name}/block1.tsv")]
    assert f"--weights {results}/models/cnn/{name}.pt " in first and "--block 1/3 " in first
    (gru,) = [line for line in chosen if line.endswith(f"gru/gru/{name}/block2.tsv")]
    assert f"--weights {results}/models/gru/{name}.pt --cnn {results}/models/cnn/{name}.pt" in gru
    assert "--masks pairs" in gru and "--frame-step 5" in gru and " --times " in gru
    assert " --no-times " in first
    (areas,) = [line for line in chosen if line.endswith(f"areas/linear/{name}/block1.tsv")]
    assert f"--weights {results}/models/linear/{name}.npz " in areas
    assert "--masks 'my data/{mouse}.npy'" in areas
    (report,) = [line for line in commands if line.startswith("mesodecode report")]
    figures = f"{results}/figures/importance_"
    drawn = ("cut", "gru", "areas", "cut_sides", "gru_times")
    assert all(f"{figures}{x}.svg" in report for x in drawn)

    (linear_,) = [line for line in chosen if line.endswith(other)]
    assert f"--weights {results}/models/linear/{name}.npz" in linear_ and "--masks sq" in linear_

    (tmp_path / "my data" / "c.npy").unlink()
    done = snakemake(tmp_path, "-n", config=config)
    assert done.returncode != 0 and "my data/c.npy" in done.stdout + done.stderr
