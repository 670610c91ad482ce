"""How long a frame takes from its arrival to its row, live, and by passing each window anew.

python benchmarks/live.py --seconds 60                      all three decoders, on this machine
python benchmarks/live.py --decoder b0_gru --minutes 10     ten minutes of one: memory, lost frames
python benchmarks/live.py --backends                         ways to pass one image through a CNN

Frames come at their rate from memory, through the queue, the corrections (a mask and binning by 2),
the network, the watch and a table on disk, as in `mesodecode live`. "Each window" is the offline
network, called on all images of the window of every frame. Weights are random: they cost the same.
The processor's time says what a frame costs where other programs slow this one down; the stages say
where the slowest frames (1 % of them) spent theirs. Exits with 1 if a frame was lost, or if memory
grew by more than 20 MB after the first tenth of the time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import nn

from mesodecode.decoders.compiling import compile_for_one
from mesodecode.decoders.device import resolve_device
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder, for_use, rnn_decoder
from mesodecode.decoders.weights import Trained
from mesodecode.live.engine import Engine, Member, open_members
from mesodecode.live.frame_sources import Feed, Frame, Opened
from mesodecode.live.outputs import Hysteresis, Table
from mesodecode.live.rig import Rig
from mesodecode.live.stream_corrections import Corrections
from mesodecode.live.watch import Watch
from mesodecode.live.written import Written
from mesodecode.study import schema

SIZE, W, N_ROIS = 128, 5, 50  # px of images as decoded; half-window; ROIs
HOW = {"causal": True, "normalise_from": "past", "warm_up": 2, "baseline": None}
BACKBONES = {"b0_gru": "efficientnet_b0", "lite0_gru": "efficientnet_lite0"}
DECODERS = (*BACKBONES, "roi_gru")
Call = Callable[[torch.Tensor], torch.Tensor]


def weights(name: str, folder: Path) -> Path:
    """Write random weights of a decoder."""
    path, mice = folder / f"{name}.pt", (("a",), ("b",))
    if name == "roi_gru":
        settings = schema.defaults("roi_rnn", input="rois", rnn="gru") | HOW | {"dropped": []}
        state = rnn_decoder(N_ROIS, settings).state_dict()
        Trained("roi_rnn", settings, *mice, state).save(path)
        return path
    cnn = CNNDecoder(BACKBONES[name])
    rnn = RNNDecoder(cnn.n_features, cell="gru", hidden_size=128, num_layers=2)
    settings = {"backbone": BACKBONES[name], "rnn": "gru", "hidden_size": 128, "num_layers": 2}
    settings |= {"bidirectional": False, "dropout": 0.0, "half_window": W} | HOW
    Trained("finetuned", settings, *mice, CNNRNNDecoder(cnn, rnn).state_dict()).save(path)
    return path


def frames(name: str, rate: float, seconds: float) -> Iterator[Frame]:
    """Yield frames when they are due, as a camera gives them."""
    rng = np.random.default_rng(0)
    shape = (N_ROIS,) if name == "roi_gru" else (2 * SIZE, 2 * SIZE)
    made = rng.normal(1000, 40, (100, *shape))
    made = made.astype(np.float32 if name == "roi_gru" else np.uint16)
    start = time.monotonic()
    for i in range(round(rate * seconds)):
        due = start + i / rate
        time.sleep(max(0.0, due - time.monotonic()))
        yield Frame(i, made[i % 100], arrived=due)


class Stages:
    """Times (ms) that each decoded frame spends in each of its stages, by the clock on the wall."""

    def __init__(self, rig: Rig, table: Written) -> None:
        self._now: dict[str, float] = {}
        self.frames: list[dict[str, float]] = []
        for owner, name, stage in (
            (rig._corrections, "push", "corrections"),
            (rig._engine, "push", "network"),
            (rig._watch, "see", "watch"),
            (table, "write", "hand over row"),
        ):
            setattr(owner, name, self._timed(getattr(owner, name), stage))

    def _timed(self, call: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def timed(*args: Any) -> Any:
            start = time.monotonic()
            if stage == "corrections":
                self._now = {"until it is taken": 1000 * (start - args[0].arrived)}
            made = call(*args)
            self._now[stage] = 1000 * (time.monotonic() - start)
            return made

        return timed

    def write(self, row: dict[str, Any]) -> None:
        """Keep those of a decoded frame."""
        if row["probability"] is not None:
            self.frames.append({"latency": row["latency_ms"]} | self._now)

    def words(self) -> str:
        """Return median and 99th percentile of each stage, and its mean in the slowest frames."""
        whole = np.array([frame["latency"] for frame in self.frames])
        slowest = np.argsort(whole)[-max(1, len(whole) // 100) :]
        lines = []
        for stage in self.frames[0]:
            taken = np.array([frame[stage] for frame in self.frames])
            p50, p99 = np.percentile(taken, [50, 99])
            tail = f"slowest 1 % {taken[slowest].mean():.2f} ms"
            lines.append(f"  {stage}: p50 {p50:.2f}, p99 {p99:.2f}, {tail}")
        return "\n".join(lines)


class Memory:
    """Resident memory (MB) of this process over the frames, once a second of them."""

    def __init__(self, rate: float) -> None:
        self._process, self._every, self._n = psutil.Process(), round(rate), 0
        self.found: list[float] = []

    def write(self, row: dict[str, Any]) -> None:
        """Look now and then."""
        if self._n % self._every == 0:
            self.found.append(self._process.memory_info().rss / 2**20)
        self._n += 1

    @property
    def grown(self) -> float:
        """The most after the first tenth of the time, less what it was then."""
        late = self.found[len(self.found) // 10 :]
        return max(late) - late[0]


class Spent:
    """The decoding thread's processor time from taking a frame to its row, ms: without others'."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames, self._start, self.found = frames, 0.0, []

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            self._start = time.thread_time()
            yield frame

    def write(self, row: dict[str, Any]) -> None:
        """Take the time of a row."""
        if row["probability"] is not None:
            self.found.append(1000 * (time.thread_time() - self._start))


