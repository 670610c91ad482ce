#!/usr/bin/env bash
# Guess: a page whose strip says 0 bytes at offset 0 (sparse, or a program that was stopped before it wrote the
#   pixels) is an error, or at least said.
# Happens: a compressed page is read as zeros, an uncompressed one as the first bytes of the file: TIFF's own
#   header and tags, as pixels. No error, no warning, nothing in tifffile's log.
# Version: tifffile 2026.3.3.
# Source: run here.
# Why it matters: a lost frame of a movie is a frame of darkness or of noise, of the size and type of the others;
#   dF/F and motion correction go on with it. Ask page.dataoffsets and page.databytecounts for zeros.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tifffile==2026.3.3 numpy==2.4.6
venv/bin/python - <<'EOF'
import io
import logging

import numpy as np
import tifffile

said = io.StringIO()
logging.basicConfig(stream=said, level=logging.DEBUG)
print("tifffile", tifffile.__version__)
frames = np.full((5, 16, 20), 777, "u2")


def without_pixels(compression):
    """Write a movie whose page 3 says it has no bytes; return how that page is read, and the file."""
    with tifffile.TiffWriter("movie.tif") as writer:
        for frame in frames:
            writer.write(frame, contiguous=False, metadata=None, compression=compression)
    with tifffile.TiffFile("movie.tif") as tif:
        tags = [tif.pages[3].tags[name] for name in ("StripOffsets", "StripByteCounts")]
    content = bytearray(open("movie.tif", "rb").read())
    for tag in tags:
        size = 2 if tag.dtype == tifffile.DATATYPE.SHORT else 4
        content[tag.valueoffset : tag.valueoffset + size] = bytes(size)
    open("movie.tif", "wb").write(content)
    with tifffile.TiffFile("movie.tif") as tif:
        pages = [page.asarray() for page in tif.pages]
    assert all((page == 777).all() for i, page in enumerate(pages) if i != 3)
    return pages[3], bytes(content)


zeros, _ = without_pixels("zlib")
header, content = without_pixels(None)
print("compressed: values", np.unique(zeros), "\nuncompressed: first values", header.ravel()[:6])
print("said:", said.getvalue() or "nothing")
assert not zeros.any() and zeros.shape == (16, 20)
assert header.tobytes() == content[: header.nbytes]
assert said.getvalue() == ""
EOF
