"""Deep SHAP on a GPU against the CPU: both compute in float32, without TF32."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder, TCNDecoder
from mesodecode.explain.deepshap import explain_deep

DEVICE = os.environ.get("MESODECODE_TEST_DEVICE", "cuda")  # with cpu the tests themselves are tried

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        DEVICE == "cuda" and not torch.cuda.is_available(), reason="torch sees no GPU here"
    ),
]


def compare(decoder, windows, background):
    expected = explain_deep(decoder, windows, background)
    found = explain_deep(decoder.to(DEVICE), windows.to(DEVICE), background.to(DEVICE))
    assert found.values.device.type == DEVICE
    assert found.completeness_error <= 1e-5
    assert found.base == pytest.approx(expected.base, abs=1e-6)
    np.testing.assert_allclose(found.values.cpu(), expected.values, rtol=0, atol=1e-5)


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_recurrent_networks_are_explained_as_on_a_cpu(cell):
    torch.manual_seed(0)
    decoder = RNNDecoder(6, cell=cell, hidden_size=8, num_layers=2, bidirectional=True)
    compare(decoder, torch.randn(20, 15, 6), torch.randn(300, 15, 6))


def test_a_tcn_is_explained_as_on_a_cpu():
    torch.manual_seed(0)
    compare(
        TCNDecoder(6, hidden_size=8, num_layers=3), torch.randn(4, 15, 6), torch.randn(50, 15, 6)
    )


def test_a_cnn_gru_is_explained_from_pixels_as_on_a_cpu():
    torch.manual_seed(0)
    rnn = RNNDecoder(256, cell="gru", hidden_size=3)
    decoder = CNNRNNDecoder(CNNDecoder("test_efficientnet"), rnn)
    compare(decoder, torch.randn(2, 5, 32, 32), torch.randn(3, 5, 32, 32))
