"""Training steps: on a GPU one CUDA graph each, which waits for no host; on a CPU the same code.

A step reads tensors that stay where they are: what it is fed, the optimizer's rate and betas, the
weights. Losses are summed on the device. A step of shapes that recur is captured once and replayed;
steps before that are taken as they are, so that nothing of a warm-up has to be undone.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from mesodecode.decoders.graphs import record, tell_not_captured
from mesodecode.decoders.inputs import Source
from mesodecode.decoders.networks import copied
from mesodecode.decoders.objectives import loss_of
from mesodecode.study.targets import RUN, Target

# A capture costs what some hundred captured steps gain: shapes are waited for, and counted.
RECURS, MOST_GRAPHS = 20, 16


def captures(device: torch.device, dtype: torch.dtype | None) -> bool:
    """Tell whether steps are captured: on a GPU, but where a scaled loss asks the host."""
    return device.type == "cuda" and dtype is not torch.float16


class CapturableAdam(torch.optim.Optimizer):
    """Adam (Kingma & Ba 2015) for a captured step, which reads rate and betas from tensors.

    OneCycleLR sets both the rate and the first beta before each step. torch's Adam for CUDA graphs
    takes them as tensors too, but hands the beta to `_foreach_lerp_` as a number, which is read on
    the host: a graph has that of its capture. Bias corrections are taken in the host's float64.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float) -> None:
        super().__init__(params, {"lr": lr, "betas": (0.9, 0.999), "eps": 1e-8, "taken": 0})
        (group,) = self.param_groups
        for param in group["params"]:
            self.state[param] = {key: torch.zeros_like(param) for key in ("mean", "square")}
        # the first mean's share that stays, and the gradient's; the rate; 1 / the second's root
        self.moves = torch.zeros(4, device=group["params"][0].device)

    def prepare(self) -> None:
        """Tell the next step its rate and betas; a captured one is replayed after this."""
        (group,) = self.param_groups
        group["taken"] += 1
        beta1, beta2 = group["betas"]
        rate = group["lr"] / (1 - beta1 ** group["taken"])
        root = 1 / math.sqrt(1 - beta2 ** group["taken"])
        for move, value in zip(self.moves, (beta1, 1 - beta1, rate, root), strict=True):
            move.fill_(value)  # a kernel's argument: the host does not wait

    @torch.no_grad()
    def step(self) -> None:
        """Move the weights that have a gradient."""
        (group,) = self.param_groups
        params = [param for param in group["params"] if param.grad is not None]
        gradients = [param.grad for param in params]
        means, squares = ([self.state[p][key] for p in params] for key in ("mean", "square"))
        stays, moves, rate, root = self.moves
        beta2 = group["betas"][1]
        torch._foreach_mul_(means, stays)
        torch._foreach_add_(means, torch._foreach_mul(gradients, moves))
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
        scale = torch._foreach_sqrt(squares)
        torch._foreach_mul_(scale, root)
        torch._foreach_add_(scale, group["eps"])
        moved = torch._foreach_div(means, scale)
        torch._foreach_mul_(moved, rate)
        torch._foreach_sub_(params, moved)


