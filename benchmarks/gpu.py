"""How close training and passing come to what a card can do, and how long Figure 2 takes on it.

python benchmarks/gpu.py [--no-compile]     about 10 minutes on a data-centre GPU
python benchmarks/gpu.py --small            the same lines in a minute on a CPU, to try them

Side by side in one run, on frames of the published size (128 px, uint16) that are simulated on the
spot; one session stands for `--sessions`, as only their size matters here:

1. ceilings: the same network on a batch that stays in the device's memory, without indexing,
   normalisation or labels; step by step, as one CUDA graph, compiled and one graph;
2. mesodecode's own training, with validation and checkpoints, and passes;
3. the authors' way, a loop of our own: every image of every window passes the CNN, one file an
   image, read by 10 worker processes;
4. Figure 2 (CNN, CNN-GRU, CNN-LSTM × 20 allocations, each set of training mice once, fine-tuned
   from one epoch of its CNN), projected from the rates of 2, with reading.

What float32 and bfloat16 learn: benchmarks/precision.py.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from feeding import simulated
from PIL import Image
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, Dataset

from mesodecode.decoders import compiling, train
from mesodecode.decoders.checkpoint import Checkpoint
from mesodecode.decoders.device import computing, reduced_dtype, resolve_device
from mesodecode.decoders.inputs import Images, ImageWindows
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, cnn_rnn_decoder, for_use
from mesodecode.recordings.recording import Recording
from mesodecode.study import schema

# The published study: 64 sessions of 18,000 frames of 5 mice; 3 mice train, 3 epochs.
FRAMES, EPOCHS = 64 * 18_000, 3
TRAIN, OTHERS = FRAMES * 3 // 5, FRAMES * 2 // 5
SETS = 10  # sets of training mice behind 20 allocations
FIGURE2 = {"cnn": SETS, "fine-tuning": 2 * SETS}  # trainings; of two recurrent networks each
GB_A_FRAME = 128 * 128 * 2 / 1e9
SETTINGS = schema.defaults("cnn_rnn", start_from="cnn", rnn="gru")


@dataclass
class Bench:
    """Sizes, the device, and what was measured, in units a second."""

    device: torch.device
    backbone: str
    size: int
    batch: int
    steps: int
    workers: int
    compiles: bool

    def cnn(self) -> CNNDecoder:
        """Return a new CNN."""
        return CNNDecoder(self.backbone)

    def fine(self) -> CNNRNNDecoder:
        """Return a new CNN-GRU of the published size."""
        return cnn_rnn_decoder(self.cnn(), SETTINGS)

    def wait(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def rate(self, step: Callable[[], object], units: int) -> float:
        """Return units/s of a step, each of which takes so many; its first three are left out."""
        for _ in range(3):
            step()
        self.wait()
        start = time.perf_counter()
        for _ in range(self.steps):
            step()
        self.wait()
        return self.steps * units / (time.perf_counter() - start)


def say(what: str, found: float | None, unit: str = "", of: float | None = None) -> None:
    """Print one line: a rate, and its share of another."""
    share = f"{found / of:8.0%}" if of and found else ""
    print(f"{what:<64}{f'{found:>12,.0f}' if found else '–':>12} {unit:<10}{share}", flush=True)


# --- 1. ceilings -------------------------------------------------------------------------------


def resident(bench: Bench, kind: str) -> tuple[nn.Module, object, int]:
    """Return a network, its inputs in the device's memory, and how many labels go with them."""
    if kind == "fine-tuning":
        run, w, n = SETTINGS["run_length"], SETTINGS["half_window"], SETTINGS["batch_size"]
        each = run + 2 * w
        first = torch.arange(n // run)[:, None] * each + torch.arange(run)
        windows = first.flatten()[:, None] + torch.arange(2 * w + 1)
        model, n_images = bench.fine(), n // run * each
    else:
        model, n, n_images, windows = bench.cnn(), bench.batch, bench.batch, None
    images = torch.randn(n_images, 3, bench.size, bench.size, device=bench.device)
    images = images.to(memory_format=torch.channels_last)
    model = model.to(bench.device, memory_format=torch.channels_last)
    given = images if windows is None else (images, windows.to(bench.device))
    return model, given, n


def ceiling(bench: Bench, kind: str, precision: str, how: str) -> float | None:
    """Return units/s of a resident batch; `how`: eager, graph, or compiled (and one graph)."""
    cuda = bench.device.type == "cuda"
    if how != "eager" and not cuda:
        return None
    model, given, n = resident(bench, kind)
    training = kind != "pass"
    model.train(training)
    dtype = reduced_dtype(bench.device) if precision == "mixed" else None
    labels = torch.rand(n, device=bench.device).round()
    optimizer = torch.optim.Adam(model.parameters(), fused=True, capturable=cuda)
    if how == "compiled":
        (cnn,) = (part for part in model.modules() if isinstance(part, CNNDecoder))
        if not training:
            import torch._inductor.config as inductor

            inductor.freezing = True
        cnn.net.forward_features = torch.compile(cnn.net.forward_features, dynamic=False)

    def step() -> None:
        on = dtype is not None
        cast = torch.autocast(bench.device.type, dtype, enabled=on, cache_enabled=False)
        with torch.set_grad_enabled(training), cast:
            logits = model(given)
        if training:
            loss = binary_cross_entropy_with_logits(logits.float(), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    with computing(bench.device):
        if how != "eager":
            step = captured(step)
        return bench.rate(step, n)


def captured(step: Callable[[], None]) -> Callable[[], None]:
    """Return a step as one CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(4):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


# --- 2. our own --------------------------------------------------------------------------------


def trained(
    bench: Bench, kind: str, precision: str, recordings: list[Recording], folder: Path, fast: bool
) -> tuple[float, float, float]:
    """Return units/s of the second epoch of a training, its peak memory (GB), and other seconds.

    Those are what it takes beside two epochs at that rate: its making, first steps, graphs,
    validation, checkpoints. `fast`: compiled, however short the training is.
    """
    make, options = bench.cnn, {"batch_size": bench.batch}
    sources = [Images(part, bench.device) for part in (recordings, recordings[:1])]
    if kind == "fine-tuning":
        make = bench.fine
        options = {key: SETTINGS[key] for key in ("batch_size", "run_length")}
        w = SETTINGS["half_window"]
        sources = [ImageWindows(part, w, bench.device) for part in (recordings, recordings[:1])]
    if bench.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    cost, compiling.COST = compiling.COST, 0.0 if fast else float("inf")
    start = time.perf_counter()
    try:
        with contextlib.redirect_stderr(io.StringIO()) as log:
            history = train.fit(
                make,
                *sources,
                epochs=2,
                max_lr=1e-3,
                frame_step=1,
                seed=0,
                precision=precision,
                device=bench.device,
                checkpoint=Checkpoint(folder / f"{kind}{precision}{fast}.pt", {}, every=5.0),
                **options,
            ).history
    finally:
        compiling.COST = cost
    for line in log.getvalue().splitlines():
        if "slower" in line:
            print(line)
    last = history[-1]
    other = time.perf_counter() - start - 2 * len(sources[0].centres) / last.inputs_per_s
    return last.inputs_per_s, last.peak_memory_mb / 1024, other


def passed(bench: Bench, precision: str, recording: Recording, fast: bool = False) -> float:
    """Return images/s of a network that passes the images of a recording, all in memory.

    `fast`: compiled, however few they are.
    """
    model = bench.cnn().to(bench.device)
    if precision == "mixed":
        model.passed_in = reduced_dtype(bench.device)
    model = for_use(model)
    if fast:
        n = 10**9 if bench.device.type == "cuda" else 0
        compiling.compile_passes(model, n, bench.batch, (bench.size, bench.size))
    images = Images([recording], bench.device)

    def once() -> torch.Tensor:
        return images.logits(model, images.centres, bench.batch)

    with computing(bench.device):
        return bench.rate(once, len(images.centres))


# --- 3. the authors' way -----------------------------------------------------------------------


class Files(Dataset):
    """Windows of images, each image a file of its own."""

    def __init__(self, folder: Path, recording: Recording, width: int) -> None:
        frames = recording.read_frames().astype(np.float32)
        low, high = frames.min(), frames.max()
        bytes_ = ((frames - low) / (high - low) * 255).astype(np.uint8)
        self.paths = [folder / f"{t}.png" for t in range(1, len(frames) - 1)]
        for t, path in enumerate(self.paths, 1):
            Image.fromarray(np.moveaxis(bytes_[t - 1 : t + 2], 0, -1)).save(path)
        self.labels, self.width = recording.labels.astype(np.float32), width

    def __len__(self) -> int:
        return len(self.paths) - self.width + 1

    def __getitem__(self, i: int) -> tuple[torch.Tensor, np.float32]:
        images = [np.asarray(Image.open(path)) for path in self.paths[i : i + self.width]]
        stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        return stacked.float() / 255, self.labels[i + self.width // 2 + 1]


def authors(bench: Bench, recording: Recording, folder: Path) -> float:
    """Return windows/s of fine-tuning that passes every window's images; a GPU takes float16."""
    folder.mkdir()
    width, n = 2 * SETTINGS["half_window"] + 1, SETTINGS["batch_size"]
    cuda = bench.device.type == "cuda"
    data = Files(folder, recording, width)
    loader = DataLoader(
        data, n, shuffle=True, drop_last=True, num_workers=bench.workers, pin_memory=cuda
    )
    model = bench.fine().to(bench.device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    total = bench.steps + 3
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-3, total_steps=total + 1)
    scaler = torch.amp.GradScaler(bench.device.type, enabled=cuda)
    windows = torch.arange(n * width, device=bench.device).view(n, width)

    def batches():
        while True:
            yield from loader

    feed = batches()

    def step() -> None:
        images, labels = (part.to(bench.device, non_blocking=True) for part in next(feed))
        with torch.autocast(bench.device.type, torch.float16, enabled=cuda):
            logits = model((images.flatten(0, 1), windows))
            loss = binary_cross_entropy_with_logits(logits.float(), labels)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        rate.step()
        loss.item()

    return bench.rate(step, n)


# --- 4. Figure 2 -------------------------------------------------------------------------------


def figure2(
    rates: Sequence[float],
    passes: float,
    gb_per_s: float,
    start: float,
    others: Sequence[float] = (0.0, 0.0),
) -> float:
    """Return hours of Figure 2 at rates (units/s), reading, and seconds that a job takes to start.

    `rates` and `others` (s, of each training beside its epochs) are of a CNN and of a fine-tuning.
    A training reads its mice once; every other mouse is read and passed by every epoch.
    """
    jobs, seconds = sum(FIGURE2.values()), 0.0
    for n, rate, other in zip(FIGURE2.values(), rates, others, strict=True):
        seconds += n * (EPOCHS * TRAIN / rate + other)
    seconds += jobs * EPOCHS * OTHERS / passes
    seconds += jobs * FRAMES * GB_A_FRAME / gb_per_s
    seconds += jobs * 3 * start  # a training, two mice passed
    return seconds / 3600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="tiny sizes, to try the script")
    parser.add_argument("--no-compile", action="store_true", help="without what is compiled")
    parser.add_argument("--sessions", type=int, default=12)
    parser.add_argument("--frames", type=int, default=3000, help="a session")
    parser.add_argument("--batch-size", type=int, default=512, help="images a step of the CNN")
    parser.add_argument("--threads", type=int, default=min(16, os.cpu_count() or 1))
    parser.add_argument("--start", type=float, default=15.0, help="s that a job takes to start")
    args = parser.parse_args()
    device = resolve_device("auto", args.threads)
    if args.small:
        args.sessions, args.frames, args.batch_size, args.no_compile = 2, 90, 16, True
    bench = Bench(
        device,
        backbone="test_efficientnet" if args.small else "tf_efficientnet_b0.in1k",
        size=32 if args.small else 128,
        batch=args.batch_size,
        steps=2 if args.small else 40,
        workers=1 if args.small else 10,
        compiles=device.type == "cuda" and not args.no_compile,
    )
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}, {bench.backbone}, {bench.size} px")
    top = ceilings(bench)
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        (one,) = simulated(folder, 1, args.frames, bench.size)
        recordings = [replace(one, session=f"s{i}") for i in range(args.sessions)]
        gb_per_s = reading(bench, recordings, args.threads)
        found = ours(bench, recordings, folder, top)

        print("\n3. The authors' way")
        theirs = authors(bench, one, folder / "images")
        say("fine-tuning, 11 images a window, a file each", theirs, "windows/s")
        for key in [key for key in found[0] if key[0] == "fine-tuning"]:
            print(f"   {', '.join(key)}: {found[0][key] / theirs:.1f} ×")
    project(*found, theirs, gb_per_s, args.start)


