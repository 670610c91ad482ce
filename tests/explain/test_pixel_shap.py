"""Pixels x time of decoders of images: planted in one pixel, and through a whole CNN."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch

import make_live
from drawn import as_drawn
from make_decoders import SIDE
from make_pixels import TwoPixels, planted, session, settings_of
from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.decoders.applied import ImageDecoder, Loaded
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder
from mesodecode.decoders.weights import Trained
from mesodecode.explain import (
    cutout_scores,
    explained,
    maps,
    pixel_figure,
    pixel_shap,
    recording_noise,
    shap_files,
    shap_maps,
    signed_figure,
)
from mesodecode.explain.deepshap import explain_deep
from mesodecode.recordings.recording import read_recording
from mesodecode.study.targets import Target
from texts import as_read, as_written

STATES = Target("states", ("rest", "walk", "groom"))

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_planted_pixel_has_its_frames_and_its_sign_and_no_other_has_any(tmp_path):
    one, settings = session(tmp_path), settings_of(windows=30, background=20)
    areas, found = pixel_shap.pixel_shap(planted(), [one], [], settings, decoder="x")
    assert found.pixel_abs.shape == (5, 8, 8) and areas.frame.tolist() == [-2, -1, 0, 1, 2]
    (signed,) = found.pixel_signed
    read = np.zeros((5, 8, 8), bool)
    read[:3, 2, 3] = read[2:, 5, 1] = True  # first channels of the images, and last ones
    assert (found.pixel_abs[read] > 0.1).all() and (found.pixel_abs[~read] == 0).all()
    assert (signed[:3, 2, 3] > 0.1).all() and (signed[2:, 5, 1] < -0.1).all()
    # linear but for a thousandth: weights x (pixel - mean of the background)
    centres = np.arange(2, 78)
    normal = (one.read_frames(0, 80) - one.pixel_mean) / one.stack_sd
    chosen = np.sort(np.random.default_rng(123).choice(76, 20, replace=False))
    at = centres[(2 * np.arange(30) + 1) * 76 // 60]
    usual = normal[centres[chosen] - 2, 2, 3].mean()
    expected = np.abs(normal[at - 2, 2, 3] - usual).mean()
    assert found.pixel_abs[0, 2, 3] == pytest.approx(expected, rel=1e-3)
    # areas of 2 x 2: the one with the pixel has its value, by the area's own brightness
    column = areas.names.index("square r2 c2")
    assert areas.roi[column] == column + 1
    run = one.labels[at] == 1
    assert areas.n_run == run.sum()
    assert areas.mean_abs[0, column] == pytest.approx(expected, rel=1e-3)
    expected = (normal[at - 2, 2, 3] - usual)[run].mean()
    assert areas.in_run[0, column] == pytest.approx(expected, rel=1e-3)
    # each pixel by its own brightness, so that it rises with that of the area
    assert areas.signed[0, column] == pytest.approx(signed[0, 2, 3], rel=1e-6)
    assert areas.signed[0].sum() == pytest.approx(signed[0].sum(), rel=1e-6)
    shap_files.write_pixels(tmp_path / "map.h5", areas, found)
    again = shap_files.read_pixels(tmp_path / "map.h5")
    np.testing.assert_allclose(again.pixel_signed, found.pixel_signed, rtol=1e-6)
    table = maps.read([tmp_path / "map.h5"])
    assert table.columns.name == "area"
    assert [*table.columns[table.iloc[0] > 0.1]] == ["square r2 c2", "square r3 c1"]
    with pytest.raises(UserError, match=r"d\.h5: not a file of `mesodecode shap-pixels`"):
        shap_files.read_pixels(tmp_path / "d.h5")


def test_what_outshines_an_area_and_is_not_read_does_not_change_its_sign(tmp_path):
    session(tmp_path)
    with h5py.File(tmp_path / "d.h5", "r+") as file:
        file["frames"][:, 2, 2] = 2000 + 1500 * (np.arange(80) // 2 % 2)  # whatever the state
    settings = settings_of(windows=30, background=20)
    one = read_recording(tmp_path / "d.h5")
    areas, found = pixel_shap.pixel_shap(planted(), [one], [], settings, decoder="x")
    column = areas.names.index("square r2 c2")
    assert areas.signed[0, column] == pytest.approx(found.pixel_signed[0, 0, 2, 3], rel=1e-6)
    assert areas.signed[0, column] == pytest.approx(areas.mean_abs[0, column], rel=1e-6)


def test_a_background_of_training_mice_is_what_is_usual(tmp_path):
    one, other = session(tmp_path), session(tmp_path, "a", n=60)
    settings = settings_of(windows=30, background=20)
    areas, found = pixel_shap.pixel_shap(planted(), [one], [other], settings, decoder="x")
    assert (areas.background_from, areas.n_background, areas.n_windows) == ("train", 20, 30)
    normal, theirs = (
        (item.read_frames(0, len(item)) - item.pixel_mean) / item.stack_sd for item in (one, other)
    )
    drawn = np.sort(np.random.default_rng(123).choice(56, 20, replace=False))
    usual = theirs[np.arange(2, 58)[drawn] - 2, 2, 3].mean()
    at = np.arange(2, 78)[(2 * np.arange(30) + 1) * 76 // 60]
    expected = normal[at - 2, 2, 3] - usual
    assert found.pixel_abs[0, 2, 3] == pytest.approx(np.abs(expected).mean(), rel=1e-3)
    column = areas.names.index("square r2 c2")
    for state, mean in ((1, areas.in_run), (0, areas.in_rest)):
        mine = expected[one.labels[at] == state].mean()
        assert mean[0, column] == pytest.approx(mine, rel=1e-3)
    elsewhere = session(tmp_path, "z")
    with pytest.raises(UserError, match=r"mouse z did not train this decoder"):
        pixel_shap.pixel_shap(planted(), [one], [elsewhere], settings, decoder="x")


def whole(tmp_path) -> dict:
    torch.manual_seed(0)
    cnn = CNNDecoder("test_efficientnet")
    rnn = RNNDecoder(cnn.n_features, cell="gru", hidden_size=3)
    of_windows = {"half_window": 1, "rnn": "gru", "dropout": 0.0}
    of_windows |= {"hidden_size": 3, "num_layers": 1, "bidirectional": False}
    made = {"cnn": cnn, "cnn_rnn": rnn, "finetuned": CNNRNNDecoder(cnn, rnn)}
    for kind, network in made.items():
        settings = {"backbone": "test_efficientnet"} | ({} if kind == "cnn" else of_windows)
        trained = Trained(kind, settings, ("a", "b"), ("c",), network.state_dict())
        trained.save(tmp_path / f"{kind}.pt")
    return {kind: network.eval() for kind, network in made.items()}


@pytest.mark.parametrize(
    ("kind", "output", "more"),
    [
        ("finetuned", "probability", []),
        ("cnn_rnn", "logit", ["--cnn", "cnn.pt"]),
        ("cnn", "logit", []),
    ],
)
def test_the_verb_explains_networks_of_images_end_to_end(tmp_path, monkeypatch, kind, output, more):
    monkeypatch.chdir(tmp_path)
    networks, one = whole(tmp_path), session(tmp_path, side=32)
    session(tmp_path, "a", side=32)
    line = ["shap-pixels", "--weights", f"{kind}.pt", *more, "--recordings", "d.h5"]
    line += ["--background-recordings", "a.h5", "--windows", "1", "--background", "2"]
    line += ["--output", output, "--decoder", "mine", "--out", "map.h5", "--figure", "map"]
    line += ["--size", "0.5", "--stride", "0.5"]  # each pixel in one area: values add up
    assert cli.main([*line, "--threads", "1"]) == 0
    found, pixels = shap_files.read("map.h5"), shap_files.read_pixels("map.h5")
    n_frames = 3 if kind == "cnn" else 5
    assert pixels.pixel_signed.shape == (1, n_frames, 32, 32)
    assert found.signed.shape == (n_frames, 4) and found.background_from == "train"
    assert found.completeness_error <= 1e-5 and found.mean_abs.any() and pixels.pixel_abs.any()
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
    if output == "probability":
        expected = 1 / (1 + np.exp(-expected))
    assert found.base + total.sum(dtype=np.float64) == pytest.approx(expected, abs=2e-5)


def test_a_trace_is_explained_in_its_unit_and_each_state_against_the_others(tmp_path):
    torch.manual_seed(0)
    rng, n = np.random.default_rng(0), 80
    for target, k in ((Target("pupil", unit="mm", mean=3.0, sd=0.5), 1), (STATES, 3)):
        cnn = CNNDecoder("test_efficientnet")
        rnn = RNNDecoder(cnn.n_features, cell="gru", hidden_size=3, outputs=k)
        network = CNNRNNDecoder(cnn, rnn).eval()
        loaded = Loaded(ImageDecoder(network, 1), "cnn_rnn", target.settings(), ("a", "b"), ("c",))
        labels = rng.integers(3, size=n) if k == 3 else rng.normal(3, 0.5, n)
        one = replace(session(tmp_path, side=32), labels=labels)
        settings = settings_of(size=16, stride=16, windows=2, background=2, output="probability")
        found, pixels = pixel_shap.pixel_shap(loaded, [one], [], settings, decoder="x")
        assert found.target.name == target.name and found.each_abs.shape == (k, 5, 4)
        assert pixels.pixel_signed.shape == (k, 5, 32, 32)
        # both windows, of one side or the other of each output, add up to what the network gives
        at = np.arange(2, 78)[[19, 57]]
        normal = torch.as_tensor((one.read_frames(0, n) - one.pixel_mean) / one.stack_sd).float()
        windows = torch.stack([normal[t - 2 : t + 3] for t in at])
        images = windows.unfold(1, 3, 1).permute(0, 1, 4, 2, 3)
        with torch.no_grad():
            made = network.rnn(network.cnn.features(images.flatten(0, 1)).unflatten(0, (2, 3)))
        expected = explained.numbers(made.double().numpy(), target).sum(axis=1)
        counts = np.stack([found.n_one_side, 2 - found.n_one_side])
        sides = np.stack([found.one_side, found.other_side]).sum(axis=(2, 3))
        total = (counts * np.nan_to_num(sides)).sum(axis=0)
        np.testing.assert_allclose(2 * found.base + total, expected, atol=1e-4)
        figure = pixel_figure.draw([found], pixels)
        text = as_read(pixel_figure.caption([found], pixels))
        many = {key: counted(getattr(pixels, key)) - 9 for key in ("pixel_abs", "pixel_signed")}
        by_hand = replace(pixels, image=counted(pixels.image), **many)
        as_drawn(pixel_figure.draw([found], by_hand), f"pixels_of_{target.name}")
        assert ("A row a state: B: where a pixel is" in text) == (
            k == 3
        ) and "x, by Deep SH" in text
        assert [part.get_suptitle() for part in figure.subfigs[1].subfigs] == list(
            target.states or ("",)
        )


def test_images_may_be_higher_than_wide(tmp_path):
    session(tmp_path)
    one = _cut(tmp_path / "d.h5", (8, 6))
    settings = settings_of(windows=6, background=6)
    areas, found = pixel_shap.pixel_shap(planted(), [one], [], settings, decoder="x")
    read = np.zeros((5, 8, 6), bool)
    read[:3, 2, 3] = read[2:, 5, 1] = True
    assert found.pixel_abs.shape == (5, 8, 6) and found.image.shape == (8, 6)
    np.testing.assert_array_equal(found.pixel_abs > 0, read)
    named = zip(areas.names, areas.mean_abs.sum(axis=0), strict=True)
    assert [name for name, value in named if value > 0] == ["square r2 c2", "square r3 c1"]


def test_the_size_of_states_is_their_mean(tmp_path):
    loaded = planted(outputs=3)
    one = replace(session(tmp_path), labels=np.arange(80) % 3)
    settings = settings_of(windows=1, background=4)
    loaded = replace(loaded, settings=STATES.settings())
    areas, found = pixel_shap.pixel_shap(loaded, [one], [], settings, decoder="x")
    sizes = np.abs(found.pixel_signed)  # of one window, whose sign is that of the brightness
    assert sizes[:, 0, 2, 3].min() > 0 and len({*sizes[:, 0, 2, 3].round(6)}) == 3
    np.testing.assert_allclose(found.pixel_abs, sizes.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(areas.mean_abs, areas.each_abs.mean(axis=0), rtol=1e-6)
    assert found.session == "d_s1"
    np.testing.assert_array_equal(found.image, one.pixel_mean)


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
        (["--background", "1"], "--background: 1 is less than the minimum of 2"),
        (["--windows", "0"], "--windows: 0 is less than the minimum of 1"),
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


def test_maps_of_pixels_are_averaged_over_allocations_on_the_first_image():
    signed = np.arange(24.0).reshape(2, 3, 2, 2)
    one, other, third = (
        shap_files.Pixels(
            factor * np.abs(signed[0]), factor * signed, np.full((2, 2), factor), name
        )
        for factor, name in ((1.0, "a1"), (4.0, "b1"), (10.0, "c1"))
    )
    mean = shap_files.mean_pixels([one, other, third])
    np.testing.assert_allclose(mean.pixel_abs, 5 * signed[0])
    np.testing.assert_allclose(mean.pixel_signed, 5 * signed)
    assert mean.session == "a1" and (mean.image == 1).all()
    shorter = replace(other, pixel_signed=signed[:, 1:])
    for maps_of, names in (([one, shorter], "a1 and b1"), ([shorter, one], "b1 and a1")):
        words = f"maps of pixels of sessions {names}: of other frames or"
        with pytest.raises(UserError, match=words):
            shap_files.mean_pixels(maps_of)


def test_each_recording_has_its_own_areas(tmp_path):
    one, other = session(tmp_path), session(tmp_path, "e", n=60)
    for mouse, column in (("d", 1), ("e", 6)):
        area = np.zeros((8, 8), np.uint8)
        area[2:5, column] = 1
        np.save(tmp_path / f"{mouse}.npy", area)
    drawn = settings_of(areas=str(tmp_path / "{mouse}.npy"), size=None, stride=None)
    windows = pixel_shap._Windows(planted().decoder, [one, other], drawn)
    values = torch.arange(64.0).expand(4, 2, 64)  # of a pixel: 8 x row + column
    at = torch.tensor([5, 79, 80, 139])  # the first 80 frames are those of d
    found = windows.total(values, at)
    assert found.shape == (4, 2, 1)
    assert found[:, 0, 0].tolist() == [75, 75, 90, 90]  # 16 + 24 + 32, and three times the column


def test_noise_is_of_the_images_that_windows_read_each_once(tmp_path, monkeypatch):
    plain, seen = planted().decoder, []
    causal = SimpleNamespace(
        **{"normalising": plain.normalising, "half_window": 1, "device": plain.device},
        offsets=torch.tensor([-2, -1, 0]),
    )
    windows = pixel_shap._Windows(causal, [session(tmp_path)], settings_of())
    monkeypatch.setattr(recording_noise, "pixel_sd", lambda _, places, n: seen.append(places))
    windows.add_noise(torch.tensor([20, 5, 6]), 0)
    assert seen[0].tolist() == [3, 4, 5, 6, 18, 19, 20]


def test_windows_and_areas_of_two_recordings_must_fit(tmp_path):
    one, settings = session(tmp_path), settings_of(windows=4, background=4)
    short = session(tmp_path, "a", n=4)  # a window reads five frames

    def refused(match, recordings, background=(), how=settings, loaded=None):
        with pytest.raises(UserError, match=match):
            pixel_shap.pixel_shap(loaded or planted(), recordings, background, how, decoder="x")

    refused(r"a\.h5: no frame has a window of images", [one], [short])
    linear = replace(planted(), kind="linear")
    linear = replace(linear, decoder=replace(linear.decoder, network=torch.nn.Flatten()))
    refused(
        "a 'linear' decoder has no CNN to explain; give weights of train-cnn",
        [one],
        (),
        settings,
        linear,
    )
    other = session(tmp_path, "e")
    for mouse, number in (("d", 1), ("e", 2), ("b", 2)):
        np.save(tmp_path / f"{mouse}.npy", number * np.eye(8, dtype=np.uint8))
    drawn = settings_of(
        windows=4, background=4, areas=str(tmp_path / "{mouse}.npy"), size=None, stride=None
    )
    refused(r"e\.h5: other areas than .*d\.h5; give files of areas of", [one, other], (), drawn)
    trained = session(tmp_path, "b")
    refused("areas: other names in the background; give files", [one], [trained], drawn)
    for size in ((8, 6), (6, 8)):
        session(tmp_path, "b")
        narrow = _cut(tmp_path / "b.h5", size)
        words = "images of 8 x 8 px, but a background of {} x {} px; give one size"
        refused(words.format(*size), [one], [narrow])


def _cut(path, size):
    """A recording of the upper left of another's frames."""
    part = np.s_[..., : size[0], : size[1]]
    whole = read_recording(path)
    with h5py.File(path, "r+") as file:
        for key, values in (
            ("frames", whole.read_frames(0, len(whole))),
            ("pixel_mean", whole.pixel_mean),
        ):
            file.move(key, f"{key} of {size}")
            file[key] = values[part]
    return read_recording(path)


