"""How fast is a movie preprocessed against reading its file alone, and in how much memory?

python benchmarks/intake.py                            1,800 frames of 512 x 512, every format
python benchmarks/intake.py --frames 18000 --formats tiff   the size of a published session, 9.4 GB
python benchmarks/intake.py --beside TREE   TIFF by the tree of another commit, formats by this one

Each movie (uint16, camera-like counts) is written to a temporary folder, dropped from the page
cache, read once from end to end, dropped again, and preprocessed to 128 x 128 by the verb in a
process of its own, whose peak resident memory is the system's count (ru_maxrss; maps included).
MB/s are of the movie's pixels, not of the file.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import tifffile

SIDE = 512  # px
BLOCK = 60  # frames
HERE = Path(__file__).parents[1]


def blocks(n_frames: int) -> Iterator[np.ndarray]:
    """Yield blocks of frames: a bright image and photon noise, of which there are 16 to choose."""
    rng = np.random.default_rng(0)
    image = 2000 + 1000 * np.sin(np.linspace(0, 9, SIDE))[:, None] * np.ones(SIDE)
    noise = rng.normal(0, 40, (16, SIDE, SIDE))
    for start in range(0, n_frames, BLOCK):
        which = rng.integers(16, size=min(BLOCK, n_frames - start))
        gain = 1 + 0.02 * np.sin(np.arange(start, start + len(which)) / 50)
        yield (image * gain[:, None, None] + noise[which]).astype(np.uint16)


def write_tiff(path: Path, n_frames: int, compression: str | None = None) -> None:
    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        if compression is None:
            frames = (frame for block in blocks(n_frames) for frame in block)
            shape = (n_frames, SIDE, SIDE)
            tif.write(frames, shape=shape, dtype=np.uint16, photometric="minisblack")
            return
        for block in blocks(n_frames):
            for frame in block:
                tif.write(frame, photometric="minisblack", compression=compression, metadata=None)


def write_npy(path: Path, n_frames: int) -> None:
    shape = (n_frames, SIDE, SIDE)
    made = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint16, shape=shape)
    for i, block in enumerate(blocks(n_frames)):
        made[i * BLOCK : i * BLOCK + len(block)] = block
    made.flush()


def write_flat(path: Path, n_frames: int) -> None:
    with open(path, "wb") as file:
        for block in blocks(n_frames):
            block.tofile(file)


def write_hdf5(path: Path, n_frames: int, chunks: tuple[int, int, int] = (4, SIDE, SIDE)) -> None:
    cache = {"rdcc_nbytes": 256 << 20, "rdcc_nslots": 10_007}  # tiles of a block stay until full
    with h5py.File(path, "w", **cache) as file:
        frames = file.create_dataset(
            "frames", (n_frames, SIDE, SIDE), np.uint16, chunks=chunks, compression="lzf"
        )
        for i, block in enumerate(blocks(n_frames)):
            frames[i * BLOCK : i * BLOCK + len(block)] = block


def write_zarr(path: Path, n_frames: int) -> None:
    import zarr

    shape = (n_frames, SIDE, SIDE)
    frames = zarr.create_array(str(path), shape=shape, chunks=(BLOCK, 128, 128), dtype=np.uint16)
    for i, block in enumerate(blocks(n_frames)):
        frames[i * BLOCK : i * BLOCK + len(block)] = block


FORMATS = {
    "tiff": ("s.tif", write_tiff),
    "tiff_lzw": ("s.tif", lambda path, n: write_tiff(path, n, "lzw")),
    "flat": (f"s_1_{SIDE}_{SIDE}_uint16.dat", write_flat),
    "npy": ("s.npy", write_npy),
    "hdf5": ("s.h5", write_hdf5),
    "hdf5_tiles": ("s.h5", lambda path, n: write_hdf5(path, n, (240, 32, 32))),
    "zarr": ("s.zarr", write_zarr),
}


def write_labels(folder: Path, n_frames: int) -> None:
    scipy.io.savemat(folder / "s.mat", {"runrest": np.arange(n_frames) // 100 % 2})


def drop(path: Path) -> None:
    """Write a file or folder to disk and drop it from the page cache, as far as the system does."""
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            with open(file, "rb") as opened:
                os.fsync(opened.fileno())
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_alone(path: Path) -> float:
    """Return the seconds that reading a file, or all files of a folder, takes."""
    drop(path)
    start = time.perf_counter()
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            with open(file, "rb", buffering=0) as opened:
                while opened.read(16 << 20):
                    pass
    return time.perf_counter() - start


def preprocess(path: Path, folder: Path, tree: Path = HERE) -> tuple[float, float, float]:
    """Return the seconds, the processor's, and the peak resident memory (GB) of the verb."""
    drop(path)
    words = ["preprocess", "--movie", path, "--behavior", folder / "s.mat", "--image-size", 128]
    words += ["--session", "s", "--mouse", "m", "--out", folder / "out.h5"]
    start = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(tree / "workflow")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled once, as at a user's
    line = [sys.executable, "-m", "mesodecode", *map(str, words)]
    child = subprocess.Popen(line, env=environment, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"preprocess failed on {path.name}")
    spent = used.ru_utime + used.ru_stime
    return time.perf_counter() - start, spent, used.ru_maxrss * 1024 / 1e9


