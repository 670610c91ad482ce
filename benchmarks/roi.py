"""Training of recurrent ROI decoders: one by one and side by side, and the hours of a study.

python benchmarks/roi.py [--config config.yaml] [--turns 3]     about a minute on a core
python benchmarks/roi.py --device cuda --turns 2    the GPU alone, 2 to 3 minutes
python benchmarks/roi.py --small                    the same lines in seconds on a CPU, to try them

A GRU of 32 units over 31 frames of 50 ROIs, batches of 256, as published. All sides run in turn in
one process, `--turns` times; a rate is the best of them, in training windows/s of an epoch after
the first (its making, validation and compiling left out). On a CPU one thread, in its own time, as
other jobs may run: `train.fit` with PyTorch's layer, with ours, and stacks. With a GPU also
`train.fit` there, and stacks that take their steps as one CUDA graph, and as one of compiled cells,
as `mesodecode stack-roi` does; the stack of the goal (20) one by one too.

Last come the hours of all recurrent ROI decoders of a config, extrapolated from these rates: each
set of training mice once for all epochs, 18,000 frames a session, a step of other windows, cells
and directions in proportion to frames x gates x directions, and on a GPU the rate of a stack of
the size that it has (`study/stacks.py`), or of the next smaller one that was measured.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import yaml

from mesodecode.decoders import gru, stacked, train
from mesodecode.decoders.inputs import Windows
from mesodecode.decoders.networks import rnn_decoder
from mesodecode.decoders.stacked_network import Cell
from mesodecode.recordings.roi_signals import SessionSignals
from mesodecode.study import schema, stacks
from mesodecode.study import study as studies

ROIS, HALF_WINDOW, FRAMES_A_SESSION = 50, 15, 18_000
SETTINGS = schema.defaults("roi_rnn", rnn="gru", input="rois")
OPTIONS = {k: SETTINGS[k] for k in ("batch_size", "max_lr", "schedule", "label_smoothing")}
OPTIONS |= {"epochs": 2, "frame_step": 1}
GATES = {"gru": 3, "lstm": 4, "rnn": 1}
ON_CPU, ON_GPU, GOAL = (1, 4, 10), (1, 3, 6, 10, 20, 100), 20


def source(n_frames: int, device: torch.device) -> Windows:
    rng = np.random.default_rng(0)
    labels = (np.arange(n_frames) // 50 % 2).astype(np.uint8)
    signals = rng.random((n_frames, ROIS), np.float32) + 0.2 * labels[:, None]
    session = SessionSignals("s", "m", signals, labels, None)
    return Windows([session], HALF_WINDOW, HALF_WINDOW, device)


def alone(data: Windows) -> float:
    valid = source(200, data.centres.device)
    fitted = train.fit(make, data, valid, seed=1, device=data.centres.device, **OPTIONS)
    return fitted.history[-1].inputs_per_s


def together(data: Windows, n_models: int) -> float:
    members = [stacked.Member(f"{i}", i, data.centres, data.labels) for i in range(n_models)]
    kept = stacked.fit_stack(make, data, members, device=data.centres.device, **OPTIONS)
    return kept[0].history[-1].inputs_per_s


def make() -> torch.nn.Module:
    return rnn_decoder(ROIS, SETTINGS)


@contextmanager
def changed(owner: object, name: str, value: object):
    """Have another attribute for some time."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def sides(device: str, n_frames: int) -> dict[str, Callable[[], float]]:
    """Return what is measured on a device: name -> a function that returns windows/s."""
    data = source(n_frames, torch.device(device))
    if device == "cpu":

        def by_pytorch() -> float:
            with changed(gru, "fits", lambda rnn, x: False):
                return alone(data)

        found = {"train.fit, nn.GRU": by_pytorch, "train.fit, our layer": lambda: alone(data)}
        return found | {f"stack of {n}": lambda n=n: together(data, n) for n in ON_CPU}

    def plainly(n: int) -> float:
        with changed(stacked._Run, "captured", lambda run: run.step):
            return together(data, n)

    def uncompiled(n: int) -> float:
        with changed(Cell, "compiled", lambda cell: cell):
            return together(data, n)

    found = {"train.fit": lambda: alone(data)}
    found[f"stack of {GOAL}, step by step"] = lambda: plainly(GOAL)
    for n in ON_GPU:
        found[f"stack of {n}, one graph"] = lambda n=n: uncompiled(n)
        found[f"stack of {n}, compiled, one graph"] = lambda n=n: together(data, n)
    return found


