"""Training: it learns, repeats itself, keeps the best epoch, and says why it cannot."""

import math
import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from make_decoders import assert_same_bits
from mesodecode.base import progress
from mesodecode.base.files import UserError
from mesodecode.base.progress import Progress
from mesodecode.base.roc_auc import roc_auc
from mesodecode.cli.decoders import _training
from mesodecode.decoders import device as device_module
from mesodecode.decoders.checkpoint import Checkpoint
from mesodecode.decoders.device import peak_memory, reduced_dtype, resolve_device
from mesodecode.decoders.inputs import Source
from mesodecode.decoders.train import Epoch, Fit, describe, fit, write_history
from mesodecode.decoders.weights import Trained
from mesodecode.study.targets import RUN, Target

SETTINGS = {"epochs": 3, "batch_size": 32, "max_lr": 0.05, "frame_step": 1, "seed": 7}


pytestmark = pytest.mark.usefixtures("one_thread")


def flat(lists):
    return [item for each in lists for item in each]


class Points(Source):
    """Points in space with labels; remembers which were asked for."""

    def __init__(self, inputs, labels, centres=None):
        self.inputs = torch.as_tensor(inputs, dtype=torch.float32)
        self.labels = torch.as_tensor(labels, dtype=torch.float32)
        self.centres = torch.arange(len(labels)) if centres is None else torch.as_tensor(centres)
        self.asked = []

    def batch(self, centres):
        self.asked.append(centres.tolist())
        return self.inputs[centres]


def two_clouds(n=200, seed=0, flip=False, noise=0.5):
    """The label is the sign of the first of three coordinates, but for some noise."""
    inputs = np.random.default_rng(seed).normal(size=(n, 3))
    labels = inputs[:, 0] + noise * np.random.default_rng(seed + 1).normal(size=n) > 0
    return Points(inputs, labels != flip)


class Net(nn.Module):
    """A linear layer behind a BatchNorm."""

    def __init__(self, norm=True):
        super().__init__()
        self.norm = nn.BatchNorm1d(3) if norm else nn.Identity()
        self.head = nn.Linear(3, 1)

    def forward(self, x):
        return self.head(self.norm(x))[:, 0]


def run(train=None, valid=None, make=Net, **changed):
    return fit(make, train or two_clouds(), valid or two_clouds(seed=9), **(SETTINGS | changed))


def loss_and_logits(state, source, make=Net):
    model = make()
    model.load_state_dict(state)
    with torch.no_grad():
        logits = model.eval()(source.inputs)
    return binary_cross_entropy_with_logits(logits, source.labels).item(), logits


def test_it_learns_what_can_be_learned():
    valid = two_clouds(seed=9, noise=0)
    fitted = run(two_clouds(noise=0), valid, epochs=5)
    assert [line.epoch for line in fitted.history] == [1, 2, 3, 4, 5]
    assert fitted.history[-1].valid_auc > 0.95
    _, logits = loss_and_logits(fitted.state, valid)
    assert roc_auc_score(valid.labels, logits) > 0.95
    losses = [line.train_loss for line in fitted.history]
    assert losses[-1] < 0.5 * losses[0]


def test_the_loss_of_the_epoch_so_far_is_shown_now_and_then(monkeypatch):
    """Reading it waits for a GPU: every ten seconds, not every step."""
    from mesodecode.decoders import train

    now, shown = [0.0], []

    class Shown(Progress):
        def update(self, n, **more):
            super().update(n, **more)
            shown.append(more.get("loss"))

    def monotonic():
        now[0] += 1.0
        return now[0]

    monkeypatch.setattr(train, "Progress", Shown)
    monkeypatch.setattr(train, "time", SimpleNamespace(monotonic=monotonic))
    line, later = run(epochs=2, batch_size=2).history
    for one in (line, later):  # of 100 steps, and at the start and the end of an epoch
        assert (one.inputs_per_s, one.feed_share) == (200 / 202, 100 / 202)
    shown = shown[:100]
    steps = [at for at, loss in enumerate(shown) if loss != (shown[at - 1] if at else None)]
    assert len(shown) == 100 and set(np.diff(steps)) == {5}  # of two looks at the clock each
    assert 0 < shown[-1] < 2 and abs(shown[-1] - line.train_loss) < 0.1


