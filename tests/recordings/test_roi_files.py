"""Files of ROI signals: which columns are signals, which axis is time, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io

from make_movies import save_h5
from mesodecode.recordings import roi_files
from told import assert_told

TOLD = Path(__file__).with_name("told")
T = 21


def test_signals_of_tables_by_the_names_of_their_columns(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wave = [0, 3, 1, 2] * 5 + [7]

    def columns(*names, behavior=(), n=T, **more):
        """Tell which columns of a table are signals; all are waves, but for `more`."""
        table = {name: wave[:n] for name in names} | {k: list(v)[:n] for k, v in more.items()}
        rows = [",".join(map(str, row)) for row in zip(*table.values(), strict=True)]
        Path("r.csv").write_text("\n".join([",".join(table), *rows]) + "\n")
        values, found = roi_files.read_signals("r.csv", n, None, behavior)
        assert found == roi_files.names_of("r.csv", None, behavior)
        return [*found, values.dtype.name, *values[1]]

    days = [f"2024-01-{day:02}" for day in range(1, T + 1)]
    clock = [f"0:00:{i:02}" for i in range(T)]
    cases = {
        "ROIs": lambda: columns("V1", "M2"),
        "a number and times": lambda: columns("", "Frame", "Time (s)", "t[ms]", "frame_no", "V1"),
        "seconds and indices": lambda: columns("secs", "idx", "time stamps", "V1"),
        "words that are near them": lambda: columns("framed", "mstime", "timer", "t (h)"),
        "behaviour": lambda: columns("RunRest", "label", "State", "segments", "Speed (cm/s)", "V1"),
        "words near behaviour": lambda: columns("running", "estate", "speeds"),
        "behaviour of the config": lambda: columns("lick", "V1", behavior={"lick", "other"}),
        "behaviour alone": lambda: columns("speed", "time"),
        "ImageJ's means": lambda: columns("", "Area1", "Mean1", "Mean(V2)", "X1", "%Area(V2)"),
        "ImageJ's means alone": lambda: columns("Mean1", "Mean2"),
        "measures without means": lambda: columns("Area1", "X1"),
        "a column that grows": lambda: columns("V1", grows=range(T)),
        "two columns that grow": lambda: columns("V1", grows=range(T), too=range(1, T + 1)),
        "a column that grows, beside time": lambda: columns("time", "V1", grows=range(T)),
        "a column that grows, of 20 frames": lambda: columns("V1", n=20, grows=range(20)),
        "a column that grows, of 19 frames": lambda: columns("V1", n=19, grows=range(19)),
        "a column that hardly grows": lambda: columns("V1", grows=[*range(T - 1), T - 2]),
        "dates": lambda: columns("V1", day=days),
        "dates beside time": lambda: columns("V1", "time", day=days),
        "dates in quotes, behind blanks": lambda: columns("V1", day=[f'" {d}"' for d in days]),
        "times of day": lambda: columns("V1", clock=clock),
        "words": lambda: columns("V1", word=["a"] * T),
        "missing values": lambda: columns("V1", lost=["", *wave[1:]]),
        "infinite values": lambda: columns("V1", far=["inf", *wave[1:]], V2=wave),
        "a name twice": lambda: [
            Path("r.csv").write_text("a,a\n1,2\n"), roi_files.read_signals("r.csv", 1)
        ],
        "numbers for names": lambda: columns("0.5", "1.25", "3.5", ".5", "6.0"),
        "whole numbers for names": lambda: columns("1", "2"),
    }  # fmt: skip
    assert_told(cases, TOLD / "roi_columns.txt", capsys)


def test_signals_of_arrays_by_the_length_of_the_movie(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rois = np.arange(6.0).reshape(2, 3)  # R, T
    save_h5(
        tmp_path / "two.h5",
        dat_roi=rois,
        rois=10 * rois,
        other=rois.T,
        words=np.zeros((2, 3), "S1"),
    )
    save_h5(tmp_path / "rois.h5", rois=rois)
    save_h5(tmp_path / "none.h5", x=rois)
    scipy.io.savemat(
        "r.mat", {"dat_roi": rois, "other": 10 * rois, "word": "ab", "cube": np.ones((2, 2, 2))}
    )

    def read(name, dataset=None, n=3):
        names = roi_files.names_of(name, dataset)
        found = roi_files.read_signals(name, n, dataset)
        assert names == found[1]
        return list(found)

    def array(values, n=3):
        np.save("r.npy", values)
        return read("r.npy", n=n)

    many = np.full((12, 3), np.inf)
    many[3] = 0
    cases = {
        "ROIs x frames": lambda: array(rois),
        "frames x ROIs": lambda: array(rois.T),
        "counts": lambda: array(rois.astype(np.uint16)),
        "counts below 0": lambda: array(-rois.astype(np.int16)),
        "of another length": lambda: array(rois, n=7),
        "square": lambda: array(np.ones((3, 3))),
        "square, of another length": lambda: array(np.ones((3, 3)), n=7),
        "one axis": lambda: array(np.ones(3)),
        "logicals": lambda: array(np.ones((2, 3), bool)),
        "words": lambda: array(np.full((2, 3), "a")),
        "infinite": lambda: array(many),
        "HDF5": lambda: read("two.h5"),
        "HDF5, by the second name": lambda: read("rois.h5"),
        "HDF5, by another name": lambda: read("two.h5", "/other"),
        "HDF5, by a name that is not there": lambda: read("two.h5", "x"),
        "HDF5, without a usual name": lambda: read("none.h5"),
        "HDF5, of words": lambda: read("two.h5", "words"),
        "MAT": lambda: read("r.mat"),
        "MAT, of another length": lambda: read("r.mat", n=2),
        "MAT, by another name": lambda: read("r.mat", "other"),
        "MAT, by a name that is not there": lambda: read("r.mat", "x"),
        "MAT, of words": lambda: read("r.mat", "word"),
        "MAT, of three axes": lambda: read("r.mat", "cube"),
        "another format": lambda: [Path("r.avi").write_bytes(b"x"), read("r.avi")],
    }  # fmt: skip
    assert_told(cases, TOLD / "roi_arrays.txt", capsys)