def counted(values: np.ndarray) -> np.ndarray:
    """0, 1, 2, … in the shape of values."""
    return np.arange(float(values.size)).reshape(values.shape)


def test_the_bar_of_sizes_begins_at_0(tmp_path):
    settings = settings_of(windows=4, background=4)
    found, pixels = pixel_shap.pixel_shap(planted(), [session(tmp_path)], [], settings, decoder="x")
    signed = np.zeros((1, 5, 16, 16))
    signed.flat[0] = -0.3  # so few pixels that their 99.5th percentile is 0: up to the largest
    none = {"pixel_abs": np.zeros((5, 16, 16)), "image": np.zeros((16, 16))}
    figure = pixel_figure.draw([found], replace(pixels, pixel_signed=signed, **none))
    bars = {a.get_ylabel().split(",")[0]: a.get_ylim() for a in figure.axes}
    assert bars["Mean |SHAP|"] == (0, 1) and bars["SHAP"] == (-0.3, 0.3)
    size, sign = map(counted, (pixels.pixel_abs, pixels.pixel_signed))
    by_hand = replace(pixels, pixel_abs=size, pixel_signed=sign - 40, image=size[0])
    as_drawn(pixel_figure.draw([found], by_hand), "pixels")
    about = {"test_mouse": "e", "allocation": "x", "completeness_error": 0.5}
    other = replace(found, background_from="train", **about)
    text = as_written(pixel_figure.caption([other, found], pixels), "pixels")
    assert "up to 4 windows of each test mouse and allocations (n = 2)" in text and "%" not in text
    assert f"against {other.n_background} windows of the training mice" in text
    assert "windows of mouse d (50% of them run)" in as_read(pixel_figure.caption([found], pixels))