def test_labels_of_chance_stay_at_chance():
    rng = np.random.default_rng(0)
    train, valid = (Points(rng.normal(size=(400, 3)), rng.integers(0, 2, 400)) for _ in range(2))
    assert 0.4 < run(train, valid).history[-1].valid_auc < 0.6


def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before():
    first = run()
    torch.rand(17)
    second = run()
    assert first.state.keys() == second.state.keys()
    for key, value in first.state.items():
        assert torch.equal(value, second.state[key]), key
    assert [line.valid_loss for line in first.history] == [
        line.valid_loss for line in second.history
    ]


def test_another_seed_gives_other_weights_in_another_order():
    a, b = two_clouds(), two_clouds()
    first, second = run(a), run(b, seed=8)
    assert not torch.equal(first.state["head.weight"], second.state["head.weight"])
    assert a.asked[0] != b.asked[0]


def test_every_epoch_takes_every_frame_once_in_another_order():
    train = two_clouds(n=100)
    run(train, epochs=2, batch_size=32)
    sizes = [len(at) for at in train.asked]
    assert sum(sizes) == 200
    first, second = flat(train.asked[:4]), flat(train.asked[4:])
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second != list(range(100))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("flip", [False, True])
def test_the_epoch_of_lowest_validation_loss_is_kept(seed, flip):
    """With flipped validation labels, what is learned later is worse: epoch 1 is kept."""
    valid = two_clouds(seed=9, flip=flip)
    fitted = run(two_clouds(seed=seed), valid, epochs=6, max_lr=0.3)
    losses = [line.valid_loss for line in fitted.history]
    assert len(set(losses)) == 6
    if flip:
        assert losses[0] == min(losses) < losses[-1]
    kept, logits = loss_and_logits(fitted.state, valid)
    assert kept == pytest.approx(min(losses), rel=1e-5)
    best = fitted.history[int(np.argmin(losses))]
    assert best.valid_auc == pytest.approx(roc_auc_score(valid.labels, logits), abs=1e-6)


def test_a_kept_state_is_a_copy():
    """Later steps must not write into the weights of the best epoch."""
    fitted = run(valid=two_clouds(seed=9, flip=True), epochs=4, max_lr=0.5)
    kept, _ = loss_and_logits(fitted.state, two_clouds(seed=9, flip=True))
    assert kept == pytest.approx(fitted.history[0].valid_loss, rel=1e-5)
    assert kept < fitted.history[-1].valid_loss


def test_the_validation_is_in_evaluation_mode():
    """Dropout of nearly everything would make the validation loss jump from run to run."""

    def make():
        return nn.Sequential(nn.Linear(3, 1), nn.Flatten(0), nn.Dropout(0.9))

    valid = two_clouds(seed=9)
    fitted = run(valid=valid, make=make, epochs=1)
    kept, _ = loss_and_logits(fitted.state, valid, make)
    assert fitted.history[0].valid_loss == pytest.approx(kept, rel=1e-5)


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_frame_step_takes_every_nth_decodable_frame(step):
    train, valid = two_clouds(n=90), two_clouds(n=80, seed=9)
    train.centres, valid.centres = torch.arange(5, 85), torch.arange(3, 73)
    run(train, valid, epochs=1, frame_step=step)
    assert sorted(flat(train.asked)) == list(range(5, 85, step))
    assert flat(valid.asked) == list(range(3, 73, step))


@pytest.mark.parametrize(
    ("n", "run_length", "step"), [(23, 5, 1), (23, 5, 2), (25, 5, 1), (7, 9, 1)]
)
def test_runs_of_frames_stay_together_and_the_shorter_last_one_is_trained_too(n, run_length, step):
    train, valid = (Points(np.zeros((n + 3, 3)), np.arange(n + 3) % 2) for _ in range(2))
    train.centres = valid.centres = torch.arange(3, n + 3)
    run(train, valid, epochs=2, frame_step=step, run_length=run_length, batch_size=100)
    runs = [list(range(n + 3))[3:][at : at + run_length] for at in range(0, n, run_length)][::step]
    first, second = flat(train.asked[:1]), flat(train.asked[1:])
    assert sorted(first) == sorted(second) == flat(runs) == flat(valid.asked[:1])
    for epoch in (first, second):
        for one in runs:
            assert epoch[epoch.index(one[0]) :][: len(one)] == one