def write(name: str, path: Path, n_frames: int) -> None:
    """Write a movie in a process of its own: who starts another has its peak, too."""
    words = ["--frames", str(n_frames), "--formats", name, "--write", path]
    subprocess.run([sys.executable, __file__, *words], check=True)


def beside(tree: Path, names: list[str], n_frames: int, folder: Path, turns: int) -> None:
    """Print MB/s of TIFF by another tree and of formats by this one, in turn, and their ratios.

    Of rates the best, of ratios the median of all turns, with the least and the most.
    """
    sides = {"tiff, there": ("tiff", tree)} | {f"{name}, here": (name, HERE) for name in names}
    paths = {name: folder / name / FORMATS[name][0] for name in {"tiff", *names}}
    for name, path in paths.items():
        path.parent.mkdir()
        write(name, path, n_frames)
    found: dict[str, list[tuple[float, float, float]]] = {side: [] for side in sides}
    for turn in range(turns + 1):  # the first one compiles
        for side, (name, where) in sides.items():
            taken = preprocess(paths[name], folder, where)
            found[side] += [taken] if turn else []
    size, first = n_frames * SIDE * SIDE * 2 / 1e6, np.array(found["tiff, there"])
    for side, runs in found.items():
        wall, spent, _ = np.min(runs, axis=0)
        ratios = first[:, :2] / np.array(runs)[:, :2]
        by_wall, by_processor = (
            f"{np.median(each):.2f} x, {each.min():.2f} to {each.max():.2f}" for each in ratios.T
        )
        print(
            f"{side:<18}{size / wall:>5.0f} MB/s ({by_wall}), {size / spent:>4.0f} MB a second of "
            f"the processor ({by_processor}), {np.max(runs, axis=0)[2]:.2f} GB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1800)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--folder", type=Path, help="with room for one movie (default: temporary)")
    parser.add_argument("--beside", type=Path, metavar="TREE", help="tree of another commit")
    parser.add_argument("--turns", type=int, default=5, help="of --beside")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.beside and not (args.beside / "workflow" / "mesodecode").is_dir():
        parser.error(f"{args.beside}: no tree of mesodecode")
    if args.write:
        FORMATS[args.formats[0]][1](args.write, args.frames)
        return
    size = args.frames * SIDE * SIDE * 2 / 1e6
    print(f"{args.frames} frames of {SIDE} x {SIDE} uint16, {size / 1e3:.1f} GB")
    if args.beside:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            write_labels(Path(folder), args.frames)
            return beside(args.beside, args.formats, args.frames, Path(folder), args.turns)
    print(f"{'format':<12}{'file GB':>9}{'read MB/s':>11}{'preprocess MB/s':>17}{'peak GB':>9}")
    for name in args.formats:
        file = FORMATS[name][0]
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            path, folder = Path(folder) / file, Path(folder)
            write(name, path, args.frames)
            write_labels(folder, args.frames)
            files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
            stored = sum(p.stat().st_size for p in files) / 1e9
            read = read_alone(path)
            taken, _, peak = preprocess(path, folder)
        rates = f"{size / read:>11.0f}{size / taken:>17.0f}"
        print(f"{name:<12}{stored:>9.2f}{rates}{peak:>9.2f}", flush=True)


if __name__ == "__main__":
    main()
