#!/usr/bin/env bash
# Guess: chunks=True of a movie (frames, rows, columns) makes chunks of whole frames, or nearly.
# Happens: every axis is halved in turn; (10000, 512, 512) uint16 gets (313, 16, 16): one frame lies
#   in 1024 chunks, which hold the pixels of 313 frames.
# Version: h5py 3.16.0 (HDF5 2.0.0).
# Source: h5py._hl.filters.guess_chunk.
# Why it matters: compressed like this, reading the movie frame by frame decompresses all of it once per
#   frame as soon as a row of chunks (164 MB here) exceeds the cache (8 MiB).
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check h5py==3.16.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import h5py

print("h5py", h5py.__version__, "HDF5", h5py.version.hdf5_version)
with h5py.File("movie.h5", "w") as file:
    movie = file.create_dataset("movie", (10000, 512, 512), "u2", chunks=True, compression="gzip")
    frames, rows, columns = movie.chunks
    cache = movie.id.get_access_plist().get_chunk_cache()[1]
    per_frame = (512 // rows) * (512 // columns)
    held = per_frame * frames * rows * columns * 2
    print("chunks", movie.chunks, "chunks a frame", per_frame, "bytes", held, "cache", cache)
    assert movie.chunks == (313, 16, 16) and per_frame == 1024
    assert held > 19 * cache
EOF