def test_batches_of_runs_are_of_whole_runs_in_turn():
    train = two_clouds(n=60)
    run(train, epochs=1, run_length=5, batch_size=10)
    assert len(train.asked) == 6
    rows = torch.tensor(train.asked).view(6, 2, 5)
    assert (rows.diff() == 1).all() and (rows[..., 0] % 5 == 0).all()


def test_of_epochs_of_one_validation_loss_the_first_is_kept():
    """Without steps to take, epochs differ by the batches that a network has counted."""

    class Counting(Net):
        def __init__(self):
            super().__init__(norm=False)
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x):
            self.seen += self.training
            return super().forward(x)

    fitted = run(make=Counting, max_lr=0.0, schedule="constant", batch_size=50, epochs=3)
    assert len({line.valid_loss for line in fitted.history}) == 1
    assert fitted.state["seen"] == 4  # of 200 frames in batches of 50
    stopped = run(make=Counting, max_lr=0.0, schedule="constant", epochs=9, early_stopping=2)
    assert len(stopped.history) == 3


@settings(max_examples=40, deadline=None)
@given(n=st.integers(4, 70), batch_size=st.integers(2, 40))
def test_no_batch_is_of_one_frame(n, batch_size):
    """BatchNorm cannot train on one; batches are nearly equal and about `batch_size`."""
    train = Points(np.arange(3.0 * n).reshape(n, 3), np.arange(n) % 2)
    run(train, epochs=1, batch_size=batch_size)
    sizes = [len(at) for at in train.asked]
    assert sum(sizes) == n
    assert min(sizes) > 1
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= max(batch_size, 3)


# --- the learning rate -------------------------------------------------------------------------


def one_cycle(step, total, peak):
    """Smith & Topin 2018 as in torch: a cosine from peak/25 up to the peak at 30 %, then down."""

    def cosine(start, end, share):
        return end + (start - end) / 2 * (1 + math.cos(math.pi * share))

    top = 0.3 * total - 1
    if step <= top:
        return cosine(peak / 25, peak, step / top)
    return cosine(peak, peak / 25e4, (step - top) / (total - 1 - top))


@pytest.mark.parametrize(("epochs", "batch_size"), [(3, 32), (5, 50), (1, 20)])
def test_the_learning_rate_goes_through_one_cycle(epochs, batch_size):
    fitted = run(epochs=epochs, batch_size=batch_size)  # of 200 frames
    n_batches = math.ceil(200 / batch_size)
    for line in fitted.history:
        step = line.epoch * n_batches
        assert line.step == step
        expected = one_cycle(step, epochs * n_batches, 0.05)
        assert line.lr == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_the_first_step_of_adam_is_as_long_as_the_first_learning_rate():
    """Adam's first step moves each weight by the rate, whatever the gradient: peak / 25.

    One step an epoch; the validation labels are flipped, so that the first epoch's is kept.
    """
    start = []

    def make():
        net = Net(norm=False)
        start.append({key: value.clone() for key, value in net.state_dict().items()})
        return net

    valid = two_clouds(seed=9, flip=True)
    fitted = run(valid=valid, make=make, epochs=10, batch_size=200, max_lr=0.5, seed=1)
    assert min(fitted.history, key=lambda line: line.valid_loss).epoch == 1
    for key, value in start[0].items():
        moved = (fitted.state[key] - value).abs()
        torch.testing.assert_close(moved, torch.full_like(moved, 0.5 / 25), rtol=1e-3, atol=1e-7)


# --- what cannot be trained --------------------------------------------------------------------


@pytest.mark.parametrize("state", [0, 1])
def test_one_state_alone_is_refused(state):
    one = Points(np.zeros((20, 3)), np.full(20, state))
    with pytest.raises(UserError, match="training frames"):
        run(train=one)
    with pytest.raises(UserError, match="validation frames"):
        run(valid=one)


