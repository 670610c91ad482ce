"""What a GPU is told to do, recorded once and replayed: CUDA graphs, which wait for no host."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch

from mesodecode.base.files import first_line, say

RECURS, MOST = 3, 4  # batches of a size before it has a graph of its own, and graphs at most


def record(step: Callable[[], None], pool: Any = None) -> Callable[[], None]:
    """Return `step` as one CUDA graph on the current stream; recording does not compute it.

    Graphs of one `pool` share their memory, and must not run at once. A pool serves one training:
    torch refuses the next graph of one whose graphs have all gone while a tensor of them has not.
    """
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    dice = torch.cuda.default_generators[stream.device_index]
    before = dice.clone_state()
    try:
        # Of this thread only: a loader's thread, which pins frames meanwhile, would end the
        # recording, and itself.
        with torch.cuda.graph(graph, pool, stream=stream, capture_error_mode="thread_local"):
            step()
    except RuntimeError:
        # It ends without telling the generator, which then takes every draw for one of a graph's
        # and refuses it: a dropout would end the training that goes on without graphs.
        dice.graphsafe_set_state(before)
        raise
    return graph.replay


def tell_not_captured(error: Exception, what: str = "steps") -> None:
    """Say that steps are taken as they are, and why: what the step raised, not what ends it."""
    say(f"{what} are not captured, slower ({first_line(error.__context__ or error)})")


def tell_not_compiled(error: Exception) -> None:
    """Say that a network is computed as it is, and why."""
    say(f"not compiled, slower ({first_line(error)})")


class Replayed:
    """A function of a batch of images, which takes no gradient, as graphs on a GPU.

    Each size of batch that recurs has one. Where one cannot be recorded, a line says so, and no
    other is tried.
    """

    def __init__(self, make: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._make = make
        self._seen: Counter[torch.Size] = Counter()
        self._graphs: dict[torch.Size, tuple] = {}  # what is given, what is made, replay
        self._fails = False

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return what is made of images (N, 3, H, W)."""
        size = images.shape
        self._seen[size] += 1
        if size not in self._graphs and self._seen[size] > RECURS and len(self._graphs) < MOST:
            self._record(images)
        if size not in self._graphs:
            return self._make(images)
        given, made, replay = self._graphs[size]
        given.copy_(images)
        replay()
        return made.clone()  # the next replay writes over it

    def _record(self, images: torch.Tensor) -> None:
        if self._fails:
            return
        with torch.inference_mode(False):  # a tensor of that mode could not be filled outside it
            given = torch.empty_like(images)
        stream, made = torch.cuda.Stream(images.device), []
        stream.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(stream):
                self._make(given.copy_(images))  # what libraries set up for a stream, they do now
                replay = record(lambda: made.append(self._make(given)))
            self._graphs[images.shape] = given, made[0], replay
        except RuntimeError as error:  # no memory for it, or an operation that no graph takes
            tell_not_captured(error, "passes")
            self._fails = True
        torch.cuda.current_stream().wait_stream(stream)
