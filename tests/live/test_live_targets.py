"""Decoders of traces and of named states at the rig: as offline, and what a rig is told of them."""

from __future__ import annotations

import io
import json
import math
import socket
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch

from make_decoders import trained_cnn
from make_live import HOW, W, live, make_weights, movie, offline, signals, table, write
from mesodecode.base.files import UserError
from mesodecode.decoders import networks
from mesodecode.decoders.applied import load
from mesodecode.decoders.fitted import linear, roi_classical
from mesodecode.live.outputs import UNSURE, Osc, Row, Table, columns_of, state_of
from mesodecode.live.watch import known_of
from mesodecode.recordings.recording import read_recording, with_labels_of
from mesodecode.recordings.roi_signals import signals_of
from mesodecode.study import schema
from mesodecode.study.targets import RUN, Target

PX = Target("pupil", unit="px", mean=40.0, sd=5.0)  # as networks keep it
NAMED = Target("states", ("rest", "walk", "groom"))
CUT = np.repeat([0, 1], [55, 25])


def write_of(path, target, seed=0, **about):
    """A recording of a target whose values the movie and the ROI signals follow a little."""
    write(path, movie(seed=seed), rois=signals(seed=seed), **about)
    values = (40 + 5 * np.sin(np.arange(80) / 4)).astype(np.float32)
    with h5py.File(path, "a") as file:
        file["target"] = (np.arange(80) // 7 % 3).astype(np.uint8) if target.states else values
        file["target"].attrs.update(target.attributes())
    return path


def weights_of(folder, kind, target):
    """Write the weights of a causal decoder of a target."""
    known = [read_recording(write_of(folder / "a_known.h5", target, 10, mouse="a"))]
    known = with_labels_of(known, None)
    how, path = HOW | {"baseline": None}, folder / f"{kind}.pt"
    torch.manual_seed(5)
    if kind == "linear":
        settings = {"pixels": 8, "C": 0.1, "frame_step": 1} | how
        model = linear.fit_linear(known, **settings)
        path = path.with_suffix(".npz")
        made = linear.weights_of(model, settings, ("a",), ("v",), target=known[0].target)
        made.save(path)
    elif kind in ("gru", "tcn"):
        return make_weights(folder, kind, **target.settings())
    elif kind in ("cnn", "finetuned", "frozen"):
        first = trained_cnn(train_mice=("a",), valid_mice=("v",))
        settings = first.settings | how | target.settings()
        cnn = networks.CNNDecoder(settings["backbone"], outputs=target.outputs)
        state = cnn.state_dict()
        state |= {k: v for k, v in first.state.items() if v.shape == state[k].shape}
        cnn.load_state_dict(state)
        made = replace(first, settings=settings, state=state)
        if kind != "cnn":
            sizes = {"rnn": "gru", "hidden_size": 8, "num_layers": 1, "bidirectional": False}
            sizes |= {"dropout": 0.0, "half_window": W}
            both = networks.cnn_rnn_decoder(cnn, settings | sizes)
            if kind == "frozen":
                made.save(folder / "first.pt")
            kind, part = ("cnn_rnn", both.rnn) if kind == "frozen" else (kind, both)
            made = replace(made, kind=kind, settings=settings | sizes, state=part.state_dict())
        made.save(path)
        if kind == "cnn_rnn":
            return [path, folder / "first.pt"]
    else:
        settings = schema.defaults("roi_classical", input="rois", model=kind, half_window=W) | how
        settings |= {"frame_step": 1, "dropped": [], "trees": 5} | target.settings()
        model = roi_classical.fit_classical(signals_of(known, settings), settings)
        path = path.with_suffix(".joblib")
        roi_classical.Fitted(model, settings, ("a",), ("v",)).save(path)
    return [path]


@pytest.mark.parametrize(("target", "groups"), [(PX, 5), (NAMED, 3)], ids=["trace", "states"])
def test_known_mice_are_compared_within_what_is_decoded_and_of_no_other_target(
    tmp_path, target, groups, capsys
):
    (weights,) = weights_of(tmp_path, "linear", target)
    known = [tmp_path / "a_known.h5", write_of(tmp_path / "b_known.h5", target, 11, mouse="b")]
    found = known_of(load(weights), [read_recording(path) for path in known])
    assert len(found.space.means) == groups and 0.5 < found.distance < 2
    path = write_of(tmp_path / "t1.h5", target)
    words = ["--weights", weights, "--source", path, "--out", tmp_path / "o.tsv", "--known"]
    assert live(*words, *known) == 0
    other = NAMED if target == PX else PX
    assert live(*words, write_of(tmp_path / "c_known.h5", other, 12, mouse="c")) == 1
    assert f"--weights: decodes {target.told}, but the target of" in capsys.readouterr().err


CASES = [
    *((kind, PX) for kind in ("linear", "cnn", "finetuned", "frozen", "gru", "tcn", "ridge")),
    *((kind, NAMED) for kind in ("linear", "cnn", "finetuned", "frozen", "gru", "tcn")),
    *(("gradient_boosting", target) for target in (PX, NAMED)),
    ("logistic_regression", NAMED),
]


@pytest.mark.parametrize(("kind", "target"), CASES, ids=lambda one: getattr(one, "name", one))
def test_what_is_decoded_is_what_is_decoded_offline(tmp_path, kind, target):
    files = weights_of(tmp_path, kind, target)
    path = write_of(tmp_path / "t1.h5", target, segment=CUT)
    frames, expected = offline(files, read_recording(path))
    assert live("--weights", *files, "--source", path, "--out", tmp_path / "o.tsv") == 0
    found = table(tmp_path / "o.tsv")
    assert [*found] == [*columns_of(target)] and found.frame.tolist() == frames.tolist()
    assert expected.std(axis=0).min() > 1e-4
    if target.states:
        made = found[[f"probability_{state}" for state in target.states]]
        np.testing.assert_allclose(made, expected, atol=1e-5)
        likeliest = np.array(target.states)[expected.argmax(axis=1)]
        sure = found.unsure_why == ""
        assert sure.any() and (found.state == np.where(sure, likeliest, UNSURE)).all()
    else:
        np.testing.assert_allclose(found.predicted, expected, atol=5e-5)  # 1e-5 of its SD
        assert "state" not in found


def test_several_decoders_of_a_trace_are_averaged_in_its_unit(tmp_path):
    path, files, each = write_of(tmp_path / "t1.h5", PX), [], []
    for name, target in (("one", PX), ("two", replace(PX, mean=50.0, sd=2.0))):
        (tmp_path / name).mkdir()
        made = weights_of(tmp_path / name, "gru", target)
        files, each = [*files, *made], [*each, offline(made, read_recording(path))[1]]
    assert live("--weights", *files, "--source", path, "--out", tmp_path / "o.tsv") == 0
    found = table(tmp_path / "o.tsv").predicted
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=5e-5)


