"""ROIs of a recording are those that a decoder was trained on, whatever reads it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from make_live import make_weights, write
from mesodecode.base.files import UserError
from mesodecode.decoders.validation import check_alike
from mesodecode.decoders.weights import load_trained
from mesodecode.explain.shap_maps import windows_as_trained
from mesodecode.recordings.recording import read_recording
from mesodecode.shift.features import Features


def test_nothing_takes_rois_of_another_order_for_those_of_training(tmp_path):
    (path,) = make_weights(tmp_path, "gru", roi_names=[*"abc"])
    one = read_recording(write(tmp_path / "t1.h5"))  # whose ROIs have no names
    trained, said = (
        load_trained(path, "roi_rnn"),
        r"gru\.pt: trained on ROI 2 as 'b', but it is 'c'",
    )
    for read in (
        lambda other: check_alike(trained, [one, other], path),
        lambda other: windows_as_trained(trained, [other], "cpu"),
        lambda other: Features(5).of(path, [one, other]),
    ):
        read(replace(one, roi_names=(*"abc",)))
        with pytest.raises(UserError, match=said):
            read(replace(one, roi_names=(*"acb",)))
