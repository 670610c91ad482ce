"""Steps of a training as CUDA graphs, on a CPU: recorded operation by operation, and replayed.

As a graph does, a recording has the memory and the plain numbers of its capture, and refuses what
waits for the device.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from cuda_rules import streams, tensors
from make_decoders import TINY, Points, net, trained_cnn, write_recording
from mesodecode.decoders import compiling, steps, train, weights
from mesodecode.decoders.augment import Augment
from mesodecode.decoders.checkpoint import Checkpoint
from mesodecode.decoders.inputs import Images, ImageWindows, shared
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder, for_use
from mesodecode.decoders.steps import CapturableAdam
from mesodecode.decoders.train import batches_of, fit
from mesodecode.recordings.recording import read_recordings

READS = torch.ops.aten._local_scalar_dense.default


class Operations(TorchDispatchMode):
    """Keeps all operations with what they read and gave."""

    def __init__(self, captures=True):
        super().__init__()
        self.calls, self.captures = [], captures

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if operation is READS and self.captures:
            raise RuntimeError("operation not permitted when stream is capturing\n(and more)")
        given = tree_map_only(torch.Tensor, torch.Tensor.detach, (args, kwargs or {}))  # as now
        found = operation(*args, **(kwargs or {}))
        if torch.Tag.inplace_view not in operation.tags:  # which moves no numbers
            memory = {t.untyped_storage().data_ptr() for t in tensors(given)}
            made = {  # no view, nor in place
                place: tensor.detach()
                for place, tensor in enumerate(tensors(found))
                if tensor.untyped_storage().data_ptr() not in memory
            }
            self.calls.append((operation, *given, made))
        return found

    @torch.no_grad()
    def replay(self):
        for operation, args, kwargs, made in self.calls:
            found = operation(*args, **kwargs)
            if made:
                new = [*tensors(found)]
                for place, kept in made.items():
                    kept.copy_(new[place])


@pytest.fixture
def graphs(monkeypatch):
    """Capture on a CPU; returns the recordings that were made."""
    runs, made = [], []
    begun = steps.Steps.__post_init__

    def remember(run):
        begun(run)
        runs.append(run)

    def record(step, pool):
        parts = {name: part.state_dict() for name, part in runs[-1].parts.items()}
        before = [(t, t.clone()) for t in tensors((parts, runs[-1].loss))]
        dice = torch.get_rng_state()
        try:
            with Operations() as operations:
                step()
        finally:  # a capture computes nothing
            with torch.no_grad():
                for tensor, value in before:
                    tensor.copy_(value)
            torch.set_rng_state(dice)
        made.append(operations)
        return operations.replay

    monkeypatch.setattr(steps.Steps, "__post_init__", remember)
    monkeypatch.setattr(train, "captures", lambda *_: True)
    monkeypatch.setattr(steps, "record", record)
    monkeypatch.setattr(steps, "RECURS", 2)
    return made


def run(make=net, source=None, **changed):
    settings = {"epochs": 3, "batch_size": 20, "max_lr": 0.05, "frame_step": 1, "seed": 7}
    return fit(make, source or Points(), None, **(settings | changed))


def test_no_step_keeps_what_its_loss_was_computed_of(monkeypatch):
    runs, begun = [], steps.Steps.__post_init__
    monkeypatch.setattr(steps.Steps, "__post_init__", lambda run: (begun(run), runs.append(run)))
    run(epochs=1)
    assert not runs[-1].loss.requires_grad


def assert_same(one, other):
    for state, same in zip(one.states, other.states, strict=True):
        for name, value in state.items():
            assert torch.equal(value, same[name]), name
    for line, same in zip(one.history, other.history, strict=True):
        assert (line.train_loss, line.lr) == (same.train_loss, same.lr)


def without_graphs(monkeypatch, **options):
    """Take the same steps one by one."""
    monkeypatch.setattr(steps, "RECURS", 10**9)
    return run(**options)


@pytest.mark.parametrize("ema_decay", [0.0, 0.8])
@pytest.mark.parametrize("batch_size", [20, 30])  # of 200: 10 alike, or 7 of 29 and 28
def test_graphs_take_the_steps_that_are_taken_one_by_one(
    monkeypatch, graphs, batch_size, ema_decay
):
    """Dropout, BatchNorm's statistics, Adam's means, rates and the average included."""
    options = {"batch_size": batch_size, "ema_decay": ema_decay}
    captured = run(**options)
    assert len(graphs) == {20: 1, 30: 2}[batch_size]
    assert_same(captured, without_graphs(monkeypatch, **options))


@pytest.fixture
def recordings(tmp_path):
    segments = np.repeat([0, 1], [34, 26])
    paths = [
        write_recording(tmp_path / "a.h5", "a", n_frames=60, segment=segments),
        write_recording(tmp_path / "b.h5", "b", n_frames=50, seed=1),
    ]
    return read_recordings(paths)


@pytest.mark.parametrize("feed", ["memory", "stream"])
def test_networks_of_images_are_captured_whatever_feeds_them(monkeypatch, graphs, recordings, feed):
    source = Images(recordings, feed=feed, augment=Augment(shift=0.1, intensity=0.1))
    options = {"make": lambda: CNNDecoder(TINY), "source": source, "batch_size": 13, "epochs": 1}
    captured = run(**options)
    assert len(graphs) == 1  # 8 batches of 13
    assert_same(captured, without_graphs(monkeypatch, **options))


def test_each_recurring_number_of_images_has_its_graph(monkeypatch, graphs, recordings):
    def make():
        torch.manual_seed(1)
        rnn = RNNDecoder(256, cell="gru", hidden_size=4, num_layers=2, dropout=0.3)
        return CNNRNNDecoder(CNNDecoder(TINY), rnn)

    source = ImageWindows(recordings, half_window=2)
    options = {"make": make, "source": source, "batch_size": 8, "run_length": 4, "epochs": 2}
    captured = run(**options)
    assert 1 <= len(graphs) < 8
    assert_same(captured, without_graphs(monkeypatch, **options))


# --- the optimizer -----------------------------------------------------------------------------


class Frozen(CapturableAdam):
    """As a graph has it of whose optimizer betas are plain numbers."""

    def prepare(self):
        (group,) = self.param_groups
        group["betas"] = (0.95, 0.999)
        super().prepare()


def distance(one, other):
    pairs = zip(one.states[-1].values(), other.states[-1].values(), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


def test_twenty_captured_steps_are_those_of_torchs_adam_with_a_cycled_beta(monkeypatch, graphs):
    options = {"make": lambda: net(norm=False, dropout=0.0), "epochs": 2}  # 20 steps
    captured = run(**options)
    monkeypatch.setattr(train, "CapturableAdam", Frozen)
    frozen = run(**options)
    monkeypatch.setattr(train, "captures", lambda *_: False)  # as on a CPU
    torchs = run(**options)
    assert len(graphs) == 2
    assert distance(captured, torchs) < 3e-7
    assert distance(frozen, torchs) > 1e-3


def test_weights_without_a_gradient_stay_and_a_rate_of_zero_moves_none():
    moved, alone = (nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = CapturableAdam([moved, alone], lr=0.0)
    for rate, expected in ((0.0, 1.0), (0.25, 0.75)):  # the first moves of Adam are of the rate
        optimizer.param_groups[0].update(lr=rate, taken=0)
        for state in optimizer.state.values():
            state["mean"].zero_(), state["square"].zero_()
        moved.grad = torch.full((2,), 3.0)
        optimizer.prepare()
        optimizer.step()
        torch.testing.assert_close(moved.detach(), torch.full((2,), expected))
    assert torch.equal(alone, torch.ones(2))


# --- what goes wrong ---------------------------------------------------------------------------


def test_a_step_that_cannot_be_captured_is_taken_as_it_is_and_a_line_says_so(
    monkeypatch, graphs, capsys
):
    class Asking(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net()

        def forward(self, x):
            return self.net(x) * (1 if x[0, 0].item() > 0 else 2)  # of the host

    found = run(make=Asking)
    lines = [line for line in capsys.readouterr().err.splitlines() if "captured" in line]
    why = "operation not permitted when stream is capturing"
    assert lines == [f"steps are not captured, slower ({why})"]
    assert_same(found, without_graphs(monkeypatch, make=Asking))


def test_a_recording_is_of_its_thread_and_a_failed_one_says_what_the_step_raised(capsys):
    """A loader's thread pins frames meanwhile, which CUDA refuses beside any other recording."""

    class Ends:
        def __init__(self, graph, pool, *, stream, capture_error_mode):
            assert (pool, capture_error_mode) == ("a pool", "thread_local")
            assert stream is torch.cuda.current_stream()

        def __enter__(self):
            pass

        def __exit__(self, *_):
            raise RuntimeError("operation failed due to a previous error during capture")

    def step():
        raise RuntimeError("operation not permitted when stream is capturing\n(and more)")

    with streams(Ends):
        dice = torch.cuda.default_generators[0]
        with pytest.raises(RuntimeError) as failed:
            steps.record(step, "a pool")
        # else it takes each later draw, of a dropout, for one of the graph's, and refuses it
        dice.graphsafe_set_state.assert_called_once_with(dice.clone_state.return_value)
    steps.tell_not_captured(failed.value)
    why = "operation not permitted when stream is capturing"
    assert capsys.readouterr().err == f"steps are not captured, slower ({why})\n"