def test_one_state_left_by_frame_step_or_windows_is_refused():
    alternating = Points(np.zeros((20, 3)), np.arange(20) % 2)
    run(alternating, alternating, epochs=1)
    with pytest.raises(UserError, match="10 training frames"):
        run(alternating, alternating, frame_step=2)
    run_only = Points(np.zeros((20, 3)), np.arange(20) % 2, centres=[1, 3, 5])
    with pytest.raises(UserError, match="3 validation frames"):
        run(alternating, run_only)
    nothing = Points(np.zeros((20, 3)), np.arange(20) % 2, centres=np.zeros(0, int))
    with pytest.raises(UserError, match="0 training frames"):
        run(nothing, alternating)


def test_a_loss_that_is_not_finite_is_an_error():
    broken = two_clouds()
    broken.inputs[3] = math.nan
    with pytest.raises(UserError, match=r"epoch 1.*finite.*max_lr"):
        run(broken)
    with pytest.raises(UserError, match="finite"):
        run(valid=broken)
    with pytest.raises(UserError, match="finite"):
        run(max_lr=1e38, make=lambda: Net(norm=False))


def test_of_several_gpus_each_job_takes_its_own(monkeypatch, tmp_path):
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    named = [SimpleNamespace(uuid=f"{tmp_path.name}-{i}") for i in range(3)]
    monkeypatch.setattr(torch.cuda, "get_device_properties", named.__getitem__)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    held = []
    for _ in range(3):  # three processes: what one of them holds is not in the others' list
        monkeypatch.setattr(device_module, "_GPU", [])
        assert resolve_device("auto", None) == torch.device("cuda")
        resolve_device("cuda", None)  # the same process again keeps its GPU
        held += device_module._GPU
    assert chosen == [0, 1, 2]
    os.close(held[1])  # the second process ends
    monkeypatch.setattr(device_module, "_GPU", [])
    resolve_device("auto", None)
    assert chosen == [0, 1, 2, 1]
    for handle in (held[0], held[2], *device_module._GPU):
        os.close(handle)


def test_a_gpu_finds_what_other_jobs_have_compiled(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for own, expected in ((None, str(tmp_path / "mesodecode/inductor")), ("/mine", "/mine")):
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", own or "")
        if not own:
            monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
        resolve_device("cuda", None)
        assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == expected


def test_a_device_that_is_not_there_is_an_error(monkeypatch):
    def refuses():
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).\n…")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", refuses)
    with pytest.raises(
        UserError, match=r"--device cuda: .* \(The NVIDIA driver .* 11040\).\); use"
    ):
        resolve_device("cuda", None)
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    with pytest.raises(UserError, match=r"sees no GPU here \(none is visible\); use --device auto"):
        resolve_device("cuda", None)
    assert resolve_device("auto", 1) == resolve_device("cpu", None) == torch.device("cpu")
    assert torch.get_num_threads() == 1
    for threads in (0, -1):
        with pytest.raises(UserError, match="--threads"):
            resolve_device("cpu", threads)


# --- options that the published protocol leaves off --------------------------------------------


def test_training_stops_once_epochs_in_a_row_were_no_better():
    """Labels of the validation points are reversed: every epoch is worse than the one before."""
    wrong = two_clouds(seed=9, flip=True)
    fitted = run(valid=wrong, epochs=20, max_lr=0.1, early_stopping=3)
    losses = [line.valid_loss for line in fitted.history]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 3 < 20


def test_training_that_gets_better_does_not_stop_early():
    plain = run(epochs=4, max_lr=0.01)
    losses = [line.valid_loss for line in plain.history]
    assert losses == sorted(losses, reverse=True)
    assert len(run(epochs=4, max_lr=0.01, early_stopping=1).history) == 4


