"""Windows of ROI signals: views of one array against a plain DataLoader over materialised windows.

python benchmarks/roi_windows.py        about a minute on two cores

Both feed the same GRU (32 units) on the same signals in batches of 256. Plain is one process, as a
notebook runs, with one thread or with all cores, whichever is faster. Views run as the workflow
does, a process of one thread on each core; their rates are added up. `feed`: batches alone;
`train`: with the step of the network. `inputs` is what the windows take in memory, `peak` the
largest process. On a machine that does anything else torch's threads wait for each other.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np

FRAMES, ROIS, BATCH = 20_000, 50, 256
FEED_S, TRAIN_S = 1.0, 3.0  # seconds of each measurement


def rate(batches: Iterator, seconds: float, use: Callable | None = None) -> float:
    """Return samples/s, after one batch that does not count."""
    for _ in zip(range(2), batches, strict=False):
        pass
    start, samples = time.perf_counter(), 0
    for windows, labels in batches:
        if use is not None:
            use(windows, labels)
        samples += len(labels)
        if time.perf_counter() - start > seconds:
            break
    return samples / (time.perf_counter() - start)


def measure(kind: str, half_window: int, threads: int, out: multiprocessing.Queue) -> None:
    """Put feed and train in samples/s, and bytes of inputs and of the process, into `out`."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits
    from torch.utils.data import DataLoader, TensorDataset

    from mesodecode.decoders.inputs import Windows
    from mesodecode.decoders.networks import RNNDecoder
    from mesodecode.recordings.roi_signals import SessionSignals

    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    signals = rng.random((FRAMES, ROIS), np.float32)
    labels = rng.integers(0, 2, FRAMES, np.uint8)
    source = Windows([SessionSignals("s", "m", signals, labels, None)], half_window, half_window)
    if kind == "plain":
        windows, y = source.batch(source.centres), source.labels[source.centres]
        loader: Iterable = DataLoader(TensorDataset(windows, y), batch_size=BATCH, shuffle=True)
        held = windows.nbytes
    else:
        tensors = [t for t in vars(source).values() if isinstance(t, torch.Tensor)]
        held = sum(tensor.nbytes for tensor in tensors)

    def batches() -> Iterator:
        while True:
            if kind == "plain":
                yield from loader
                continue
            for at in source.centres[torch.randperm(len(source.centres))].split(BATCH):
                yield source.batch(at), source.labels[at]

    torch.manual_seed(0)
    model = RNNDecoder(ROIS, cell="gru", hidden_size=32)
    optimizer = torch.optim.Adam(model.parameters())

    def step(windows: torch.Tensor, y: torch.Tensor) -> None:
        loss = binary_cross_entropy_with_logits(model(windows), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    feed, train = rate(batches(), FEED_S), rate(batches(), TRAIN_S, step)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    out.put((feed, train, held, peak))


def run(kind: str, half_window: int, processes: int, threads: int) -> tuple[float, ...]:
    """Return feed and train summed over processes, and the largest inputs and process in MB."""
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    arguments = (kind, half_window, threads, out)
    workers = [context.Process(target=measure, args=arguments) for _ in range(processes)]
    for worker in workers:
        worker.start()
    results = np.array([out.get() for _ in workers])
    for worker in workers:
        worker.join()
    return (*results[:, :2].sum(axis=0), *(results[:, 2:].max(axis=0) / 1e6))


def main() -> None:
    cores = os.cpu_count() or 1
    print(f"{cores} cores, {FRAMES} frames x {ROIS} ROIs, GRU of 32 units, batches of {BATCH}")
    columns = ("half-window", "windows", "feed/s", "train/s", "inputs MB", "peak MB")
    print("".join(f"{column:>13}" for column in columns))
    for half_window in (5, 15, 30):
        both = [run("plain", half_window, 1, threads) for threads in (1, cores)]
        plain = np.max(both, axis=0)
        views = run("views", half_window, cores, 1)
        for kind, row in (("plain", plain), ("views", views)):
            print(f"{half_window:>13}{kind:>13}" + "".join(f"{x:>13,.0f}" for x in row), flush=True)
        feed, train = views[0] / plain[0], views[1] / plain[1]
        print(f"{'':>26}{f'x {feed:.1f}':>13}{f'x {train:.1f}':>13}", flush=True)


if __name__ == "__main__":
    main()
