"""Which frames are taken: none twice, none late, and none of another camera or count."""

from __future__ import annotations

import numpy as np
import pytest

from make_live import RATE, movie
from mesodecode.base.files import UserError
from mesodecode.live.frame_sources import Frame
from mesodecode.live.order import Order
from mesodecode.live.stream_corrections import Corrections
from mesodecode.study import schema


def in_order(numbers, frames=None, times=None):
    """The numbers of the frames that are taken, and their order."""
    order, taken = Order("camera"), []
    for i, number in enumerate(numbers):
        pixels = movie()[number % 80] if frames is None else frames[i]
        if order(Frame(number, pixels, None if times is None else times[i])):
            taken.append(number)
    return taken, order


def test_frames_out_of_order_are_left_out_and_counted(capsys):
    made = Corrections(schema.defaults("corrections"), RATE, "camera")
    order = [5, 6, 9, 7, 9, 8, 10, 11]
    got = [one for t in order for one in made.push(Frame(t, movie()[t]))]
    assert [(one.number, one.begins) for one in got] == [
        *((5, False), (6, False), (9, True), (10, False), (11, False)),
    ]
    assert (made.order.lost, made.order.late) == (2, 3)
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(UserError, match=r"camera: frames count from .* again, after 11"):
        for t in range(40):
            made.push(Frame(t % 11, movie()[0]))


def test_all_frames_twice_are_decoded_once():
    taken, order = in_order(np.repeat(np.arange(80), 2).tolist())
    assert taken == list(range(80)) and order.late == 80


def test_every_third_frame_late_is_no_other_count():
    late = [n for t in range(0, 240, 3) for n in (t, t + 2, t + 1)]
    taken, order = in_order(late)
    assert len(taken) == 160 and order.late == order.lost == 80


def test_thirty_frames_of_before_in_a_row_are_another_count():
    def late(*numbers):
        numbers = [*range(60), *numbers]
        return in_order(numbers, [np.zeros((2, 2))] * len(numbers))[1].late

    assert late(*range(29)) == 29
    with pytest.raises(UserError, match="frames count from 29 again, after 59"):
        late(*range(30))
    # thirty back at most, a new frame makes up for all of them; farther, for half of one
    assert late(*[29] * 29, 60, *[30] * 29, 61) == 58
    assert late(*[28] * 29, 60, 28) == 30
    with pytest.raises(UserError, match="frames count from 28 again, after 60"):
        late(*[28] * 29, 60, 28, 28)


def test_two_programs_that_send_frames_are_told():
    both = np.repeat(np.arange(100), 2).tolist()
    with pytest.raises(UserError, match="camera: frame 0 came twice, with other pixels"):
        in_order(both, [movie()[i % 80] for i in range(200)])
    far = (np.repeat(np.arange(100), 2) + np.tile([1000, 0], 100)).tolist()
    with pytest.raises(UserError, match="do two programs send frames"):
        in_order(far)


def test_a_camera_that_begins_anew_early_is_no_camera_that_goes_on():
    with pytest.raises(UserError, match=r"frame 20 came twice.*was the camera started anew"):
        in_order([*range(21), *range(40)], [movie()[i % 79] for i in range(61)])


def test_a_clock_that_goes_back_is_said_once_and_changes_no_order(capsys):
    times = [*range(10), *range(5), *range(5)]
    taken, _ = in_order(range(20), times=[float(t) for t in times])
    assert taken == list(range(20))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith("camera: its clock goes back, ")
    assert "from 9.000000 to 0.000000 s at frame 10" in said[0]
