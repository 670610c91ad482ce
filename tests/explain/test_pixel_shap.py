"""Pixels x time of decoders of images: planted in one pixel, and through a whole CNN."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.decoders.applied import ImageDecoder, Loaded
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder
from mesodecode.decoders.weights import Trained
from mesodecode.explain import pixel_figure, pixel_shap
from mesodecode.explain.deepshap import explain_deep
from mesodecode.recordings.recording import Recording, read_recording
from mesodecode.study.targets import Target

pytestmark = pytest.mark.usefixtures("one_thread")


def session(path, mouse="d", side=8, n=80) -> Recording:
    """Pixel (2, 3) rises two frames after running begins, pixel (5, 1) falls."""
    rng = np.random.default_rng(sum(map(ord, mouse)))
    labels = (np.arange(n) // 10 % 2).astype(np.uint8)
    frames = rng.normal(2000, 20, (n, side, side))
    frames[:, 2, 3] += 400.0 * np.roll(labels, 2)
    frames[:, 5, 1] -= 400.0 * labels
    frames = frames.astype(np.uint16)
    with h5py.File(path / f"{mouse}.h5", "w") as file:
        file["frames"], file["labels"] = frames, labels
        file["pixel_mean"] = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
        file["stack_sd"] = np.float32(frames.std(dtype=np.float64))
        file.attrs.update(session=f"{mouse}_s1", mouse=mouse, frame_rate=30.0)
    return read_recording(path / f"{mouse}.h5")


class TwoPixels(CNNDecoder):
    """A CNN whose feature is the first channel of pixel (2, 3) less the last one of (5, 1)."""

    def __init__(self):
        nn.Module.__init__(self)
        self.passed_in = None

    @property
    def n_features(self):
        return 1

    def features(self, images):
        return images[:, 0, 2, 3, None] - images[:, 2, 5, 1, None]


def planted() -> Loaded:
    """A decoder that adds up its features over three images."""
    rnn = RNNDecoder(1, cell="rnn", hidden_size=1)
    with torch.no_grad():
        for name, parameter in rnn.named_parameters():
            parameter.fill_(1 if "weight_hh" in name else 0)
        rnn.rnn.weight_ih_l0.fill_(1e-3)
        rnn.head.weight.fill_(1000)
    network = CNNRNNDecoder(TwoPixels(), rnn).eval()
    return Loaded(ImageDecoder(network, 1), "cnn_rnn", {}, ("a", "b"), ("c",))


def test_a_planted_pixel_has_its_frames_and_its_sign_and_no_other_has_any(tmp_path):
    one = session(tmp_path)
    found = pixel_shap.pixel_shap(
        planted(), [one], [], decoder="x", windows=30, background=20, output="logit"
    )
    assert found.mean_abs.shape == (5, 8, 8) and found.frame.tolist() == [-2, -1, 0, 1, 2]
    read = np.zeros((5, 8, 8), bool)
    read[:3, 2, 3] = read[2:, 5, 1] = True  # first channels of the images, and last ones
    assert (found.mean_abs[read] > 0.1).all() and (found.mean_abs[~read] == 0).all()
    assert (found.signed[:3, 2, 3] > 0.1).all() and (found.signed[2:, 5, 1] < -0.1).all()
    # linear but for a thousandth: weights x (pixel - mean of the background)
    centres = np.arange(2, 78)
    normal = (one.read_frames(0, 80) - one.pixel_mean) / one.stack_sd
    chosen = np.sort(np.random.default_rng(123).choice(76, 20, replace=False))
    at = centres[(2 * np.arange(30) + 1) * 76 // 60]
    usual = normal[centres[chosen] - 2, 2, 3].mean()
    expected = np.abs(normal[at - 2, 2, 3] - usual).mean()
    assert found.mean_abs[0, 2, 3] == pytest.approx(expected, rel=1e-3)
    run = one.labels[at] == 1
    assert found.n_run == run.sum()
    expected = (normal[at - 2, 2, 3] - usual)[run].mean()
    assert found.in_run[0, 2, 3] == pytest.approx(expected, rel=1e-3)
    found.write(tmp_path / "map.h5")
    again = pixel_shap.read(tmp_path / "map.h5")
    np.testing.assert_allclose(again.signed, found.signed, rtol=1e-6)
    with pytest.raises(UserError, match=r"d\.h5: not a file of `mesodecode shap-pixels`"):
        pixel_shap.read(tmp_path / "d.h5")


def whole(tmp_path) -> dict:
    torch.manual_seed(0)
    cnn = CNNDecoder("test_efficientnet")
    rnn = RNNDecoder(cnn.n_features, cell="gru", hidden_size=3)
    settings = {"backbone": "test_efficientnet", "half_window": 1, "rnn": "gru", "dropout": 0.0}
    settings |= {"hidden_size": 3, "num_layers": 1, "bidirectional": False}
    made = {"cnn": cnn, "cnn_rnn": rnn, "finetuned": CNNRNNDecoder(cnn, rnn)}
    for kind, network in made.items():
        trained = Trained(kind, settings, ("a", "b"), ("c",), network.state_dict())
        trained.save(tmp_path / f"{kind}.pt")
    return {kind: network.eval() for kind, network in made.items()}


@pytest.mark.parametrize(
    ("kind", "more"), [("finetuned", []), ("cnn_rnn", ["--cnn", "cnn.pt"]), ("cnn", [])]
)
def test_the_verb_explains_networks_of_images_end_to_end(tmp_path, monkeypatch, kind, more):
    monkeypatch.chdir(tmp_path)
    networks, one = whole(tmp_path), session(tmp_path, side=32)
    session(tmp_path, "a", side=32)
    line = ["shap-pixels", "--weights", f"{kind}.pt", *more, "--recordings", "d.h5"]
    line += ["--background-recordings", "a.h5", "--windows", "1", "--background", "2"]
    line += ["--output", "logit", "--decoder", "mine", "--out", "map.h5", "--figure", "map"]
    assert cli.main([*line, "--threads", "1"]) == 0
    found = pixel_shap.read("map.h5")
    n_frames = 3 if kind == "cnn" else 5
    assert found.signed.shape == (n_frames, 32, 32) and found.background_from == "train"
    assert found.completeness_error <= 1e-5 and found.mean_abs.any()
    svg = (tmp_path / "map.svg").read_text()
    assert "pixels that move mine" in svg and "1 windows of mouse d" in svg
    at = 40
    normal = torch.as_tensor((one.read_frames(0, 80) - one.pixel_mean) / one.stack_sd)
    reach = n_frames // 2
    window = normal[None, at - reach : at + reach + 1].float()
    total = found.in_run if one.labels[at] else found.in_rest
    with torch.no_grad():
        if kind == "cnn":
            expected = networks["cnn"](window).item()
        else:
            images = window.unfold(1, 3, 1).permute(0, 1, 4, 2, 3)[0]
            network = networks["finetuned"]
            expected = network.rnn(network.cnn.features(images)[None]).item()
    assert found.base + total.sum(dtype=np.float64) == pytest.approx(expected, abs=2e-5)


def test_decoders_of_other_targets_are_refused_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    network, one = whole(tmp_path)["cnn"], session(tmp_path, side=32)
    settings = {"backbone": "test_efficientnet", **Target("pupil", unit="mm").settings()}
    Trained("cnn", settings, ("a", "b"), ("c",), network.state_dict()).save("pupil.pt")
    line = ["shap-pixels", "--weights", "pupil.pt", "--recordings", str(one.path)]
    assert cli.main([*line, "--out", "m.h5", "--figure", "m", "--threads", "1"]) != 0
    assert "pupil.pt: decodes pupil; " in capsys.readouterr().err


def test_values_of_frames_are_those_of_the_networks_own_frames():
    torch.manual_seed(1)
    decoder = CNNRNNDecoder(TwoPixels(), RNNDecoder(1, cell="gru", hidden_size=2)).double().eval()
    frames, background = (torch.randn(n, 6, 8, 8, dtype=torch.float64) for n in (2, 3))
    expected = explain_deep(decoder, frames, background, output="logit")
    images, others = (f.unfold(1, 3, 1).permute(0, 1, 4, 2, 3) for f in (frames, background))
    model = pixel_shap._OfImages(decoder, (8, 8))
    found = explain_deep(model, images.flatten(2), others.flatten(2), output="logit")
    values = pixel_shap.folded(found.values.view(2, 4, 3, 8, 8))
    np.testing.assert_allclose(values, expected.values.flatten(2), rtol=0, atol=1e-9)
    assert torch.equal(pixel_shap.frames_of(images), frames.flatten(2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--background", "1"], "--background: 1; needs 2 or more"),
        (["--windows", "0"], "--windows: 0; needs 1 or more"),
        (["--background-recordings", "z.h5"], "mouse z did not train this decoder"),
        (["--background-recordings", "a.h5"], "images of 32 x 32 px, but a background of 8 x 8 px"),
        (["--recordings", "a.h5"], "test-a: a mouse has two roles"),
    ],
)
def test_what_does_not_fit_gets_one_line(tmp_path, monkeypatch, capsys, change, message):
    monkeypatch.chdir(tmp_path)
    whole(tmp_path)
    for mouse, side in (("d", 32), ("z", 32), ("a", 8)):
        session(tmp_path, mouse, side=side)
    line = ["shap-pixels", "--weights", "finetuned.pt", "--recordings", "d.h5", "--out", "m.h5"]
    assert cli.main([*line, "--figure", "m", "--threads", "1", *change]) != 0
    assert message in capsys.readouterr().err
    assert not (tmp_path / "m.h5").exists()


def test_the_bar_of_sizes_begins_at_0():
    values = np.random.default_rng(0).normal(size=(3, 4, 4))
    maps = {"mean_abs": np.abs(values), "signed": values, "in_run": values, "in_rest": values}
    counts = {"n_windows": 4, "n_run": 2, "n_background": 4}
    found = pixel_shap.PixelMap(
        **{"decoder": "cnn", "allocation": "a", "test_mouse": "mouseA", "session": "s"},
        **{**maps, **counts, "frame": np.arange(-1, 2), "image": np.ones((4, 4))},
        **{"frame_rate": 20.0, "output": "probability", "background_from": "train"},
        **{"base": 0.5, "completeness_error": 0.0},
    )
    bars = {a.get_ylabel().split(",")[0]: a.get_ylim() for a in pixel_figure.draw(found).axes}
    low, high = bars["Mean |SHAP|"]
    assert low == 0 < high
    low, high = bars["SHAP"]
    assert low == -high
    assert "windows of mouseA (50%" in pixel_figure.caption(found)
