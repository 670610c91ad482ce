#!/usr/bin/env bash
# Guess: a dataset of counts without a fill value (no attribute _FillValue) is read by netCDF4 as it was written; at most a
#   file that netCDF4 wrote has missing values.
# Happens: a variable without that attribute has the default of its type, which is 65535 for uint16: a saturated pixel comes
#   back masked, in a file that h5py wrote too (though netCDF4 says "filling off" of it), and numpy leaves it out: the mean of
#   1, 2, 65535, 65535 is 1.5. 255 of uint8 is masked in netCDF4's file and kept in h5py's. xarray keeps all, by its engines
#   netcdf4 and h5netcdf alike; set_auto_mask(False) gives the values.
# Version: netCDF4 1.7.2, h5py 3.16.0, xarray 2026.2.0.
# Source: run here; the docstring of Variable.set_auto_mask speaks of "a default value for each data type", the overview of
#   the values of the attributes alone; https://github.com/Unidata/netcdf4-python/issues/209 is of uint8.
# Why it matters: saturated pixels vanish from means, baselines and the check for saturation (the maximum is below 65535).
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check netCDF4==1.7.2 h5py==3.16.0 h5netcdf==1.8.2 xarray==2026.2.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import h5py
import netCDF4
import numpy as np
import xarray

print("netCDF4", netCDF4.__version__, "h5py", h5py.__version__, "xarray", xarray.__version__)
counts, bytes_ = np.array([1, 2, 65535, 65535], "u2"), np.array([1, 2, 255, 255], "u1")
with netCDF4.Dataset("own.nc", "w") as file:
    file.createDimension("pixel", 4)
    for name, values in (("counts", counts), ("bytes", bytes_)):
        file.createVariable(name, values.dtype, ("pixel",))[:] = values
with h5py.File("h5py.h5", "w") as file:
    file["counts"], file["bytes"] = counts, bytes_
for path in ("own.nc", "h5py.h5"):
    with netCDF4.Dataset(path) as file:
        read, small = file["counts"][:], file["bytes"][:]
        attributes, filling = file["counts"].ncattrs(), "filling off" in str(file["counts"])
        file.set_auto_mask(False)
        plain = file["counts"][:]
    print(path, read, "mean", read.mean(), "maximum", read.max(), "uint8", small, "attributes", attributes, "off", filling)
    assert "_FillValue" not in attributes and read.mask.tolist() == [False, False, True, True]
    assert read.mean() == 1.5 and read.max() == 2
    assert np.array_equal(plain, counts) and filling == (path == "h5py.h5")
    assert np.ma.getmaskarray(small).tolist() == [False, False, path == "own.nc", path == "own.nc"]
for path, engine in (("own.nc", "netcdf4"), ("own.nc", "h5netcdf"), ("h5py.h5", "netcdf4")):
    with xarray.open_dataset(path, engine=engine) as data:
        print("xarray by", engine, path, data["counts"].values, data["bytes"].values)
        assert np.array_equal(data["counts"].values, counts) and np.array_equal(data["bytes"].values, bytes_)
EOF
