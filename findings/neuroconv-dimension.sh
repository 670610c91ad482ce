#!/usr/bin/env bash
# Guess: a photon series' `dimension`, "number of pixels on x, y", is data.shape[1:], as NWB orders data: time, x, y.
# Happens: NeuroConv turns frames to (time, width, height) and writes `dimension` as (height, width): of 10 frames of
#   4 rows and 6 columns the data are (10, 6, 4) and `dimension` is [4, 6], that of a file whose author did not turn the
#   frames. So `dimension` cannot tell which of both a file is; nwbinspector has nothing to say of it.
# Version: neuroconv 0.10.2, roiextractors 0.10.0, pynwb 4.2.0, nwbinspector 0.7.2.
# Source: run here; what the fields mean: the NWB schema, OnePhotonSeries.
# Why it matters: who turns a movie by `dimension` turns that of NeuroConv a second time; masks drawn on it then lie
#   mirrored at the diagonal, which a square image does not show.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    neuroconv==0.10.2 roiextractors==0.10.0 pynwb==4.2.0 nwbinspector==0.7.2
venv/bin/python - <<'EOF'
import datetime
import warnings

import numpy as np
from neuroconv.tools.nwb_helpers import get_default_nwbfile_metadata, make_nwbfile_from_metadata
from neuroconv.tools.roiextractors import add_imaging_to_nwbfile
from nwbinspector import inspect_nwbfile
from pynwb import NWBHDF5IO
from roiextractors import NumpyImagingExtractor

warnings.simplefilter("ignore")
frames, height, width = 10, 4, 6
movie = np.arange(frames * height * width, dtype=np.uint16).reshape(frames, height, width)
metadata = get_default_nwbfile_metadata()
began = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
metadata["NWBFile"].update(
    session_start_time=began, session_description="run on a wheel", identifier="session1"
)
nwb = make_nwbfile_from_metadata(metadata)
add_imaging_to_nwbfile(
    imaging=NumpyImagingExtractor(movie[..., None], sampling_frequency=30.0),
    nwbfile=nwb,
    photon_series_type="OnePhotonSeries",
)
with NWBHDF5IO("session.nwb", "w") as file:
    file.write(nwb)
with NWBHDF5IO("session.nwb", "r") as file:
    (series,) = file.read().acquisition.values()
    data, dimension = series.data[:], series.dimension[:].tolist()
print("data", data.shape, "dimension", dimension)
assert np.array_equal(data, movie.transpose(0, 2, 1)), "not time, width, height"
assert dimension == [height, width], "dimension is no longer height, width"
said = [m.message for m in inspect_nwbfile("session.nwb") if "dimension" in m.message.lower()]
print("nwbinspector on it:", said)
assert not said
EOF
