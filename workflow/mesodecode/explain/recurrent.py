"""Deep SHAP through a recurrent layer and a head, for many pairs of windows and references at once.

The activations of each window and of each reference are computed once; only the backward pass is
done for all pairs, in blocks whose arrays stay in the cache, a thread a core.

A multiplier of the first layer's input is not formed for each pair: of a frame, the sum over
references b of (W' m_b) · (x - r_b) is x · W' Σ m_b - Σ_g W'_g Σ_b m_gb r_b, whose inner sums are
one matrix product over b. Both x and r_b are taken from the mean of the background, so that a
signal that does not differ gets exactly nothing.

Memory: activations of at most `TRACE_BYTES` of the background at once, and a block a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mesodecode.explain.cells import CURVES, Cell, Weights, cell_of, curve, slopes, weights_of

# Of a step's arrays over pairs: on a CPU, what its last cache holds; on a GPU, what keeps it busy.
BLOCK_BYTES = {"cpu": 2**22, "cuda": 2**28}
TRACE_BYTES = {"cpu": 2**28, "cuda": 2**31}
RUN = 256  # references along which elementwise work runs, if there are as many

# How much of each frame's output the head reads, by direction: (frames, T) -> share.
READOUTS: dict[str, Callable[[int, int, int], float]] = {
    "final state": lambda direction, frame, n: float(frame == (0 if direction else n - 1)),
    "last frame": lambda direction, frame, n: float(frame == n - 1),
    "mean": lambda direction, frame, n: 1 / n,
}


@dataclass(frozen=True)
class Recurrent:
    """A network that is a recurrent layer, of whose outputs `readout` is what `head` reads.

    `layers`: its weights by layer and direction; `head`: linear layers (weight, bias) and functions
    of `cells.CURVES`, of which the last gives the one output that is explained.
    """

    cell: Cell
    layers: list[list[Weights]]
    head: list[Any]
    readout: str

    @property
    def size(self) -> int:
        """Units of a direction."""
        return self.layers[0][0].hh.shape[1]

    def share(self, direction: int, frame: int, n_frames: int) -> float:
        """Return how much of a frame's output the head reads."""
        return READOUTS[self.readout](direction, frame, n_frames)


def flat_head(head: nn.Module | None) -> list[nn.Module] | None:
    """Return the layers of a head that do something, or None if there is no rule for one here."""
    layers = (
        [part for part in head.modules() if not isinstance(part, nn.Sequential)] if head else []
    )
    if any(type(part) not in (nn.Linear, nn.Dropout, nn.Identity, *CURVES) for part in layers):
        return None
    acting = [part for part in layers if not isinstance(part, nn.Dropout | nn.Identity)]
    return acting if any(isinstance(part, nn.Linear) for part in acting) else None


def recurrent(rnn: nn.Module, head: list[nn.Module], readout: str, index: int) -> Recurrent:
    """Take a network apart whose head has the layers `head`; `index`: the output explained."""
    last = max(i for i, part in enumerate(head) if isinstance(part, nn.Linear))
    parts: list[Any] = []
    for i, part in enumerate(head):
        if isinstance(part, nn.Linear):
            rows = slice(index, index + 1) if i == last else slice(None)
            weight = part.weight.detach()[rows]
            bias = weight.new_zeros(len(weight)) if part.bias is None else part.bias.detach()[rows]
            parts.append((weight, bias[:, None]))
        else:
            parts.append(CURVES[type(part)])
    return Recurrent(cell_of(rnn), weights_of(rnn), parts, readout)


