"""What does not go together is refused in one line, before the first frame."""

from __future__ import annotations

import re

import numpy as np
import pytest

from make_live import live, make_weights, write
from mesodecode.live.outputs import COLUMNS


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--frame-rate", "0"], "--frame-rate 0: needs"),
        (["--frame-rate", "nan"], "--frame-rate nan: needs"),
        (["--frame-rate", "inf"], "--frame-rate inf: needs"),
        (["--frame-rate", "30"], "--frame-rate: 30 frames/s, but .*t1.h5 has 10"),
        (["--known", "fast.h5"], "t1.h5: 10 frames/s, but .*fast.h5 has 30"),
        (["--known", "a_known.h5", "--image-size", "16"], "--image-size 16: .* has 32"),
        (["--image-size", "-3"], "--image-size -3: needs"),
        (["--frames", "0"], "--frames 0: needs"),
        (["--shape", "0", "5"], "--shape"),
        (["--shape", "1000000", "1000000"], "--shape 1000000 1000000"),
        (["--dtype", "object"], "--dtype"),
        (["--rate", "30Hz"], "--rate"),
        (["--publish", "70000"], "70000: a port"),
        (["--osc", "nohost.invalid:9000"], "--osc nohost"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, capsys, monkeypatch, flags, says):
    monkeypatch.chdir(tmp_path)
    files = make_weights(tmp_path, "cnn")
    write(tmp_path / "fast.h5", mouse="a", frame_rate=30.0)
    path, out = write(tmp_path / "t1.h5"), tmp_path / "o.tsv"
    assert live("--weights", *files, "--source", path, "--out", out, *flags) == 1
    assert re.search(says, capsys.readouterr().err.splitlines()[-1])
    assert not out.exists() or out.read_text().split() == [*COLUMNS]


def test_signals_of_another_number_of_rois_are_refused(tmp_path, capsys):
    files, path = make_weights(tmp_path, "gru"), tmp_path / "t1.h5"
    write(path, rois=np.ones((80, 4), np.float32))
    assert live("--weights", *files, "--source", path, "--out", tmp_path / "o.tsv") == 1
    assert "the decoder cannot read 4 values of a frame" in capsys.readouterr().err