def test_the_average_of_weights_follows_its_formula():
    """a <- d a + (1 - d) w after every step, from the weights before the first; a is kept."""
    states = []

    class Recorded(Net):
        def forward(self, x):
            states.append(self.head.weight.detach().clone())
            return super().forward(x)

    decay, train = 0.8, two_clouds(n=60)
    fitted = run(train, make=lambda: Recorded(norm=False), epochs=1, batch_size=20, ema_decay=decay)
    # The network is called before steps 1, 2 and 3, and then the average is, to be validated.
    first, second, third, kept = states
    assert not torch.equal(first, third)
    torch.testing.assert_close(fitted.state["head.weight"], kept)
    plain = run(train, make=lambda: Net(norm=False), epochs=1, batch_size=20)
    last = plain.state["head.weight"]  # the same steps without the average
    average = second  # the library begins its average with the weights after the first step
    for weights in (third, last):
        average = decay * average + (1 - decay) * weights
    torch.testing.assert_close(kept, average)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_smoothed_labels_are_half_of_it_from_either_end(smoothing):
    """Rest counts as s/2 and run as 1 - s/2, in training and in validation, by hand."""
    train, valid = two_clouds(n=60), two_clouds(n=90, seed=9)
    for one, share in ((train, 6), (valid, 9)):  # run and rest do not change places
        one.labels = (torch.arange(len(one.labels)) % share == 0).float()
    make = lambda: Net(norm=False)  # noqa: E731
    fitted = run(train, valid, make, epochs=1, max_lr=1e-12, label_smoothing=smoothing)
    (line,) = fitted.history
    for source, found in ((train, line.train_loss), (valid, line.valid_loss)):
        _, logits = loss_and_logits(fitted.state, source, make)
        p = torch.sigmoid(logits.double())
        target = torch.where(source.labels == 1, 1 - smoothing / 2, smoothing / 2)
        expected = -(target * p.log() + (1 - target) * (1 - p).log()).mean()
        assert found == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("left", "flip"), [(5, False), (10, True)])
def test_an_average_goes_on_from_a_checkpoint(tmp_path, left, flip):
    """Killed before the best epoch; in the second one, if none after it is as good as the first."""

    class Killed(Exception):
        pass

    class Breaking(Checkpoint):
        def save(self, state):
            super().save(state)
            saved.append(state["epoch"])
            if len(saved) == left:
                raise Killed

    saved, path = [], tmp_path / "c.pt"
    options = {"epochs": 3, "ema_decay": 0.9, "early_stopping": 2}
    options["valid"] = two_clouds(seed=9, flip=flip)
    with pytest.raises(Killed):
        run(**options, checkpoint=Breaking(path, {}, every=0.0))
    resumed, whole = run(**options, checkpoint=Checkpoint(path, {})), run(**options)
    assert_same_bits(resumed.state, whole.state)
    losses = [[(one.train_loss, one.valid_loss) for one in of.history] for of in (resumed, whole)]
    assert losses[0] == losses[1] and saved[-1] == 1 + flip
    assert (min(loss for _, loss in losses[1]) == losses[1][0][1]) == flip


def test_dropout_goes_on_from_a_checkpoint_of_mid_epoch(tmp_path):
    """What is drawn in the steps after it is what would have been drawn."""

    class Killed(Exception):
        pass

    class Breaking(Checkpoint):
        def save(self, state):
            super().save(state)
            if (state["epoch"], state["batches"]) == (2, 3):
                raise Killed

    def make():
        return nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1), nn.Flatten(0))

    path = tmp_path / "c.pt"
    with pytest.raises(Killed):
        run(make=make, checkpoint=Breaking(path, {}, every=0.0))
    torch.rand(17)  # another process has drawn other numbers
    resumed, whole = run(make=make, checkpoint=Checkpoint(path, {})), run(make=make)
    for name, value in whole.state.items():
        assert torch.equal(value, resumed.state[name])
    for one, other in zip(whole.history, resumed.history, strict=True):
        assert (one.epoch, one.step, one.train_loss) == (other.epoch, other.step, other.train_loss)


def dropping():
    return nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1), nn.Flatten(0))