def measure(device: str, n_frames: int, turns: int) -> dict[str, float]:
    best: dict[str, float] = {}
    functions = sides(device, n_frames)
    for turn in range(turns):
        for name, function in functions.items():
            start = time.perf_counter()
            best[name] = max(best.get(name, 0.0), function())
            print(f"{device} {turn + 1}/{turns} {name}: {time.perf_counter() - start:.0f} s")
    first = next(iter(best.values()))
    for name, rate in best.items():
        print(f"{device:5}{name:36}{rate:>12,.0f} windows/s{rate / first:>8.2f} x")
    return best


def groups_of(path: Path) -> tuple[list[tuple[int, float]], float]:
    """Return models and windows of each group of a config, and the windows of all allocations.

    Windows are told as so many of the measured kind.
    """
    study = studies.resolve(yaml.safe_load(path.read_text()))
    decoders = {d.name: d for d in study.decoders.values() if stacks.may_stack(d)}

    def cost(name: str, mice: tuple[str, ...]) -> float:
        s = decoders[name].settings
        shape = (2 * s["half_window"] + 1) * GATES[s["rnn"]] * (1 + s["bidirectional"])
        sessions = sum(len(study.mice[mouse]) for mouse in mice)
        windows = sessions * FRAMES_A_SESSION / s["frame_step"] * s["epochs"]
        return windows * shape / ((2 * HALF_WINDOW + 1) * GATES["gru"])

    allocations = list(study.allocations.values())
    groups = stacks.groups_of(decoders, allocations, list(study.mice))
    each = [(len(group), sum(cost(*one) for one in group)) for group in groups.values()]
    return each, sum(cost(name, one.train) for name in decoders for one in allocations)


def hours(groups: list[tuple[int, float]], rate_of: Callable[[int], float]) -> float:
    return sum(windows / rate_of(n) for n, windows in groups) / 3600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--small", action="store_true", help="a tenth of the frames, one turn")
    args = parser.parse_args()
    torch.set_num_threads(1)
    less, turns = (10, 1) if args.small else (1, args.turns)
    cpu, gpu = {}, {}
    if args.device != "cuda":
        with changed(time, "monotonic", time.process_time):  # by which epochs are timed
            cpu = measure("cpu", 5_000 // less, turns)
    if args.device == "cuda" or (args.device == "auto" and torch.cuda.is_available()):
        print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
        gpu = measure("cuda", 100_000 // less, turns)
    groups, of_allocations = groups_of(args.config)
    once = sum(windows for _, windows in groups)
    print(f"{args.config}: {once / 1e9:.2f} G windows, {of_allocations / 1e9:.2f} G by allocation")
    for name, rate in cpu.items():
        if name.startswith("train.fit"):
            each = f"by allocation {of_allocations / rate / 7200:.1f} h"
            print(f"two cores, {name}: {once / rate / 7200:.1f} h, {each}")
    if not gpu:
        print("GPU: not measured")
        return
    sizes = {n: gpu[f"stack of {n}, compiled, one graph"] for n in ON_GPU}
    print(f"one GPU, train.fit: {once / gpu['train.fit'] / 3600:.2f} h")
    print(f"stack of {GOAL} / train.fit: {sizes[GOAL] / gpu['train.fit']:.1f} x (goal 25)")
    each = hours(groups, lambda n: sizes[max(size for size in sizes if size <= n)])
    print(
        f"one GPU, stacks as they are: {each:.2f} h; of {GOAL}: {once / sizes[GOAL] / 3600:.2f} h"
    )


if __name__ == "__main__":
    main()
