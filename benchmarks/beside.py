"""Is a CPU not slower than at an earlier commit? Training, passes, feeding, writing and reading.

python benchmarks/beside.py [--beside 866cb41] [--turns 3] [windows] [feeding] [files]

The other commit is checked out beside this one. Both sides run in turn, each turn of each in a
process of its own; printed are the best turn of each side, and the median over turns of the ratio
of a turn, with the least and the most (above 1: faster now).

windows, feeding: `benchmarks/windows.py` and `benchmarks/feeding.py`, as each side has them, in
smaller sizes. files: one simulated session of 128 x 128 px; its frames alone written as
that side writes them, all of `mesodecode preprocess` (a process, its imports too), and the frames
of a recording read into memory, from the system's cache, each by one thread and by two.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import tifffile

ROOT = Path(__file__).parents[1]
SMALLER = {
    "windows": ["--windows", "128"],
    "feeding": ["--frames", "600", "--batches", "2"],
}
BLOCK = 32 << 20  # bytes that preprocessing holds, on either side


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """Check a commit out in a worktree of its own for some time."""
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(folder), commit], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def of_tree(tree: Path, *words: str | Path, threads: int = 1) -> str:
    """Return what Python prints with the package of a tree."""
    paths = {"PYTHONPATH": str(tree / "workflow"), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, *map(str, words)], env=os.environ | paths, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{tree}: {' '.join(map(str, words))}\n{done.stderr}")
    return done.stdout


def windows(tree: Path, folder: Path) -> dict[str, float]:
    """Return passes/s of all windows, and of those trained on."""
    said = of_tree(tree, tree / "benchmarks" / "windows.py", *SMALLER["windows"])
    found = re.findall(r"^(\S+) +naive +(\S+) s .* (\S+) x$", said, re.MULTILINE)
    # the seconds of the shared way have one digit: their ratio to those of the naive one has more
    return {f"{what}, passes/s": float(more) / float(naive) for what, naive, more in found}


def feeding(tree: Path, folder: Path) -> dict[str, float]:
    """Return images/s of training by order and feed."""
    said = of_tree(tree, tree / "benchmarks" / "feeding.py", *SMALLER["feeding"])
    found = re.findall(r"^(single images|runs of 16) +(\S+) +(\d+) ", said, re.MULTILINE)
    return {f"{order}, {feed}, images/s": float(rate) for order, feed, rate in found}


def files(tree: Path, folder: Path) -> dict[str, float]:
    """Return MB/s of the frames of a session, of its three ways, by threads."""
    size, found = tifffile.imread(folder / "s.tif").nbytes / 1e6, {}
    for threads in (1, 2):
        words = ["-m", "mesodecode", "preprocess", "--movie", folder / "s.tif", "--session", "s"]
        words += ["--behavior", folder / "s.mat", "--mouse", "m", "--out", folder / "s.h5"]
        start = time.perf_counter()
        of_tree(tree, *words, threads=threads)
        seconds = time.perf_counter() - start
        rates = of_tree(tree, __file__, "--measure", folder, threads=threads).split()
        where = f"{threads} thread(s), MB/s"
        found[f"write frames, {where}"] = size / float(rates[0])
        found[f"preprocess, {where}"] = size / seconds
        found[f"read frames, {where}"] = size / float(rates[1])
    return found


def measure(folder: Path) -> None:
    """Print seconds of writing the frames of a movie and of reading a recording, best of three."""
    try:
        from mesodecode.recordings.chunks import Writer
        from mesodecode.recordings.recording import read_recording
    except ImportError:  # as at 866cb41
        from mesodecode.preprocess import CHUNK, FILTERS  # isort: skip
        from mesodecode.recordings import read_recording

        Writer = None
    frames = tifffile.imread(folder / "s.tif")
    step = BLOCK // (frames[0].size * 4)
    blocks = [frames[at : at + step] for at in range(0, len(frames), step)]

    def write() -> None:
        with h5py.File(folder / "frames.h5", "w") as file:
            if Writer is not None:
                with Writer(file, frames.shape, frames.dtype) as writer:
                    for block in blocks:
                        writer.write(block)
                return
            chunks = (CHUNK // frames[0].nbytes, *frames.shape[1:])
            data = file.create_dataset(
                "frames", frames.shape, frames.dtype, chunks=chunks, **FILTERS
            )
            for i, block in enumerate(blocks):
                data[i * step : i * step + len(block)] = block

    def read() -> None:
        assert np.array_equal(read_recording(folder / "s.h5").read_frames()[-1], frames[-1])

    print(*(min(seconds(work) for _ in range(3)) for work in (write, read)))


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def write_session(folder: Path, n_frames: int) -> None:
    """Write one simulated session of the published frame size."""
    from mesodecode.simulation.simulate import simulate_session
    from mesodecode.study import schema

    settings = schema.defaults("simulate", n_frames=n_frames, image_size=128)
    made = simulate_session(mouse="m", session="s", run_share=0.5, **settings)
    tifffile.imwrite(folder / "s.tif", made.frames, photometric="minisblack")
    scipy.io.savemat(folder / "s.mat", {"runrest": np.arange(n_frames) // 100 % 2})


PARTS = {part.__name__: part for part in (windows, feeding, files)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--beside", default="866cb41", help="the other commit (default: 866cb41)")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--frames", type=int, default=1800, help="of the session of files")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure)
        return
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: no part; needs some of {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as at, checked_out(args.beside, Path(at) / "there") as there:
        write_session(Path(at), args.frames)
        print(f"{'':<44}{args.beside:>10}{'now':>10}   ratio by turn")
        for name in args.parts or PARTS:
            turns = [
                [PARTS[name](tree, Path(at)) for tree in (there, ROOT)] for _ in range(args.turns)
            ]
            for what in turns[0][1]:
                before, now = np.array([[side[what] for side in turn] for turn in turns]).T
                ratio = now / before
                print(
                    f"{what:<44}{before.max():>10.2f}{now.max():>10.2f}   {np.median(ratio):.2f} x "
                    f"({ratio.min():.2f} to {ratio.max():.2f})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