class Trace(NamedTuple):
    """What M windows or references do in the network.

    `frames`: windows (T, F, M), or references (T, F + 1, M) with ones below, less the centre;
    steps[layer][direction][step]: what the cell keeps, in the order in which it reads the frames;
    `head`: what the head's functions keep; `output` (1, M).
    """

    frames: Tensor
    steps: list[list[list[Tensor]]]
    head: list[Tensor]
    output: Tensor

    def windows(self, start: int, n: int) -> Trace:
        """Return the trace of some of the windows."""

        def part(made: Tensor) -> Tensor:
            return made[:, start : start + n]

        steps = [[list(map(part, way)) for way in layer] for layer in self.steps]
        frames = self.frames[:, :, start : start + n]
        return Trace(frames, steps, list(map(part, self.head)), part(self.output))


def trace(network: Recurrent, windows: Tensor, centre: Tensor, reference: bool) -> Trace:
    """Pass windows or references (M, T, F) through the network; `centre` (T, F)."""
    cell, steps, n_frames = network.cell, [], windows.shape[1]
    zero = windows.new_zeros(network.size, len(windows))
    read = windows.permute(1, 2, 0).contiguous()
    frames = read - centre[:, :, None]
    if reference:
        frames = torch.cat((frames, torch.ones_like(frames[:, :1])), dim=1)
    for layer in network.layers:
        steps.append([])
        seen = []
        for direction, w in enumerate(layer):
            order = -1 if direction else 1
            state, ways, outputs = (zero,) * cell.n_states, [], []
            for frame in range(n_frames)[::order]:
                inputs = torch.addmm(w.b_ih[:, None], w.ih, read[frame])
                state, keep = cell.forward(inputs, state, w, reference)
                ways.append(keep)
                outputs.append(state[0])
            steps[-1].append(ways)
            seen.append(outputs[::order])
        last = len(steps) == len(network.layers)
        if not last:
            read = torch.cat([torch.stack(outputs) for outputs in seen], dim=1)
    units = torch.cat([_read_out(network, way, outputs) for way, outputs in enumerate(seen)])
    head = []
    for part in network.head:
        if isinstance(part, tuple):
            units = torch.addmm(part[1], *(part[0], units))
        else:
            units, curves = curve(part, units, reference)
            head.append(curves)
    return Trace(frames, steps, head, units)


def _read_out(network: Recurrent, direction: int, outputs: list[Tensor]) -> Tensor:
    shares = [network.share(direction, frame, len(outputs)) for frame in range(len(outputs))]
    return sum(share * output for share, output in zip(shares, outputs, strict=True) if share)


def add_sums(network: Recurrent, x: Trace, r: Trace, sums: list[Tensor], rooms: dict) -> None:
    """Add what b references give of n windows to `sums`, by direction (T, F + 1, G n).

    Sums over references b of r_b m_gb, and of m_gb: of the multipliers of the first layer's gates.
    """
    cell, size = network.cell, network.size
    n_frames, n, b = len(x.frames), x.frames.shape[2], r.frames.shape[2]
    if (n, b) not in rooms:
        rooms[n, b] = cell.room(size, n, b, x.frames)
    room = rooms[n, b]
    to_read = _to_read(network, x, r).split(size)
    above = None  # multipliers (T, K, n, b) of the frames that the layer above reads
    for i, layer in reversed(list(enumerate(network.layers))):
        below = x.frames.new_zeros(n_frames, layer[0].ih.shape[1], n, b) if i else None
        for direction, w in enumerate(layer):
            read = above and above[direction]
            for state in room.states:
                state.zero_()
            started = False
            for step in reversed(range(n_frames)):
                frame = n_frames - 1 - step if direction else step
                if read is not None:
                    room.to.add_(read[frame])
                elif share := network.share(direction, frame, n_frames):
                    room.to.add_(to_read[direction], alpha=share)
                    started = True
                elif not started:
                    continue  # nobody reads of this frame or of later ones
                of_x, of_r = x.steps[i][direction][step], r.steps[i][direction][step]
                to_gates = cell.backward(room, of_x, of_r, w)
                if below is not None:
                    below[frame].flatten(1).addmm_(w.ih_t, to_gates.flatten(1))
                else:
                    sums[direction][frame].addmm_(r.frames[frame], to_gates.view(-1, b).T)
        above = below if below is None else below.split(size, dim=1)


