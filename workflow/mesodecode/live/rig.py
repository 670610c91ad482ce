"""The loop at the rig: a frame in, a row out; what has been lost, and how long it took."""

import gc
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mesodecode.base.files import Stopped
from mesodecode.live.engine import Engine
from mesodecode.live.frame_sources import Frame
from mesodecode.live.order import Order
from mesodecode.live.outputs import UNSURE, Made, Output, Row
from mesodecode.live.stream_corrections import Corrected, Corrections
from mesodecode.live.watch import Watch
from mesodecode.study.targets import RUN, Target

LATENCIES = 100_000  # of the last frames, in memory
# s that a thread (source, rows) may hold the interpreter while the decoder waits for it
SWITCH = 5e-4


@dataclass
class Counts:
    """Frames so far: `taken` of the camera, `decoded`, `unsure` of these; latencies in ms.

    `why`: of how many decoded frames each reason was given.
    """

    taken: int = 0
    decoded: int = 0
    unsure: int = 0
    why: Counter[str] = field(default_factory=Counter)
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES))

    def words(self, order: Order) -> str:
        """Return all in a line."""
        why = "".join(f"; {name} {n}" for name, n in self.why.most_common())
        line = f"{self.taken} frames, {self.decoded} decoded ({self.unsure} unsure{why})"
        line += f", {order.lost} lost, {order.late} out of order"
        if self.latencies:
            p50, p95, p99, worst = self.percentiles()
            line += f"; latency ms: p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f}, worst {worst:.1f}"
        return line

    def percentiles(self) -> np.ndarray:
        """Return the 50th, 95th, 99th percentile and the most of the latencies, ms."""
        return np.percentile(self.latencies, [50, 95, 99, 100])


class Rig:
    """Decodes frames of a source to outputs.

    `state` gives the state of what is predicted; `watch` says when not to trust it; `stop_after` so
    many decoded frames, None: as long as they come; `target`: what is decoded.
    """

    def __init__(
        self,
        corrections: Corrections,
        engine: Engine,
        state: Callable[[Made], str],
        watch: Watch,
        outputs: Sequence[Output],
        stop_after: int | None = None,
        target: Target = RUN,
    ) -> None:
        self.target = target
        self._corrections, self._engine, self._state = corrections, engine, state
        self._watch, self._outputs, self._stop_after = watch, outputs, stop_after
        self._start = time.monotonic()
        self._lost = self._waiting = 0
        self.counts = Counts()

    def words(self) -> str:
        """Return what has been done, in a line."""
        return self.counts.words(self._corrections.order)

    def told(self) -> dict[str, Any]:
        """Return what a view shows beside the last row."""
        order, counts = self._corrections.order, self.counts
        shown = {"decoded": counts.decoded, "lost": order.lost, "late": order.late}
        return shown | {k: f"{v:.3g}" for k, v in list(self._watch.measures.items())}

    def run(self, frames: Iterable[Frame]) -> None:
        """Decode all frames that come. Stopped and KeyboardInterrupt say what was done."""
        gc.freeze()  # what is loaded by now is not looked through while frames come
        interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        try:
            for frame in frames:
                self.counts.taken += 1
                self._waiting = frame.waiting
                for corrected in self._corrections.push(frame):
                    self._decode(corrected)
                if self._stop_after is not None and self.counts.decoded >= self._stop_after:
                    return
        except (KeyboardInterrupt, Stopped) as error:
            raise type(error)(f"stopped; {self.words()}") from None
        finally:
            sys.setswitchinterval(interval)
            gc.unfreeze()

    def _decode(self, frame: Corrected) -> None:
        made = self._engine.push(frame.values, frame.begins)
        lost, self._lost = self._corrections.order.lost - self._lost, self._corrections.order.lost
        why = self._watch.see(frame, lost, self._engine.members[0].read)
        latency = 1000 * (time.monotonic() - frame.arrived)
        why += self._watch.behind(latency, self._waiting)
        state = UNSURE
        if made is not None:
            state = self._state(made)
            state = UNSURE if why else state
        else:
            why = ["no window", *why]
        when = frame.arrived - self._start if frame.time is None else frame.time
        row = Row(frame.number, when, made, state, latency, why, self.target).message()
        for output in self._outputs:
            output.write(row)
        if made is not None:
            self.counts.decoded += 1
            self.counts.unsure += state == UNSURE
            self.counts.why.update(why)
            self.counts.latencies.append(latency)
        self._engine.learn(frame.values)  # what the frames after it need, once it is out
        self._corrections.settle()