def ceilings(bench: Bench) -> dict[tuple[str, ...], float]:
    """Print and return the rate of each kind, precision and way on a resident batch, units/s."""
    print("\n1. Ceilings: a resident batch, units/s")
    top = {}
    for kind in ("cnn", "fine-tuning", "pass"):
        for precision in ("float32", "mixed"):
            compiles = bench.compiles and precision == "mixed"  # mesodecode compiles no other
            for how in ("eager", "graph", *["compiled"] * compiles):
                top[kind, precision, how] = ceiling(bench, kind, precision, how)
                say(f"{kind}, {precision}, {how}", top[kind, precision, how])
    return top


def reading(bench: Bench, recordings: Sequence[Recording], threads: int) -> float:
    """Print and return GB/s of frames from disk to the device."""
    start = time.perf_counter()
    Images(recordings, bench.device)
    bench.wait()
    rate = sum(np.prod(r.shape) for r in recordings) * 2 / 1e9 / (time.perf_counter() - start)
    print(f"\nreading: {rate:.2f} GB/s with {threads} threads")
    held = 38 * 18_000 * GB_A_FRAME
    print(f"38 sessions of frames take {held:.1f} GB beside the peaks below")
    return rate


def ours(
    bench: Bench,
    recordings: Sequence[Recording],
    folder: Path,
    top: Mapping[tuple[str, ...], float],
) -> tuple[dict[tuple[str, ...], float], dict[tuple[str, ...], float]]:
    """Print and return rates of whole trainings and passes (kind, precision, way), units/s.

    And the seconds of trainings beside their epochs.
    """
    print("\n2. mesodecode, with validation and checkpoints, units/s and share of the ceiling")
    found, others = {}, {}
    for kind, few in (("cnn", recordings), ("fine-tuning", recordings[:3])):
        for precision in ("float32", "mixed"):
            for fast in (False, *[True] * (bench.compiles and precision == "mixed")):
                rate, peak, other = trained(bench, kind, precision, few, folder, fast)
                way = "compiled" if fast else "graph"
                found[kind, precision, way], others[kind, precision, way] = rate, other
                words = f"{kind}, {precision}, {way} ({peak:.1f} GB, {other:.0f} s beside epochs)"
                say(words, rate, of=top[kind, precision, way if bench.compiles else "graph"])
    for precision in ("float32", "mixed"):
        found["pass", precision] = passed(bench, precision, recordings[0])
        best = top["pass", precision, "eager"]
        say(f"pass, {precision}", found["pass", precision], "images/s", best)
    if bench.compiles:
        best = top["pass", "mixed", "compiled"]
        say("pass, mixed, compiled", passed(bench, "mixed", recordings[0], True), "images/s", best)
    return found, others


def project(
    found: Mapping[tuple[str, ...], float],
    others: Mapping[tuple[str, ...], float],
    theirs: float,
    gb_per_s: float,
    start: float,
) -> None:
    """Print the hours of Figure 2 at the rates found, and at the authors'."""
    trainings = f"{FIGURE2['cnn']} CNNs and {FIGURE2['fine-tuning']} fine-tunings"
    print(f"\n4. Figure 2, projected: {trainings}, passes of all epochs, reading")
    for precision, way in (("float32", "graph"), ("mixed", "graph"), ("mixed", "compiled")):
        if ("fine-tuning", precision, way) in found:
            kinds = [(kind, precision, way) for kind in FIGURE2]
            each = [found[kind] for kind in kinds], found["pass", precision]
            hours = figure2(*each, gb_per_s, start, [others[kind] for kind in kinds])
            print(f"{precision}, {way}: {hours:.1f} h")
    hours = figure2((theirs * 11, theirs), found["pass", "float32"], gb_per_s, start)
    print(f"at the authors' rate of fine-tuning, {hours:.0f} h (their CNN taken for 11 × as fast)")


if __name__ == "__main__":
    main()