def test_a_stream_begins_after_what_was_asked_before_and_is_waited_for():
    order = []
    main, side = (
        SimpleNamespace(wait_stream=lambda other, name=name: order.append((name, other)))
        for name in ("main", "side")
    )
    with streams(None):
        torch.cuda.current_stream = lambda: main
        with steps.Steps.side(SimpleNamespace(_stream=side)):
            order.append("work")
    assert order == [("side", main), "work", ("main", side)]


def test_a_training_is_kept_at_the_end_of_each_epoch(tmp_path):
    class Counting(Checkpoint):
        def save(self, state):
            kept.append((state["epoch"], state["batches"]))

    kept = []
    run(epochs=2, checkpoint=Counting(tmp_path / "c.pt", {}))
    assert kept == [(2, 0), (3, 0)]


def test_a_captured_training_goes_on_from_a_checkpoint(monkeypatch, graphs, tmp_path):
    class Killed(Exception):
        pass

    class Breaking(Checkpoint):
        def save(self, state):
            super().save(state)
            if (state["epoch"], state["batches"]) == (2, 6):
                raise Killed

    path, options = tmp_path / "c.pt", {"ema_decay": 0.8}
    with pytest.raises(Killed):
        run(**options, checkpoint=Breaking(path, {}, every=0.0))
    torch.rand(17)
    gone_on = run(**options, checkpoint=Checkpoint(path, {}))
    assert_same(gone_on, run(**options))


