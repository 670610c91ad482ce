"""Which lossless filter should recordings have? Size, write and read speed of each, in one run.

The last lines are those of `recordings/chunks.py`, which writes and reads the chosen filter beside
HDF5, by one thread and by one a core.

python benchmarks/compression.py [MOVIE.tif …]    default: a simulated session, 1800 x 128 x 128

Only filters that every HDF5 library can read are tried: a lab opens these files in MATLAB too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import tifffile

from mesodecode.recordings.chunks import CHUNK, Writer, read_frames
from mesodecode.simulation.simulate import simulate_session
from mesodecode.study import schema

FILTERS = {
    "none": {},
    "lzf": {"compression": "lzf"},
    "lzf + shuffle": {"compression": "lzf", "shuffle": True},
    "gzip 1 + shuffle": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "gzip 4 + shuffle": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
}


def measure(
    frames: np.ndarray, filters: dict, path: Path, threads: int = 0
) -> tuple[float, float, float]:
    """Return size / raw size, write and read speed in MB/s of raw data (best of three).

    `threads` of ours, 0: by HDF5.
    """
    os.environ["OMP_NUM_THREADS"] = str(threads or 1)
    chunk = (max(1, CHUNK // frames[0].nbytes), *frames.shape[1:])
    writes, reads = [], []
    for _ in range(3):
        path.unlink(missing_ok=True)
        start = time.perf_counter()
        with h5py.File(path, "w") as file:
            if threads:
                with Writer(file, frames.shape, frames.dtype) as writer:
                    writer.write(frames)
            else:
                file.create_dataset("frames", data=frames, chunks=chunk, **filters)
        writes.append(time.perf_counter() - start)
        start = time.perf_counter()
        if threads:
            same = read_frames(path)
        else:
            with h5py.File(path) as file:
                same = file["frames"][:]
        reads.append(time.perf_counter() - start)
        assert np.array_equal(same, frames)
    size = frames.nbytes / 1e6
    return path.stat().st_size / frames.nbytes, size / min(writes), size / min(reads)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("movies", nargs="*", type=Path)
    movies = {path.name: tifffile.imread(path) for path in parser.parse_args().movies}
    if not movies:
        settings = schema.defaults("simulate")
        session = simulate_session(mouse="m1", session="s1", run_share=0.5, **settings)
        movies = {"simulated": session.frames}
    print(f"{'movie':<16}{'filter':<20}{'size':>8}{'write MB/s':>12}{'read MB/s':>12}")
    with tempfile.TemporaryDirectory() as folder:
        for name, frames in movies.items():
            for filter_name, filters in FILTERS.items():
                size, write, read = measure(frames, filters, Path(folder) / "test.h5")
                print(f"{name:<16}{filter_name:<20}{size:>8.0%}{write:>12.0f}{read:>12.0f}")
            for threads in sorted({1, len(os.sched_getaffinity(0))}):
                size, write, read = measure(frames, {}, Path(folder) / "test.h5", threads)
                line = f"ours, {threads} thread(s)"
                print(f"{name:<16}{line:<20}{size:>8.0%}{write:>12.0f}{read:>12.0f}")


if __name__ == "__main__":
    main()
