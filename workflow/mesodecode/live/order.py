"""Which frames of a camera are taken: by their numbers, which say what is lost and what is late."""

import numpy as np

from mesodecode.base.files import UserError, say
from mesodecode.live.frame_sources import Frame

# So many frames in a row of before are another count. Where they lie so far back, new ones between
# them (of a second camera) make up for half of one each; else they are single frames that are late.
HELD_BACK = 30


class Order:
    """Frames in their order: call it with each.

    `lost` counts frames of the camera that have not come, `late` those that came after a later one,
    or again, and are left out.
    """

    def __init__(self, source: str) -> None:
        self._source, self._last = source, None
        self._before, self._far, self._clock = 0.0, False, True
        self.lost = self.late = 0

    def __call__(self, frame: Frame) -> bool:
        """Tell whether a frame is taken.

        Raises UserError if numbers begin anew, or two programs count frames.
        """
        last = self._last
        if last is not None and frame.number <= last.number:
            self._out_of_order(frame, last)
            return False
        if last is not None:
            self.lost += frame.number - last.number - 1
            self._check_clock(frame, last)
        self._last, self._before = frame, max(0.0, self._before - 0.5) if self._far else 0.0
        return True

    def _out_of_order(self, frame: Frame, last: Frame) -> None:
        self.late += 1
        if self.late == 1:
            self._tell(
                f"frame {frame.number} came after frame {last.number}; it is left out, and so are "
                "others that come too late"
            )
        if frame.number == last.number:
            if np.array_equal(frame.pixels, last.pixels):
                return  # sent twice
            raise UserError(
                f"{self._source}: frame {frame.number} came twice, with other pixels: do two "
                "programs send frames, was the camera started anew, or is each wavelength counted "
                'by itself? "frame" counts all frames of one camera'
            )
        self._before += 1
        self._far = last.number - frame.number > HELD_BACK
        if self._before >= HELD_BACK:
            raise UserError(
                f"{self._source}: frames count from {frame.number} again, after {last.number}: was "
                "the camera started anew, or do two programs send frames? start `mesodecode live` "
                "anew too, with --append"
            )

    def _check_clock(self, frame: Frame, last: Frame) -> None:
        if None in (frame.time, last.time) or frame.time >= last.time or not self._clock:
            return
        self._clock = False  # said once
        self._tell(
            f"its clock goes back, from {last.time:.6f} to {frame.time:.6f} s at frame "
            f"{frame.number}; frames are taken by their numbers, and time_s is as the clock says"
        )

    def _tell(self, words: str) -> None:
        say(f"{self._source}: {words}")