def _of_sums(network: Recurrent, x: Trace, sums: list[Tensor]) -> Tensor:
    """Return the values (T, F, n) float64 of n windows, summed over references."""
    total = 0.0
    for w, summed in zip(network.layers[0], sums, strict=True):
        of_gates = summed.unflatten(2, (len(w.ih), -1))  # (T, F + 1, G, n)
        moved = torch.einsum("fg,tgn->tfn", w.ih_t, of_gates[:, -1]) * x.frames
        total = total + (moved.double() - torch.einsum("fg,tfgn->tfn", w.ih_t, of_gates[:, :-1]))
    return total


def _to_read(network: Recurrent, x: Trace, r: Trace) -> Tensor:
    """Return the multipliers (K, n, b) of what the head reads."""
    functions = list(zip(x.head, r.head, strict=True))
    to = x.output.new_ones(1, x.output.shape[1], r.output.shape[1])
    for part in reversed(network.head):
        if isinstance(part, tuple):
            to = (part[0].T @ to.flatten(1)).unflatten(1, to.shape[1:])
        else:
            to = slopes(*functions.pop()) * to
    return to


def outputs(network: Recurrent, windows: Tensor) -> Tensor:
    """Return the explained output (M,) of windows (M, T, F)."""
    return trace(network, windows, torch.zeros_like(windows[0]), reference=False).output[0]


def values(network: Recurrent, windows: Tensor, background: Tensor) -> Tensor:
    """Return the values (N, T, F) float64 of windows, means over the background (B, T, F)."""
    device, itemsize = windows.device.type, windows.element_size()
    cell, size = network.cell, network.size
    pairs = max(1, BLOCK_BYTES[device] // (cell.WIDTH * size * itemsize))
    b = min(len(background), pairs, max(RUN, pairs // 8))
    n = max(1, pairs // b)
    ways = sum(map(len, network.layers))
    kept_bytes = cell.FACTORS * size * ways * windows.shape[1] * itemsize
    blocks = max(1, TRACE_BYTES[device] // (kept_bytes * b))  # of references, traced at once
    centre = _centre(background)
    total = torch.zeros(windows.shape, dtype=torch.float64, device=windows.device)

    @torch.no_grad()
    def traced(part: Tensor) -> Trace:
        return trace(network, part, centre, reference=True)

    @torch.no_grad()
    def explained(work: tuple[Trace, list[Trace]]) -> Tensor:
        x, references = work
        n_frames, n_signals, many = x.frames.shape
        shape = n_frames, n_signals + 1, len(network.layers[0][0].ih) * many
        sums = [x.frames.new_zeros(shape) for _ in network.layers[0]]
        rooms: dict = {}
        for r in references:
            add_sums(network, x, r, sums, rooms)
        return _of_sums(network, x, sums)

    with _workers(windows.device) as each, torch.no_grad():
        for some in background.split(blocks * b):
            references = list(each(traced, some.split(b)))
            for start in range(0, len(windows), blocks * b):
                part = windows[start : start + blocks * b]
                x = trace(network, part, centre, reference=False)
                work = [(x.windows(i, n), references) for i in range(0, len(part), n)]
                done = torch.cat([made.permute(2, 0, 1) for made in each(explained, work)])
                total[start : start + len(part)] += done
    return total / len(background)


def _centre(background: Tensor) -> Tensor:
    """Return the mean of the background (T, F), exactly the value of a signal that is constant."""
    low, high = background.aminmax(dim=0)
    mean = background.mean(0, dtype=torch.float64).to(background.dtype)
    return torch.where(low == high, low, mean)


@contextmanager
def _workers(device: torch.device) -> Iterator[Callable]:
    """Yield a map, which on a CPU uses a thread a core, each with operators of one thread.

    Operators that share cores wait for each other after every one of them, and far longer where
    other programs run.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1:
        yield map
        return
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)