def test_a_gpu_without_bfloat16_scales_the_loss_and_a_line_says_so(monkeypatch, capsys):
    monkeypatch.setattr(train, "reduced_dtype", lambda _: torch.float16)
    run(precision="mixed", epochs=1)  # as on a GPU, whose steps are then no graphs
    said = "this GPU has no bfloat16: float16, of a scaled loss; steps are not captured, slower\n"
    assert capsys.readouterr().err.startswith(said)
    assert not steps.captures(torch.device("cuda"), torch.float16)
    assert steps.captures(torch.device("cuda"), torch.bfloat16)


@pytest.mark.parametrize("precision", ["mixed", "full"])
def test_mixed_precision_keeps_no_weights_in_its_type(monkeypatch, precision):
    """Graphs would have them as they were when they were captured."""
    monkeypatch.setattr(train, "reduced_dtype", lambda _: torch.bfloat16)
    seen = set()

    def make(*given):
        made = net(*given)
        made.register_forward_pre_hook(
            lambda *_: seen.add(
                (torch.is_autocast_enabled("cpu"), torch.is_autocast_cache_enabled())
            )
        )
        return made

    run(make, precision=precision, epochs=1)
    assert seen == {(precision == "mixed", False)}


@pytest.mark.parametrize("captured", [False, True])
def test_the_host_reads_a_loss_an_epoch_not_a_step(monkeypatch, captured):
    monkeypatch.setattr(train, "captures", lambda *_: captured)

    def reads(batch_size):
        with Operations(captures=False) as operations:
            run(source=Points(80), batch_size=batch_size, epochs=2)
        return sum(operation is READS for operation, *_ in operations.calls)

    assert reads(4) == reads(40)