def live(
    name: str, args: argparse.Namespace, device: torch.device, folder: Path
) -> tuple[float, bool]:
    """Decode at the rate of the camera and print what it took.

    Returns the processor's ms a frame, and whether all frames came through in the same memory.
    """
    (loaded,) = open_members([weights(name, folder)], device)
    corrections = schema.defaults("corrections")
    if name != "roi_gru":
        if args.compile:
            compile_for_one(loaded.decoder.frame_network, (SIZE, SIZE))
        np.save(folder / "mask.npy", np.ones((2 * SIZE, 2 * SIZE), np.uint8))
        corrections |= {"binning": 2, "brain_mask": f"{folder}/mask.npy"}
    table = Written(Table(folder / f"{name}.tsv"), f"{name}.tsv")
    outputs: list[Any] = [table]
    rig = Rig(
        Corrections(corrections, args.rate, "camera"),
        Engine([Member(loaded, args.rate)]),
        Hysteresis(0.6, 0.4),
        Watch(schema.defaults("live"), args.rate),
        outputs,
    )
    outputs += [stages := Stages(rig, table), memory := Memory(args.rate)]
    spent = time.process_time()
    with Feed(Opened("camera", frames(name, args.rate, args.seconds)), 10) as feed:
        outputs.append(own := Spent(feed))
        rig.run(own)
    spent = 1000 * (time.process_time() - spent) / rig.counts.taken
    table.close()
    found, counts = rig.counts.percentiles(), rig.counts
    expected = round(args.rate * args.seconds)
    lost = expected - counts.taken
    late = float(np.mean(np.array(counts.latencies) > 1000 / args.rate))
    print(
        f"{name}: p50 {found[0]:.1f}, p95 {found[1]:.1f}, p99 {found[2]:.1f}, worst "
        f"{found[3]:.1f} ms; {lost} of {expected} frames lost, {late:.2%} later than the next one "
        f"came; {memory.grown:+.1f} MB; processor {spent:.1f} ms a frame"
    )
    print(stages.words())
    p50, p99, worst = np.percentile(own.found, [50, 99, 100])
    print(f"  frame to row, this thread alone: p50 {p50:.1f}, p99 {p99:.1f}, worst {worst:.1f} ms")
    return spent, lost == 0 and memory.grown < 20


@torch.inference_mode()
def each_window(name: str, device: torch.device, folder: Path, n: int = 25) -> float:
    """Pass every image of a window anew, for each frame; return the processor's ms a frame."""
    (loaded,) = open_members([folder / f"{name}.pt"], device)
    network, taken = loaded.decoder.network, []
    if name == "roi_gru":
        windows = torch.randn(n, 31, N_ROIS, device=device)
        call: Callable[[int], torch.Tensor] = lambda i: network(windows[i : i + 1])  # noqa: E731
    else:
        images = torch.randn(2 * W + 1, 3, SIZE, SIZE, device=device)
        images = images.to(memory_format=torch.channels_last)
        order = torch.arange(2 * W + 1, device=device)[None]
        call = lambda i: network((images, order))  # noqa: E731
    for i in range(n):
        start = time.monotonic(), time.process_time()
        float(call(i)[0])
        taken.append((time.monotonic() - start[0], time.process_time() - start[1]))
    (p50, spent), p95 = (
        1000 * np.median(taken[5:], axis=0),
        1000 * np.percentile(taken[5:], 95, 0)[0],
    )
    print(
        f"{name}, each window: p50 {p50:.1f}, p95 {p95:.1f} ms; processor {spent:.1f} ms", end="; "
    )
    return float(spent)


