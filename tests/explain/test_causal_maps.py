"""Maps and shift features of causal decoders are of what these read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from make_decoders import HALF_WINDOW, trained_cnn, trained_rnn, write_recording
from mesodecode.base.roc_auc import roc_auc
from mesodecode.decoders import networks, predict, roi_networks
from mesodecode.decoders.weights import Trained
from mesodecode.explain import cutout, cutout_scores, shap_maps
from mesodecode.recordings import roi_signals
from mesodecode.recordings.baseline import prepared
from mesodecode.recordings.recording import read_recording
from mesodecode.shift import features
from mesodecode.study import schema

HOW = {"causal": True, "normalise_from": "past", "warm_up": 0.5, "baseline": None}


@pytest.fixture
def recording(tmp_path):
    return read_recording(write_recording(tmp_path / "m3.h5", "m3", n_frames=60, seed=1))


@pytest.fixture
def files(tmp_path):
    """A causal CNN, and a decoder of its features."""
    cnn, rnn = trained_cnn(), trained_rnn()
    made = replace(cnn, settings=cnn.settings | HOW), replace(rnn, settings=rnn.settings | HOW)
    for name, one in zip(("cnn", "rnn"), made, strict=True):
        one.save(tmp_path / f"{name}.pt")
    return tmp_path / "cnn.pt", tmp_path / "rnn.pt"


def whole(files, recording):
    """The two trained together, as one network."""
    cnn, rnn = trained_cnn(), trained_rnn()
    both = networks.CNNRNNDecoder(cnn.build(), rnn.build())
    settings = cnn.settings | rnn.settings | HOW
    made = Trained("finetuned", settings, ("m1",), ("m2",), both.state_dict())
    return made, predict.predict(made, [recording])["m3"]


def test_a_cut_out_reads_the_windows_that_the_decoder_reads(files, recording):
    decoder = cutout_scores.load_decoder(files[1], files[0], [recording])
    (ready,) = prepared([recording], decoder.normalising)
    corner = np.zeros((1, *recording.shape[1:]), bool)
    corner[0, 0, 0] = True
    found = cutout.cutout_session(
        decoder.network, ready, corner, half_window=decoder.half_window, run_length=60
    )
    _, expected = whole(files, recording)
    assert expected.frame[0] == 15 + 2 * HALF_WINDOW + 2
    assert found["n_frames"].item() == len(expected.frame)
    auc = roc_auc(expected.label, expected.probability)
    assert found["auc_intact"].item() == pytest.approx(auc, abs=1e-6)


def test_images_of_a_window_are_hidden_alone_where_that_is_asked_for(files, recording):
    decoder = cutout_scores.load_decoder(files[1], files[0], [recording])
    (ready,) = prepared([recording], decoder.normalising)
    settings = schema.defaults("importance_cutout", masks="squares", size=0.5, stride=0.5)
    tables = [
        cutout_scores.score_sessions(decoder, [ready], settings | {"times": times}, name="x")
        for times in (False, True)
    ]
    more = [*tables[1].columns.difference(tables[0].columns)]
    assert len(more) == 2 * decoder.half_window + 1
    assert not {"-4", "-2", "0"} & {*tables[0]}


def test_shift_features_are_of_the_images_that_the_decoder_reads(files, recording):
    (ready,) = prepared([recording], HOW)
    _, rows, _ = predict.cnn_outputs(trained_cnn().build(), ready)
    (found,) = features.Features(8).of(files[0], [recording])
    nearest = [np.abs(rows - each).max(1).min() for each in found.features]
    assert len(nearest) == 8 and max(nearest) < 1e-3


def test_maps_of_signals_end_at_the_decoded_frame(recording):
    torch.manual_seed(0)
    rois = np.random.default_rng(0).normal(10, 1, (60, 3)).astype(np.float32)
    one = replace(recording, rois=rois)
    settings = schema.defaults("roi_rnn", input="rois", rnn="gru", half_window=3)
    settings |= HOW | {"hidden_size": 4, "dropped": []}
    network = networks.rnn_decoder(3, settings)
    trained = Trained("roi_rnn", settings, ("m1",), ("m2",), network.state_dict())
    how = schema.defaults("importance_shap", decoder="roi") | {"windows": 5, "background": 4}
    made = shap_maps.shap_map(trained, [one], [], how, decoder="roi")
    assert made.frame.tolist() == [-6, -5, -4, -3, -2, -1, 0]
    source = roi_networks.windows(roi_signals.signals_of([one], settings), settings)
    assert source.centres[0] == 15 + 6