def test_a_training_sets_how_a_gpu_multiplies_and_leaves_torch_as_it_was():
    def switches():
        parts = torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul
        kinds = [part.fp32_precision for part in parts]
        return *kinds, torch.are_deterministic_algorithms_enabled()

    class Looking(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net()

        def forward(self, x):
            seen.append(switches())
            return self.net(x)

    seen, before = [], torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = "tf32"  # as NVIDIA's containers have it
    try:
        first = switches()
        run(make=Looking)
        assert {*seen} == {("tf32", "tf32", "ieee", False)}
        assert switches() == first
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


# --- batches -----------------------------------------------------------------------------------


@pytest.mark.parametrize("frame_step", [1, 2, 3])
@pytest.mark.parametrize(("n", "run_length"), [(92, 8), (93, 16), (17, 16), (40, 4), (61, 1)])
def test_batches_are_of_whole_runs_each_once(n, run_length, frame_step):
    centres = torch.arange(n) * 2 + 5
    runs = [tuple(run.tolist()) for run in centres.split(run_length)][::frame_step]
    total = sum(map(len, runs))
    sizes = []
    for seed in range(5):
        dice = torch.Generator().manual_seed(seed)
        batches = batches_of(centres, run_length, frame_step, 32, dice)
        sizes.append(len(batches))
        found = []
        for batch in batches:
            left = batch.tolist()
            while left:  # a batch begins with a run and holds it whole
                (run,) = [run for run in runs if run[0] == left[0]]
                assert tuple(left[: len(run)]) == run
                found.append(run)
                left = left[len(run) :]
        assert sorted(found) == runs
        counts = [-(-len(batch) // run_length) for batch in batches]
        assert max(counts) - min(counts) <= 1
    assert len({*sizes}) == 1  # the schedule counts on it
    assert sizes[0] == min(-(-total // 32), total // 2, len(runs))


def test_images_that_windows_share_are_told_for_many_batches_as_for_one(monkeypatch):
    monkeypatch.setattr("mesodecode.decoders.inputs.PARTS", 3)
    dice = torch.Generator().manual_seed(1)
    offsets = torch.arange(-3, 4)
    parts = [torch.randint(3, 60, (size,), generator=dice) for size in (5, 1, 9, 4, 4, 7, 2)]
    needed, windows = shared(parts, offsets)
    for part, images, of in zip(parts, needed, windows, strict=True):
        positions = part[:, None] + offsets
        assert images.tolist() == sorted({*positions.flatten().tolist()})
        assert torch.equal(images[of], positions)
    assert shared([], offsets) == ([], [])


# --- compiled ----------------------------------------------------------------------------------


@pytest.fixture
def compiles(monkeypatch, graphs):
    """Train in bfloat16 on a CPU, and compile as if it paid; returns the compiled shapes."""
    asked = []

    def compiler(function, dynamic):
        def compiled(images):
            asked.append(tuple(images.shape))
            return function(images)

        return compiled

    monkeypatch.setattr(train, "reduced_dtype", lambda _: torch.bfloat16)
    monkeypatch.setattr(compiling, "COST", 0.0)
    monkeypatch.setattr(torch, "compile", compiler)
    return asked


def mixed(source, **changed):
    def make():
        torch.manual_seed(1)
        rnn = RNNDecoder(256, cell="gru", hidden_size=4, num_layers=2, dropout=0.3)
        return CNNRNNDecoder(CNNDecoder(TINY), rnn)

    options = {"batch_size": 8, "run_length": 4, "epochs": 1, "precision": "mixed"}
    return run(make=make, source=source, **(options | changed))


def test_what_is_compiled_is_the_commonest_number_of_images_and_trying_it_leaves_no_trace(
    monkeypatch, compiles, recordings, capsys
):
    source = ImageWindows(recordings, half_window=2, augment=Augment(intensity=0.1))
    found = mixed(source)
    dice = torch.Generator().manual_seed(7)
    batches = batches_of(source.centres, 4, 1, 8, dice)  # of the first epoch
    needed = [{t + k for t in batch.tolist() for k in range(-2, 3)} for batch in batches]
    commonest = Counter(map(len, needed)).most_common(1)[0][0]
    assert {shape[0] for shape in compiles} == {commonest}
    assert f"compiling for batches of {commonest} images" in capsys.readouterr().err
    monkeypatch.setattr(compiling, "COST", 1e9)  # too short a job
    compiles.clear()
    plain = mixed(source)
    assert not compiles and "compil" not in capsys.readouterr().err
    assert_same(found, plain)


@pytest.mark.parametrize("fails", ["forward", "backward"])
def test_where_nothing_can_be_compiled_a_line_says_so(
    monkeypatch, compiles, recordings, capsys, fails
):
    def compiler(function, dynamic):
        def compiled(images):
            maps = function(images)
            if fails == "forward":
                raise ValueError("no working C++ compiler\nand how to get one")
            maps.register_hook(lambda _: (_ for _ in ()).throw(RuntimeError("out of registers")))
            return maps

        return compiled

    monkeypatch.setattr(torch, "compile", compiler)
    source = ImageWindows(recordings, half_window=2)
    found = mixed(source)
    why = {"forward": "no working C++ compiler", "backward": "out of registers"}[fails]
    assert f"not compiled, slower ({why})" in capsys.readouterr().err.splitlines()
    monkeypatch.setattr(compiling, "COST", 1e9)
    assert_same(found, mixed(source))


@pytest.mark.parametrize(
    ("precision", "n", "pays"),
    [("mixed", 3_000_000, True), ("mixed", 2_000_000, False), ("float32", 10**8, False)],
)
def test_a_job_compiles_if_its_images_gain_more_than_compiling_takes(
    monkeypatch, graphs, recordings, capsys, precision, n, pays
):
    """30 µs an image of 128 px; these are of 64 x 16 px, a sixteenth of it."""
    source = Images(recordings)
    monkeypatch.setattr(Images, "image_size", (64, 16))
    monkeypatch.setattr(source, "images_of", lambda parts: [16 * n // len(parts)] * len(parts))
    monkeypatch.setattr(train, "reduced_dtype", lambda _: torch.bfloat16)
    monkeypatch.setattr(torch, "compile", lambda function, dynamic: function)
    run(make=lambda: CNNDecoder(TINY), source=source, batch_size=52, epochs=1, precision=precision)
    assert ("compiling" in capsys.readouterr().err) is pays


# --- passes in a reduced type ------------------------------------------------------------------


@pytest.fixture
def reduced(monkeypatch):
    """A CPU that computes fastest in bfloat16; returns a network of `precision: mixed` and not."""
    monkeypatch.setattr(weights, "reduced_dtype", lambda _: torch.bfloat16)
    trained = trained_cnn()
    settings = trained.settings | {"precision": "mixed"}
    return replace(trained, settings=settings).build(), trained.build()


IMAGES = torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(2))


def test_a_mixed_network_passes_in_bfloat16_and_sums_in_float32(reduced):
    network, full = reduced
    kinds = {}
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.register_forward_hook(
                lambda part, _, out: kinds.setdefault(type(part).__name__, set()).add(out.dtype)
            )
    maps = []
    head = network.net.forward_head
    network.net.forward_head = lambda x, **how: (maps.append(x), head(x, **how))[1]
    with torch.inference_mode():
        logits, exact = network(IMAGES), full(IMAGES)
        features = network.features(IMAGES)
    assert kinds.pop("Linear") == {torch.float32}
    assert kinds and all(seen == {torch.bfloat16} for seen in kinds.values())
    assert logits.dtype == features.dtype == maps[0].dtype == torch.float32
    torch.testing.assert_close(
        features, maps[0].double().mean((2, 3)).float(), rtol=1e-5, atol=1e-6
    )
    # 8 bits of a product, through all layers of a network with outputs up to both ends
    assert exact.sigmoid().std() > 0.3
    assert 1e-4 < (logits.sigmoid() - exact.sigmoid()).abs().max() < 0.1


def test_gradients_are_taken_in_float32_and_no_cast_weight_outlives_its_epoch(reduced):
    network, full = reduced
    images = IMAGES[:8]
    assert torch.equal(network(images), full(images))  # with gradients
    with torch.inference_mode():
        first = network(images)
        state = {k: v * 0.5 if v.is_floating_point() else v for k, v in full.state_dict().items()}
    network.load_state_dict(state)
    with torch.inference_mode():
        assert not torch.allclose(network(images), first)


# an image of 128 px gains 8 µs, compiling takes 20 s: from 2.5 million images on
@pytest.mark.parametrize(
    ("n", "size", "pays"), [(2.4e6, (64, 256), False), (2.6e6, (256, 64), True)]
)
@pytest.mark.parametrize("kept_in", [torch.float32, torch.bfloat16])
def test_passes_are_compiled_where_images_are_many_and_of_a_reduced_type(
    monkeypatch, capsys, n, size, pays, kept_in
):
    asked = []

    def compiler(function, dynamic):
        return lambda images: asked.append((images.shape[0], images.dtype)) or function(images)

    monkeypatch.setattr(torch, "compile", compiler)
    cnn = CNNDecoder(TINY).eval()
    cnn.passed_in = kept_in
    used = for_use(cnn)
    compiling.compile_passes(used, int(n), 8, size)
    assert used.compiled is None  # on a CPU
    used.replayed = used._features
    compiling.compile_passes(used, int(n), 8, size)
    assert bool(used.compiled) == (pays and kept_in == torch.bfloat16) == bool(asked)
    told = capsys.readouterr().err
    assert told == ("compiling for batches of 8 images\n" if used.compiled else "")
    with torch.no_grad():
        for n_images in (8, 3):
            asked.clear()
            used(torch.randn(n_images, 3, 32, 32))
            assert asked == ([(8, kept_in)] if used.compiled and n_images == 8 else [])


def test_where_passes_cannot_be_compiled_a_line_says_so(monkeypatch, capsys):
    def compiler(function, dynamic):
        raise OSError("no compiler")

    monkeypatch.setattr(torch, "compile", compiler)
    cnn = CNNDecoder(TINY).eval()
    cnn.passed_in = torch.bfloat16
    used = for_use(cnn)
    used.replayed = used._features
    compiling.compile_passes(used, 10**8, 8, (32, 32))
    assert used.compiled is None
    assert capsys.readouterr().err.splitlines()[1] == "not compiled, slower (no compiler)"


def test_passes_that_try_something_out_leave_nothing_behind(monkeypatch):
    told = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: ["of a GPU", "of another"])
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", told.append)
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()).eval()
    before = [value.clone() for value in network.state_dict().values()]
    dice = torch.get_rng_state()
    with compiling.undone(network):
        assert network.training
        network(torch.randn(4, 2)).sum().backward()
    assert not network.training and torch.equal(torch.get_rng_state(), dice)
    assert told == [["of a GPU", "of another"]]
    assert all(weight.grad is None for weight in network.parameters())
    for value, same in zip(network.state_dict().values(), before, strict=True):
        assert torch.equal(value, same)