def kept(make=dropping, **changed):
    """A training of all epochs, without a validation set."""
    return fit(make, two_clouds(), None, **(SETTINGS | changed))


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_every_epoch_is_kept_as_a_validated_training_would_have_it(ema_decay):
    """Whatever validates, the steps are the same: the epoch that is best for it is among them."""
    alone = kept(ema_decay=ema_decay, epochs=4, early_stopping=1)  # which has nothing to act on
    assert [line.epoch for line in alone.history] == [1, 2, 3, 4] and len(alone.states) == 4
    for valid in (two_clouds(seed=9), two_clouds(seed=3, flip=True)):
        validated = run(valid=valid, make=dropping, ema_decay=ema_decay, epochs=4)
        losses = [line.valid_loss for line in validated.history]
        assert_same_bits(alone.states[losses.index(min(losses))], validated.state)
        for one, other in zip(alone.history, validated.history, strict=True):
            assert (one.step, one.train_loss, one.lr) == (other.step, other.train_loss, other.lr)
            assert math.isnan(one.valid_loss)


def test_a_training_that_keeps_all_epochs_goes_on_from_mid_epoch_and_is_not_repeated(tmp_path):
    class Killed(Exception):
        pass

    class Breaking(Checkpoint):
        def save(self, state):
            super().save(state)
            if (state["epoch"], state["batches"]) == (3, 2):
                raise Killed

    path = tmp_path / "c.pt"
    with pytest.raises(Killed):
        kept(checkpoint=Breaking(path, {}, every=0.0))
    torch.rand(17)
    whole = kept()
    for _ in range(2):  # gone on with, then taken from what it had come to
        resumed = kept(checkpoint=Checkpoint(path, {}))
        for one, other in zip(whole.states, resumed.states, strict=True):
            assert_same_bits(one, other)


def test_a_loss_that_ends_in_a_later_epoch_leaves_the_epochs_before(monkeypatch):
    broken = two_clouds()

    def batch(centres, plain=broken.batch):
        return plain(centres) * (math.nan if len(broken.asked) > 2 * 7 else 1)

    monkeypatch.setattr(broken, "batch", batch)
    found = fit(Net, broken, None, **(SETTINGS | {"epochs": 5}))
    assert [math.isfinite(line.train_loss) for line in found.history] == [True, True, False]
    broken.inputs[:] = math.nan
    with pytest.raises(UserError, match=r"epoch 1.*finite"):
        fit(Net, broken, None, **SETTINGS)


def test_mixed_precision_is_float32_where_there_is_no_gpu():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    plain, mixed = run(), run(precision="mixed")
    for name, value in plain.state.items():
        assert torch.equal(value, mixed.state[name])