def refused(capsys, *words):
    assert live(*words) == 1
    return capsys.readouterr().err


def test_what_does_not_fit_is_refused_in_a_line(tmp_path, capsys):
    path, files = write_of(tmp_path / "t1.h5", PX), []
    for target in (PX, NAMED, RUN):
        (tmp_path / target.name).mkdir()
        files += weights_of(tmp_path / target.name, "gru", target)
    out = ["--source", path, "--out", tmp_path / "o.tsv"]
    said = refused(capsys, "--weights", *files[:2], *out)
    assert "decoders of pupil (px) and of states (rest, walk, groom); give one's" in said
    both = [*weights_of(tmp_path, "linear", PX), files[0]]
    said = refused(capsys, "--weights", *both, *out)
    assert "--weights: decoders of images and of ROI signals; give those of one input" in said
    said = refused(capsys, "--weights", files[1], *out, "--enter", "0.7")
    assert "--enter 0.7: of run and rest only, not states" in said
    assert live("--weights", files[2], *out) == 0
    said = refused(capsys, "--weights", files[0], *out, "--append")
    assert "no table of `mesodecode live` with these columns" in said


# What is told


def row(target, made, why=()):
    state = state_of(target, schema.defaults("live"))(made) if made is not None else UNSURE
    return Row(7, 0.25, made, UNSURE if why else state, 1.5, why, target).message()


