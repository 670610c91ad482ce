"""Verbs with --device: all keep to the rules of CUDA, as far as a CPU can tell."""

import copy
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from cuda_rules import cuda_rules
from device_cases import CASES, NAME, Cohort, verbs_with_device
from mesodecode.base.files import UserError
from mesodecode.decoders import networks, predictions
from mesodecode.decoders.device import found_device, peak_memory, resolve_device
from mesodecode.decoders.networks import RNNDecoder, copied
from mesodecode.explain.attributions import explain


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return Cohort(tmp_path_factory.mktemp("device") / "cpu", "cpu")


def test_every_verb_with_a_device_is_tried():
    assert verbs_with_device() == set(CASES)


@pytest.mark.slow
@pytest.mark.parametrize("verb", CASES)
def test_verbs_keep_to_the_rules_of_cuda(cohort, verb, monkeypatch):
    monkeypatch.setitem(explain.__kwdefaults__, "samples", 10)  # all 1000 keep the same rules
    with cuda_rules():
        assert all(path.exists() for path in cohort.run(verb))


PREDICTED = {
    "predict": ("fine_predictions/{}.h5", "lstm.h5"),
    "train-roi": ("roi_predictions/{}.h5",),
    "choose-roi": ("chosen_predictions/{}.h5",),
    "adapt": ("adapted.h5", "frozen.h5", "signals.h5"),
}


@pytest.mark.slow
@pytest.mark.parametrize("verb", PREDICTED)
def test_a_session_too_short_for_a_window_is_predicted_at_no_frame(cohort, verb):
    cohort.run(verb)
    for name in PREDICTED[verb]:
        sessions = predictions.read(cohort.folder / name.format(NAME)).sessions
        assert len(sessions["m4"].frame) > 0 and len(sessions["m4s"].frame) == 0, name


@pytest.mark.slow
def test_a_session_too_short_for_a_window_has_a_row_without_numbers(cohort):
    for verb, name in (("shift", "shift.tsv"), ("shift", "shift_adapted.tsv")):
        cohort.run(verb)
        table = pd.read_table(cohort.folder / name).set_index("session")
        assert table.loc["m4s", "n_frames"] == 0 and np.isnan(table.loc["m4s", "mahalanobis"])
        assert np.isfinite(
            table.loc["m4", ["mahalanobis", "mahalanobis_reference"]].astype(float)
        ).all()
    cohort.run("cutout")
    table = pd.read_table(cohort.folder / "cutout.tsv").set_index("session")
    assert (table.loc["m4s", "n_frames"] == 0).all() and table.loc["m4s", "score"].isna().all()


@pytest.mark.parametrize(
    ("name", "count", "words"),
    [
        ("cuda:7", 0, "device cuda:7: torch sees no GPU here"),
        ("cuda:7", 2, "device cuda:7: the GPUs here are cuda:0 to cuda:1"),
        ("gpu", 2, "device 'gpu': "),
    ],
)
def test_a_device_that_is_not_there_is_refused_by_its_name(name, count, words):
    with (
        patch("torch.cuda.is_available", lambda: count > 0),
        patch("torch.cuda.device_count", lambda: count),
    ):
        with pytest.raises(UserError, match=words) as caught:
            found_device(name)
        assert "\n" not in str(caught.value)
        if count:
            assert found_device("cuda:1") == torch.device("cuda:1")
    assert found_device("cpu") == torch.device("cpu")


def test_an_environment_that_asks_for_tf32_leaves_no_switch_that_cannot_be_read():
    """As NVIDIA's containers do by a variable; torch refuses to read a mix of its two switches."""
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.conv.fp32_precision = "ieee"
        resolve_device("cpu", None)
        assert torch.backends.cudnn.conv.fp32_precision == "tf32"
        assert torch.backends.cuda.matmul.allow_tf32 is False  # as torch.compile asks
        assert torch.backends.cuda.matmul.fp32_precision == "ieee"
        assert torch.backends.cudnn.allow_tf32 is True
    finally:
        torch.set_float32_matmul_precision(before)


def test_the_peak_of_a_training_on_a_cpu_is_the_process_beside_a_gpu_too(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 7)
    assert peak_memory(torch.device("cpu")) > 2**26
    assert peak_memory(torch.device("cuda")) == 7


# The rules themselves


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64])
@pytest.mark.parametrize(
    "use", [lambda x: x[torch.tensor([0, 2])], lambda x: x[1:], lambda x: x.to(torch.float32)]
)
def test_a_type_that_cuda_cannot_index_is_seen(dtype, use):
    values = torch.zeros(3, dtype=dtype)
    use(values)  # a CPU does it
    with cuda_rules(), pytest.raises(NotImplementedError, match=r"not implemented for torch\.uint"):
        use(values)


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_a_copied_recurrent_network_has_its_weights_in_one_block(cell):
    windows = torch.zeros(2, 5, 3)
    with cuda_rules():
        network = RNNDecoder(3, cell=cell, hidden_size=4, num_layers=2, bidirectional=True)
        expected = network.to("cpu").eval()(windows)
        with pytest.raises(RuntimeError, match="not part of single contiguous chunk"):
            copy.deepcopy(network)(windows)
        copy_of = nn.ModuleList([copied(network)])[0]
        torch.testing.assert_close(copy_of(windows), expected, rtol=0, atol=0)
        copied(nn.ModuleList([nn.Linear(3, 1), network]))[1](windows)
        nn.init.zeros_(copy_of.head.weight)
        assert (network.head.weight != 0).any()  # a copy of its own


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_layers_with_dropout_between_are_each_in_one_block(cell, bidirectional):
    """The network's own block has the biases of all layers at its end."""
    sizes = {"cell": cell, "hidden_size": 4, "num_layers": 3, "dropout": 0.5}

    def gradients():
        network = networks.RNNDecoder(3, **sizes, bidirectional=bidirectional).to("cpu")
        network(torch.randn(2, 5, 3)).sum().backward()
        return [weight.grad for weight in network.parameters()]

    torch.manual_seed(0)
    expected = gradients()
    torch.manual_seed(0)
    with cuda_rules():
        found = gradients()
        with (
            patch.object(networks, "_by_cudnn", lambda _: False),
            pytest.raises(RuntimeError, match="not part of single contiguous chunk"),
        ):
            gradients()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_gradients_of_a_recurrent_network_in_evaluation_mode_are_seen():
    network = RNNDecoder(3, cell="gru", hidden_size=4)
    windows = torch.zeros(2, 5, 3)
    network.eval()(windows).sum().backward()
    with cuda_rules():
        network = network.to("cpu")
        network.train()(windows).sum().backward()
        logits = network.eval()(windows).sum()
        with pytest.raises(RuntimeError, match="only be called in training mode"):
            logits.backward()