def traced(eager: nn.Module, image: torch.Tensor, _: Path) -> Call:
    return torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(eager, image)))


def compiled(eager: nn.Module, image: torch.Tensor, freezing: bool) -> Call:
    made = torch.compile(eager, dynamic=False)
    with torch._inductor.config.patch(freezing=freezing):
        made(image)
    return made


def in_place(eager: CNNDecoder, image: torch.Tensor) -> Call:
    """As live has it: features only, by OpenVINO if it is installed."""
    compile_for_one(eager, image.shape[2:])
    return lambda image: eager.classify(eager.features(image))


def ahead_of_time(eager: nn.Module, image: torch.Tensor, folder: Path) -> Call:
    """Export, compile to a package on disk and load that (AOTInductor)."""
    package = str(folder / "network.pt2")
    exported = torch.export.export(eager, (image,))
    torch._inductor.aoti_compile_and_package(exported, package_path=package)
    return torch._inductor.aoti_load_package(package)


def onnx_runtime(eager: nn.Module, image: torch.Tensor, folder: Path) -> Call:
    """Export to ONNX and pass by ONNX Runtime, on as many threads as PyTorch has."""
    import onnxruntime

    path = folder / "network.onnx"
    torch.onnx.export(eager, (image.contiguous(),), path, dynamo=True, verbose=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: torch.from_numpy(session.run(None, {name: image.numpy()})[0])


WAYS: dict[str, Callable[[nn.Module, torch.Tensor, Path], Call]] = {
    "as trained": lambda plain, image, folder: plain,
    "merged norms, channels last (--no-compile)": lambda plain, *rest: for_use(plain),
    "torch.jit, frozen": lambda plain, *rest: traced(for_use(plain), *rest),
    "torch.compile": lambda plain, image, folder: compiled(for_use(plain), image, False),
    "torch.compile, weights as constants": lambda plain, image, folder: compiled(
        for_use(plain), image, True
    ),
    "live: OpenVINO, if installed": lambda plain, image, folder: in_place(for_use(plain), image),
    "AOTInductor": lambda plain, *rest: ahead_of_time(for_use(plain), *rest),
    "ONNX Runtime": lambda plain, *rest: onnx_runtime(for_use(plain), *rest),
}


@torch.no_grad()
def backends(folder: Path, n: int = 200) -> None:
    """Print what one image costs in each way of passing it, in turn on the same machine.

    ONNX Runtime wants `pip install onnx onnxscript onnxruntime`.
    """
    image = torch.randn(1, 3, SIZE, SIZE).to(memory_format=torch.channels_last)
    for name, backbone in BACKBONES.items():
        plain, ways = CNNDecoder(backbone).eval(), {}
        expected = plain(image)
        for way, make in WAYS.items():
            start = time.monotonic()
            try:
                ways[way] = make(plain, image, folder)
                wrong = (ways[way](image) - expected).abs().max()
            except Exception as error:
                ways.pop(way, None)
                print(f"{name}, {way}: left out ({type(error).__name__}: {str(error)[:80]})")
                continue
            print(f"{name}, {way}: ready in {time.monotonic() - start:.1f} s, off by {wrong:.1e}")
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(n // 20):
            for way, call in ways.items():  # in turn, so that all meet the same machine
                for _ in range(20):
                    start = time.monotonic()
                    call(image)
                    times[way].append(1000 * (time.monotonic() - start))
        for way, taken in times.items():
            p50, p95, p99 = np.percentile(taken[10:], [50, 95, 99])
            print(f"{name}, {way}: p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--decoder", choices=DECODERS, nargs="+", default=DECODERS)
    parser.add_argument("--seconds", type=float, default=60, help="of frames (default: 60)")
    parser.add_argument("--minutes", type=float, help="of frames, in the place of --seconds")
    parser.add_argument("--rate", type=float, default=30, help="frames/s (default: 30)")
    words = "compile the CNN, as `mesodecode live` does (default: yes)"
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, default=True, help=words
    )
    parser.add_argument("--backends", action="store_true", help="compare ways to pass one image")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--threads", type=int, help="CPU cores (default: all)")
    args = parser.parse_args()
    args.seconds = 60 * args.minutes if args.minutes else args.seconds
    device = resolve_device(args.device, args.threads)
    busy = psutil.getloadavg()[0]
    print(f"{torch.get_num_threads()} threads, {device}, load of the machine before: {busy:.1f}")
    if args.backends:
        with tempfile.TemporaryDirectory() as folder:
            return backends(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        whole = True
        for name in args.decoder:
            spent, held = live(name, args, device, Path(folder))
            whole &= held
            anew = each_window(name, device, Path(folder))
            print(f"{anew / spent:.1f} times the processor's time of live")
    sys.exit(not whole)


if __name__ == "__main__":
    main()