class Average:
    """A network whose weights are an average of those after each step, begun with the first."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module, self.decay, self.begun = copied(model), decay, False

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move by 1 - decay towards the weights of `model`; its counters are taken over."""
        own, new = (list(net.state_dict().values()) for net in (self.module, model))
        moved = [self.begun and value.is_floating_point() for value in own]
        if self.begun:
            pairs = [[v for v, m in zip(side, moved, strict=True) if m] for side in (own, new)]
            torch._foreach_lerp_(*pairs, 1 - self.decay)
        for to, value, done in zip(own, new, moved, strict=True):
            if not done:
                to.copy_(value)
        self.begun = True

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` reads."""
        return {"module": self.module.state_dict(), "begun": self.begun}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from another's state."""
        self.module.load_state_dict(state["module"])
        self.begun = state["begun"]


@dataclass
class Steps:
    """The steps of a training, and all that they move.

    `rate` is stepped once a step; `target` is what is learnt. `dtype`: that of mixed precision, or
    None. `loss` is summed over inputs, on the device.
    """

    model: nn.Module
    source: Source
    optimizer: torch.optim.Optimizer
    rate: torch.optim.lr_scheduler.LRScheduler
    scaler: torch.amp.GradScaler
    dtype: torch.dtype | None
    average: Average | None
    label_smoothing: float
    target: Target = RUN
    captured: bool = field(init=False)
    loss: torch.Tensor = field(init=False)
    _graphs: dict[tuple, tuple] = field(default_factory=dict)  # shapes -> what is fed, replay
    _seen: Counter = field(default_factory=Counter)  # of shapes
    _stream: Any = None
    _pool: Any = None  # the memory that its graphs share; none reads another's

    def __post_init__(self) -> None:
        device = next(self.model.parameters()).device
        self.captured = isinstance(self.optimizer, CapturableAdam)
        self.loss = torch.zeros((), dtype=torch.float64, device=device)
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)
            self._pool = torch.cuda.graph_pool_handle()

    @property
    def parts(self) -> dict[str, Any]:
        """What has a state_dict, by name."""
        names = ("model", "optimizer", "rate", "scaler", "average")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    @property
    def validated(self) -> nn.Module:
        """The network that an epoch ends with: the average of its weights where there is one."""
        return self.model if self.average is None else self.average.module

    def autocast(self) -> torch.autocast:
        """Return the context of mixed precision."""
        on = self.dtype is not None
        return torch.autocast(self.loss.device.type, self.dtype, enabled=on, cache_enabled=False)

    @contextmanager
    def side(self) -> Iterator[None]:
        """Compute on the stream on which steps are captured, where there are streams."""
        if self._stream is None:
            yield
            return
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            yield
        torch.cuda.current_stream().wait_stream(self._stream)

    def take(self, at: torch.Tensor, *fed: torch.Tensor) -> None:
        """Take one step on the positions `at` (N,), of which `Source.feed` made `fed`."""
        if isinstance(self.optimizer, CapturableAdam):
            self.optimizer.prepare()
        static, replay = self._graph((at, *fed)) if self.captured else (None, None)
        if replay is None:
            self.step(at, *fed)
        else:
            for to, value in zip(static, (at, *fed), strict=True):
                to.copy_(value)
            replay()
        self.rate.step()

    def _graph(self, fed: tuple[torch.Tensor, ...]) -> tuple:
        """Return the tensors and the graph of steps that are fed such shapes, if they have one."""
        shapes = tuple(tensor.shape for tensor in fed)
        self._seen[shapes] += 1
        recurs = self._seen[shapes] > RECURS and len(self._graphs) < MOST_GRAPHS
        if recurs and shapes not in self._graphs:
            self._capture(shapes, fed)
        return self._graphs.get(shapes, (None, None))

    def _capture(self, shapes: tuple, fed: tuple[torch.Tensor, ...]) -> None:
        """Keep a step on tensors of `shapes` as a graph; where that fails, none is any more."""
        static = tuple(tensor.clone() for tensor in fed)
        self.optimizer.zero_grad(set_to_none=True)  # gradients lie in the graph's own memory
        try:
            self._graphs[shapes] = static, record(lambda: self.step(*static), self._pool)
        except RuntimeError as error:  # no memory for it, or an operation that no graph takes
            tell_not_captured(error)
            self.captured = False
            self._graphs.clear()
            self.optimizer.zero_grad(set_to_none=True)

    def step(self, at: torch.Tensor, *fed: torch.Tensor) -> None:
        """Compute one step: forward, loss, backward, optimizer, average."""
        loss = self.gradients(at, *fed)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update(self.model)
        self.loss += loss.detach().double() * len(at)

    def loss_of(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of a step."""
        return loss_of(logits, labels, self.label_smoothing, self.target)

    def gradients(self, at: torch.Tensor, *fed: torch.Tensor) -> torch.Tensor:
        """Compute the gradients of a step; return its loss."""
        with self.autocast():
            logits = self.model(self.source.assemble(*fed))
        loss = self.loss_of(logits.float(), self.source.labels[at])
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        return loss