def test_what_a_gpu_computes_fast_is_asked_of_torch(monkeypatch):
    for native, expected in ((True, torch.bfloat16), (False, torch.float16)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda native=native, **_: native)
        assert reduced_dtype(torch.device("cuda")) is expected
    assert reduced_dtype(torch.device("cpu")) is None


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc of Linux")
def test_peak_memory_is_in_bytes_what_the_kernel_says():
    (kib,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak_memory(torch.device("cpu")) == pytest.approx(1024 * int(kib), rel=0.05)


# --- what is written ---------------------------------------------------------------------------


def test_history_is_a_table_of_one_line_an_epoch(tmp_path):
    fitted = run(epochs=2)
    write_history(tmp_path / "h.tsv", fitted.history)
    header, *rows = [line.split("\t") for line in (tmp_path / "h.tsv").read_text().splitlines()]
    assert header == [
        "epoch",
        "step",
        "train_loss",
        "valid_loss",
        "valid_auc",
        "lr",
        "inputs_per_s",
        "feed_share",
        "peak_memory_mb",
    ]
    assert [row[:2] for row in rows] == [["1", "7"], ["2", "14"]]
    for row, line in zip(rows, fitted.history, strict=True):
        written = dict(zip(header, map(float, row), strict=True))
        assert written == pytest.approx(vars(line), rel=1e-5)


def test_history_of_a_hand_made_epoch(tmp_path):
    write_history(tmp_path / "h.tsv", [Epoch(1, 10, 0.5, 0.25, 0.75, 1e-7, 1234.5678, 0.125, 512)])
    assert (tmp_path / "h.tsv").read_text().splitlines()[
        1
    ] == "1\t10\t0.5\t0.25\t0.75\t1e-07\t1234.57\t0.125\t512"


def test_train_loss_is_the_mean_over_frames():
    """Batches of 34 and 33 frames do not count the same; at rate 0+ the loss stays what it is."""
    train = two_clouds(n=67)
    fitted = run(train, make=lambda: Net(norm=False), epochs=1, batch_size=34, max_lr=1e-12)
    expected, _ = loss_and_logits(fitted.state, train, lambda: Net(norm=False))
    assert fitted.history[0].train_loss == pytest.approx(expected, rel=1e-5)


def test_an_epoch_in_words_has_of_validation_what_there_is():
    line = Epoch(2, 10, 0.5, 0.25, 0.75, 1e-7, 1234.5678, 0.125, 512)
    begin, end = "epoch 2/9: train loss 0.5000, ", "1235 inputs/s, peak memory 512 MB"
    assert describe(line, 9) == f"{begin}valid loss 0.2500, valid AUC 0.750, {end}"
    one_state = replace(line, valid_auc=math.nan)
    assert describe(one_state, 9) == f"{begin}valid loss 0.2500, valid AUC nan, {end}"
    assert describe(replace(one_state, valid_loss=math.nan), 9) == begin + end
    assert "valid R² 0.750" in describe(line, 9, Target("pupil"))


def test_histories_are_written_under_the_score_of_the_target(tmp_path):
    for at, (target, score) in enumerate(
        [(RUN, "valid_auc"), (Target("pupil", mean=1.0, sd=2.0), "valid_r2")]
    ):
        args = SimpleNamespace(history=tmp_path / f"{at}.tsv", out=tmp_path / f"{at}.pt")
        line = Epoch(1, 10, 0.5, 0.25, 0.75, 1e-7, 1234.5678, 0.125, 512)
        trained = Trained("cnn", target.settings(), ("a",), (), {})
        _training.finish(args, trained, Fit({}, [line], []))
        assert args.history.read_text().split("\t")[4] == score


def test_each_epoch_says_a_line(capsys):
    run(epochs=2)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    for word in ("train loss", "valid loss", "valid AUC", "inputs/s"):
        assert word in lines[0]


def test_a_log_gets_a_line_every_so_often(monkeypatch, capsys):
    clock = iter([100.0, 130.0, 160.0, 170.0, 221.0])  # start, then one reading an update
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with Progress(40, "images", "epoch 1/1") as bar:
        for _ in range(4):
            bar.update(10, loss=0.25)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "epoch 1/1: 20/40 images, 0/s, loss 0.25, 1 min left",
        "epoch 1/1: 40/40 images, 0/s, loss 0.25, 0 min left",
    ]


# --- AUC ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        ([0, 0, 1, 1], [1, 2, 3, 4], 1.0),
        ([1, 1, 0, 0], [1, 2, 3, 4], 0.0),
        ([0, 1], [5, 5], 0.5),
        ([0, 1, 0, 1], [1, 1, 2, 2], 0.5),
        ([0, 0, 1, 1], [1, 2, 2, 3], 3.5 / 4),  # pairs: 1<2, 1<3, 2=2, 2<3
        ([0, 1, 1], [0.2, 0.1, 0.2], 0.5 / 2),  # pairs: 0.2>0.1, 0.2=0.2
        ([0, 1, 0, 0, 1], [-3, -1, 0, -2, 4], 5 / 6),  # one of six pairs is the wrong way round
    ],
)
def test_auc_of_hand_worked_cases(labels, scores, expected):
    assert roc_auc(np.array(labels), np.array(scores, float)) == pytest.approx(expected, abs=1e-12)
    assert roc_auc(np.array(labels, bool), np.array(scores)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("labels", [[], [0, 0, 0], [1, 1]])
def test_auc_of_one_state_is_nan(labels):
    assert math.isnan(roc_auc(np.array(labels), np.arange(len(labels))))


@given(
    pairs=st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from([0.0, 0.25, 1.0]) | st.floats(-1e6, 1e6, allow_subnormal=False),
        ),
        min_size=2,
        max_size=60,
    ).filter(lambda pairs: len({label for label, _ in pairs}) == 2)
)
def test_auc_agrees_with_scikit_learn(pairs):
    labels, scores = map(np.array, zip(*pairs, strict=True))
    assert roc_auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert roc_auc(1 - labels, scores) == pytest.approx(1 - roc_auc(labels, scores), abs=1e-12)