def test_by_time_a_long_window_is_drawn_in_parts_each_by_its_mean(tmp_path):
    settings = settings_of(windows=4, background=4)
    found, pixels = pixel_shap.pixel_shap(planted(), [session(tmp_path)], [], settings, decoder="x")
    frame = np.arange(-4, 4)
    long = replace(found, frame=frame)
    signed = np.zeros((1, 8, 2, 2))
    signed[0, :4] = np.array([1.0, 5, 2, 8])[:, None, None]  # parts of two, and then of one
    some = {"pixel_abs": np.abs(signed[0]), "image": np.zeros((2, 2))}
    figure = pixel_figure.draw([long], replace(pixels, pixel_signed=signed, **some))
    bars = {axes.get_ylabel().split(",")[0]: axes.get_ylim() for axes in figure.axes}
    assert bars["SHAP by frame"] == (-5, 5)  # 3 and 5, the means of the first two
    assert bars["SHAP"] == (-16, 16) and bars["Mean |SHAP|"] == (0, 16)  # of the whole, sums
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [
        signed_figure.span(frame[one], 30.0) for one in np.split(frame + 4, (2, 4, 5, 6, 7))
    ]


@pytest.mark.parametrize("kind", ["linear", "cnn", "gru"])
def test_recordings_of_another_target_are_refused_by_all_that_explain(tmp_path, kind):
    weights, path = make_live.make_weights(tmp_path, kind), make_live.write(tmp_path / "t1.h5")
    target = Target("pupil", unit="mm")
    with h5py.File(path, "a") as file:
        file["target"] = np.linspace(1, 2, len(file["labels"])).astype(np.float32)
        file["target"].attrs.update(target.attributes())
    words = rf"{kind}\.\w+: decodes run, but the target of the recordings is pupil \(mm\)"
    with pytest.raises(UserError, match=words):
        if kind == "gru":
            shap_maps.read_inputs(weights[0], [path], None)
        else:
            cutout_scores.load_decoder(weights[0], None, [read_recording(path)])
    if kind == "cnn":
        with pytest.raises(UserError, match=words):
            pixel_shap.read_inputs(weights[0], None, [path], None, "cpu")


def test_maps_of_two_decoders_are_not_drawn_as_one(tmp_path):
    settings = settings_of(windows=4, background=4)
    found, pixels = pixel_shap.pixel_shap(planted(), [session(tmp_path)], [], settings, decoder="x")
    with pytest.raises(UserError, match="of other ROIs, frames, decoders or outputs"):
        pixel_figure.draw([found, replace(found, decoder="y")], pixels)


def test_frames_of_another_size_than_those_of_training_are_refused(tmp_path):
    weights = make_live.make_weights(tmp_path, "cnn", frame_size=[SIDE, SIDE])
    paths = [
        make_live.write(tmp_path / f"t{i}.h5", make_live.movie(side=SIDE // (1 + i)))
        for i in range(2)
    ]
    words = r"t1\.h5: frames of .* but .*cnn\.pt was trained on"
    with pytest.raises(UserError, match=words):
        pixel_shap.read_inputs(weights[0], None, paths[1:], None, "cpu")
    with pytest.raises(UserError, match=words):  # the second of them too
        cutout_scores.load_decoder(weights[0], None, [read_recording(path) for path in paths])