def test_messages_say_the_value_or_each_probability():
    assert json.loads(json.dumps(row(PX, 41.5, ["lost"]), allow_nan=False)) == {
        **{"frame": 7, "time_s": 0.25, "predicted": 41.5, "latency_ms": 1.5},
        "unsure_why": "lost",
    }
    assert row(NAMED, (0.2, 0.7, 0.1)) == {
        **{"frame": 7, "time_s": 0.25, "probability_rest": 0.2, "probability_walk": 0.7},
        **{"probability_groom": 0.1, "state": "walk", "latency_ms": 1.5, "unsure_why": ""},
    }
    none = row(NAMED, None, ["no window"])
    assert none["probability_groom"] is None and none["state"] == UNSURE
    assert row(PX, None)["predicted"] is None
    for key in ("enter", "leave"):
        with pytest.raises(UserError, match=f"--{key} 0.5: of run and rest only, not pupil"):
            state_of(PX, schema.defaults("live") | {key: 0.5})


def test_a_table_leaves_out_what_has_no_value(tmp_path):
    out = Table(tmp_path / "o.tsv", target=PX)
    for one in (row(PX, 41.123456789), row(PX, None), row(PX, -2.5, ["lost", "stuck"])):
        out.write(one)
    out.close()
    assert (tmp_path / "o.tsv").read_text().splitlines() == [
        "frame\ttime_s\tpredicted\tlatency_ms\tunsure_why",
        "7\t0.250000\t41.1234568\t1.500\t",
        "7\t0.250000\t-2.5\t1.500\tlost,stuck",
    ]


def test_osc_sends_numbers_in_the_place_of_the_probability():
    from pythonosc.osc_message import OscMessage

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(5)
        out = Osc(str(ear.getsockname()[1]))

        def heard(message):
            out.write(message)
            return OscMessage(ear.recv(4096)).params

        assert heard(row(PX, 41.5)) == [7, 0.25, 41.5, ""]
        frame, time, value, why = heard(row(PX, None, ["no window"]))
        assert (frame, time, why) == (7, 0.25, "no window") and math.isnan(value)
        assert heard(row(NAMED, (0.25, 0.5, 0.25))) == [7, 0.25, 0.25, 0.5, 0.25, "walk", ""]
        assert heard(row(NAMED, None))[2:5] == [-1, -1, -1]


BAR = "█" * 21 + "░" * 19


@pytest.mark.parametrize(
    ("one", "shown"),
    [
        (
            Row(7, 0.251, 0.53, "run", 1.54),
            ["frame        7   0.25 s", f"probability  {BAR} 0.53", "state        [1;32mrun[0m",
             "latency      1.5 ms", "lost         3"],
        ),
        (
            Row(8, 0.5, 0.0, "rest", 2.0),
            ["frame        8   0.50 s", f"probability  {'░' * 40} 0.00",
             "state        [1;34mrest[0m", "latency      2.0 ms", "lost         3"],
        ),
        (
            Row(9, 0.75, None, UNSURE, 30.0, ["no window", "stuck"]),
            ["frame        9   0.75 s", "probability  no whole window yet",
             "state        [1;33munsure[0m (no window,stuck)", "latency      30.0 ms",
             "lost         3"],
        ),
        (
            Row(9, 0.75, 41.56789, "", 3.0, ["late"], PX),
            ["frame      9   0.75 s", "predicted  41.57", "state      [1;33munsure[0m (late)",
             "latency    3.0 ms", "lost       3"],
        ),
    ],
)  # fmt: skip
def test_the_whole_panel(one, shown):
    from rich.console import Console

    from mesodecode.live.view import View

    view = View(lambda: {"lost": 3})
    view.close()
    view._row = one.message()
    console = Console(width=90, record=True, file=io.StringIO(), force_terminal=True)
    console.print(view._table())
    head, *lines, _ = console.export_text(styles=True).splitlines()
    assert " mesodecode live " in head
    assert [line.strip("│ ").replace("\x1b", "") for line in lines] == shown


@pytest.mark.parametrize(("target", "made"), [(PX, 41.5), (NAMED, (0.25, 0.5, 0.25)), (RUN, 0.5)])
def test_the_panel_shows_what_is_predicted(target, made):
    from rich.console import Console

    from mesodecode.live.view import View

    view = View(dict)
    view.close()
    shown = []
    for one in (row(target, made), row(target, None, ["no window"])):
        view.write(one)
        console = Console(width=90, record=True, file=io.StringIO())
        console.print(view._table())
        shown.append(console.export_text())
    assert max(map(len, shown[0].splitlines())) < 80  # no wider than what it holds
    for name in target.datasets:
        assert name in shown[0]
    assert ("41.5" if target is PX else "0.50") in shown[0]
    assert "no whole window yet" in shown[1] and "no window" in shown[1]
