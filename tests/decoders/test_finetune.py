"""CNN and RNN trained together: sharing frames between windows changes the cost, not the result."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from make_decoders import assert_same_bits, write_recording
from mesodecode.cli import main
from mesodecode.cli.decoders import _chosen, _training
from mesodecode.decoders import weights
from mesodecode.decoders.augment import Augment
from mesodecode.decoders.checkpoint import digest_of
from mesodecode.decoders.inputs import Images, ImageWindows
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder
from mesodecode.decoders.weights import TrainedEpochs, load_epochs, load_trained
from mesodecode.recordings.recording import Recording, told_frames

torch.set_num_threads(1)


class Memory(Recording):
    """A recording whose frames are in memory."""

    def read_frames(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        return MOVIES[self.session][start:stop]


MOVIES: dict[str, np.ndarray] = {}


def recording(session: str, n_frames: int, segment: np.ndarray | None = None) -> Recording:
    rng = np.random.default_rng(len(session) + n_frames)
    frames = rng.integers(0, 60000, (n_frames, 32, 32)).astype(np.uint16)
    MOVIES[session] = frames
    return Memory(
        path=Path(session),
        session=session,
        mouse="m",
        frame_rate=30.0,
        labels=rng.integers(0, 2, n_frames).astype(np.uint8),
        speed=None,
        segment=segment,
        rois=None,
        pixel_mean=frames.mean(0).astype(np.float32),
        stack_sd=float(frames.std()),
        shape=frames.shape,
    )


@pytest.mark.parametrize("half_window", [0, 1, 5])
def test_logits_and_gradients_equal_those_of_one_window_at_a_time(half_window):
    torch.manual_seed(1)
    model = CNNRNNDecoder(
        CNNDecoder("test_efficientnet.r160_in1k"), RNNDecoder(256, cell="gru", hidden_size=8)
    ).eval()  # BatchNorm by its running statistics: a window does not depend on its batch
    naive = copy.deepcopy(model)
    recordings = [recording("a", 40), recording("bb", 30, np.repeat([0, 1], 15))]
    source, images = ImageWindows(recordings, half_window), Images(recordings)
    # a run, a second one that overlaps it, single frames of both recordings
    at = source.centres[torch.tensor([3, 4, 5, 6, 7, 5, 6, 20, len(source.centres) - 1])]
    labels = source.labels[at]
    logits = model(source.batch(at))
    torch.nn.functional.binary_cross_entropy_with_logits(logits, labels).backward()

    expected = []
    for centre in at.tolist():  # every window on its own, 2 w + 1 passes each
        frames = torch.arange(centre - half_window, centre + half_window + 1)
        features = torch.cat([naive.cnn.features(images.batch(f[None])) for f in frames])
        expected.append(naive.rnn(features[None]))
    expected = torch.cat(expected)
    torch.nn.functional.binary_cross_entropy_with_logits(expected, labels).backward()

    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)
    for (name, p), q in zip(model.named_parameters(), naive.parameters(), strict=True):
        if q.grad is None:
            assert p.grad is None, name  # the CNN's own read-out
        else:
            torch.testing.assert_close(p.grad, q.grad, atol=1e-5, rtol=1e-4, msg=name)


def test_a_run_of_windows_takes_each_image_once():
    source = ImageWindows([recording("a", 40)], half_window=5)
    images, windows = source.batch(source.centres[:16])
    assert images.shape == (16 + 2 * 5, 3, 32, 32)
    assert windows.tolist() == [list(range(n, n + 11)) for n in range(16)]


def test_no_window_crosses_a_segment():
    segment = np.repeat([0, 1, 2], [20, 9, 16])
    source = ImageWindows([recording("a", 45, segment)], half_window=4)
    # reach 5: segment 0 has 5 … 14, segment 1 (9 frames) none, segment 2 (29 … 44) 34 … 39
    assert source.centres.tolist() == [*range(5, 15), *range(34, 40)]


def test_the_images_of_a_batch_are_all_changed_alike_by_recording():
    recordings = [recording("a", 40), recording("bb", 30)]
    plain, dimmed = (ImageWindows(recordings, 3, augment=a) for a in (None, Augment(intensity=0.5)))
    torch.manual_seed(0)
    at = plain.centres[[4, 5, 40, 41]]
    images, windows = dimmed.batch(at)
    before, same = plain.batch(at)
    torch.testing.assert_close(windows, same)
    factor = (images / before).flatten(1).median(1).values
    torch.testing.assert_close(images, before * factor[:, None, None, None])
    first, second = factor[windows[:2].unique()], factor[windows[2:].unique()]
    assert first.std() < 1e-5 and second.std() < 1e-5 and abs(first[0] - second[0]) > 0.01


def test_the_images_of_a_cnn_are_each_changed_their_own_way():
    recordings = [recording("a", 40), recording("bb", 30)]
    plain, dimmed = (Images(recordings, augment=a) for a in (None, Augment(intensity=0.5)))
    torch.manual_seed(0)
    at = plain.centres[[4, 5, 40]]
    factor = (dimmed.batch(at) / plain.batch(at)).flatten(1).median(1).values
    assert factor.sort().values.diff().min() > 0.01


def run(*words) -> int:
    return main([*map(str, words), "--threads", "1", "--device", "cpu"])


@pytest.mark.parametrize(("before", "fitted"), [("finetuned", [2]), ("cnn_rnn", [1, 2])])
def test_what_was_trained_of_another_kind_under_the_name_is_trained_anew(
    tmp_path, monkeypatch, before, fitted
):
    """Such as by a decoder whose CNN was frozen in an earlier config."""
    out, done, written = tmp_path / "out.pt", [], []
    state = {"rnn.head.weight": torch.zeros(1)}
    known = {1: digest_of({"start": 1})}
    TrainedEpochs(before, {}, ("m1",), [state], [{}], [1], known).save(out)
    monkeypatch.setattr(weights, "_check_states", lambda *_: None)  # of no real network
    monkeypatch.setattr(TrainedEpochs, "save", lambda trained, _: written.append(trained))

    def fit(start: int) -> SimpleNamespace:
        done.append(start)
        return SimpleNamespace(states=[state], history=[SimpleNamespace()])

    trained = SimpleNamespace(kind="finetuned", settings={}, train_mice=("m1",))
    args = SimpleNamespace(all_epochs=out)
    _training.finish_starts(args, trained, [1, 2], lambda start: {"start": start}, fit)
    assert done == fitted and written[0].starts == [1, 2] and written[0].kind == "finetuned"


def test_fine_tuned_decoders_start_from_each_chosen_epoch_as_if_alone(
    tmp_path, capsys, monkeypatch
):
    """Two epochs of a CNN in one job are each trained as in a job of its own, and told apart."""
    paths = {
        m: write_recording(tmp_path / f"{m}.h5", m, n_frames=40, seed=i)
        for i, m in enumerate(("m1", "m2", "m3"))
    }
    cnn = ["train-cnn", "--train", paths["m1"], "--backbone", "test_efficientnet", "--pretrained"]
    cnn += ["none", "--epochs", 2, "--batch-size", 16, "--frame-step", 1, "--max-lr", 0.003]
    start = tmp_path / "cnn.pt"
    assert run(*cnn, "--all-epochs", start) == 0
    small = ["--rnn", "gru", "--half-window", 1, "--hidden-size", 4, "--epochs", 2]
    small += ["--frame-step", 1, "--batch-size", 16, "--num-layers", 2, "--dropout", 0.3]
    tune = ["finetune", "--start", start, "--train", paths["m1"], *small]
    (tmp_path / "chosen.txt").write_text("2\n")
    both = tmp_path / "both.pt"

    def tuned(out: Path, *epochs: int, more: tuple = ()) -> None:
        monkeypatch.setattr(_chosen, "epochs", lambda args, every: list(epochs))
        checkpoint = ("--checkpoint", tmp_path / f"{out.stem}.checkpoint.pt")
        assert run(*tune, "--all-epochs", out, *checkpoint, *more) == 0

    tuned(both, 1, 2)
    together = load_epochs(both)
    assert together.starts == [1, 1, 2, 2] and together.kind == "finetuned"
    kept = {path.name for path in tmp_path.glob("both.checkpoint.*")}  # one of each start
    assert kept == {f"both.checkpoint.start-{epoch}.finished.pt" for epoch in (1, 2)}
    capsys.readouterr()
    for epoch, rows in ((1, [0, 1]), (2, [2, 3])):
        one = tmp_path / f"{epoch}.pt"
        tuned(one, epoch)
        alone = load_epochs(one)
        if epoch == 2:  # another epoch is added: what was trained is kept, and to the bit
            assert "trained before from" not in capsys.readouterr().err
            tuned(one, 1, 2)
            assert capsys.readouterr().err.count("trained before from epoch 2") == 1
            added = load_epochs(one)
            assert added.starts == together.starts
            for mine, state in zip(added.states, together.states, strict=True):
                assert_same_bits(mine, state)
            tuned(
                one, 2, more=("--max-lr", 0.002, "--checkpoint", tmp_path / "c.pt")
            )  # of other settings: anew
            assert "trained before from" not in capsys.readouterr().err
        for row, state in zip(rows, alone.states, strict=True):
            assert_same_bits(together.states[row], state)
    assert not torch.equal(*(together.states[row]["rnn.head.weight"] for row in (0, 2)))

    for mouse in ("m2", "m3"):
        passing = ["pass-images", "--trained", both, "--recordings", paths[mouse]]
        assert run(*passing, "--out", tmp_path / f"{mouse}_passed.h5") == 0
    words = [
        *("choose", "--trained", both, "--valid", tmp_path / "m2_passed.h5"),
        *("--test", tmp_path / "m3_passed.h5", "--decoder", "d", "--out", tmp_path / "d.pt"),
        *("--history", tmp_path / "d.tsv", "--predictions", tmp_path / "p.h5"),
        *("--epoch", tmp_path / "d.txt"),
    ]
    assert main([*map(str, words), "--start-epoch", str(tmp_path / "chosen.txt")]) == 0
    kept = load_trained(tmp_path / "d.pt", "finetuned")
    assert (kept.train_mice, kept.valid_mice) == (("m1",), ("m2",))
    assert told_frames(kept.settings) == ((32, 32), 30.0)
    epoch = int((tmp_path / "d.txt").read_text())
    assert_same_bits(kept.state, together.states[1 + epoch])  # the epochs of the second start

    capsys.readouterr()
    for more, line in (
        (["--start-epoch", "3"], "not trained from epoch 3 of a CNN; trained from: 1, 2"),
        ([], "not trained from epoch None of a CNN"),
        (["--start-epoch", "none.txt"], "--start-epoch none.txt: no epoch, from 1, and no file"),
    ):
        assert main([*map(str, words), *more]) == 1
        assert line in capsys.readouterr().err
    monkeypatch.undo()
    assert run(*tune, "--all-epochs", tmp_path / "x.pt") == 1
    assert "--chosen-by: needed to choose among epochs" in capsys.readouterr().err
