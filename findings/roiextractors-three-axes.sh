#!/usr/bin/env bash
# Guess: NumpyImagingExtractor of an array (frames, rows, columns) gives the frames back, as its own count and image shape
#   say; that of (frames, rows, columns, 1) is the same.
# Happens: of three axes get_series() is (1, frames, rows): the first column of all frames. NeuroConv without an iterator
#   writes that, turned, as the movie, (1, rows, frames), without a word; in chunks it raises a broadcast error that
#   names no file. With a fourth axis of 1 all is right.
# Version: roiextractors 0.10.0, neuroconv 0.10.2.
# Source: run here.
# Why it matters: it is the way to NWB for movies that no reader knows, such as a lab's own binaries; what is published
#   holds one column of each frame.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    neuroconv==0.10.2 roiextractors==0.10.0 pynwb==4.2.0
venv/bin/python - <<'EOF'
import datetime
import warnings

import numpy as np
from neuroconv.tools.nwb_helpers import get_default_nwbfile_metadata, make_nwbfile_from_metadata
from neuroconv.tools.roiextractors import add_imaging_to_nwbfile
from roiextractors import NumpyImagingExtractor

warnings.simplefilter("ignore")
movie = np.arange(10 * 4 * 6, dtype=np.uint16).reshape(10, 4, 6)
plain = NumpyImagingExtractor(movie, sampling_frequency=30.0)
print("of", movie.shape, "samples", plain.get_num_samples(), "image", plain.get_image_shape())
assert (plain.get_num_samples(), plain.get_image_shape()) == (10, (4, 6))
print("get_series", plain.get_series().shape)
assert np.array_equal(plain.get_series(), movie[None, :, :, 0]), "not the first column"
whole = NumpyImagingExtractor(movie[..., None], sampling_frequency=30.0)
assert np.array_equal(whole.get_series(), movie), "a fourth axis does not help"
metadata = get_default_nwbfile_metadata()
began = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
metadata["NWBFile"].update(
    session_start_time=began, session_description="run on a wheel", identifier="session1"
)
nwb = make_nwbfile_from_metadata(metadata)
add_imaging_to_nwbfile(
    imaging=plain, nwbfile=nwb, photon_series_type="OnePhotonSeries", iterator_type=None
)
(series,) = nwb.acquisition.values()
print("in NWB", series.data.shape)
assert np.array_equal(series.data, movie[:, :, 0].T[None]), "not what get_series gives"
EOF
