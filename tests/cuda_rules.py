"""What CUDA refuses and a CPU lets pass, refused on a CPU too: a guard where there is no GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, patch

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from mesodecode.decoders import networks

# The types that CUDA indexes and calculates with (torch 2.11 on an H200: `"index_cuda" not
# implemented for 'UInt16'`). torch has others in name: uint16, uint32, uint64.
CUDA_INDEXES = {
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
}
RECURRENT = (torch._VF.gru, torch._VF.lstm, torch._VF.rnn_tanh)


def tensors(values: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in tuples, lists and dictionaries; torch's `tree_leaves` takes longer."""
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, tuple | list | dict):
        for value in values.values() if isinstance(values, dict) else values:
            yield from tensors(value)


class Types(TorchDispatchMode):
    """Raises NotImplementedError at an operation on a tensor of a type that CUDA cannot index."""

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        found = operation(*args, **(kwargs or {}))
        for tensor in tensors((args, kwargs, found)):
            if tensor.dtype not in CUDA_INDEXES:
                raise NotImplementedError(f'"{operation}" not implemented for {tensor.dtype}')
        return found


class Recurrent(TorchFunctionMode):
    """Raises RuntimeError where cuDNN's recurrent networks warn, or have no gradients."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        found = function(*args, **(kwargs or {}))
        if function in RECURRENT and torch.backends.cudnn.enabled:
            weights, training = args[2], args[6]
            if not in_one_block(weights):
                raise RuntimeError("RNN module weights are not part of single contiguous chunk")
            for output in tensors(found):
                if output.requires_grad and not training:
                    output.register_hook(no_gradients)
        return found


def in_one_block(weights: Any) -> bool:
    """Tell whether weights lie as cuDNN reads them: in one block, with the biases at its end."""
    place = weights[0].untyped_storage().data_ptr()
    for weight in sorted(weights, key=lambda w: -w.dim()):
        if weight.data_ptr() != place or not weight.is_contiguous():
            return False
        place += weight.numel() * weight.element_size()
    return True


def no_gradients(_: torch.Tensor) -> None:
    raise RuntimeError("cudnn RNN backward can only be called in training mode")


def flatten_parameters(network: nn.RNNBase) -> None:
    """Do on a CPU what torch does on CUDA only: put the weights into one block of memory."""
    weights = sorted(network._flat_weights, key=lambda weight: -weight.dim())
    block = torch.cat([weight.detach().flatten() for weight in weights])
    for weight, part in zip(weights, block.split([w.numel() for w in weights]), strict=True):
        weight.data = part.view_as(weight)


@contextmanager
def cuda_rules() -> Iterator[None]:
    """Keep what runs on a CPU to the rules of CUDA."""
    blocks = patch.object(nn.RNNBase, "flatten_parameters", flatten_parameters)
    with blocks, patch.object(networks, "_by_cudnn", lambda _: True), Types(), Recurrent():
        yield


@contextmanager
def streams(graph: Any) -> Iterator[None]:
    """Let what is written for CUDA's streams run on a CPU; `graph` stands in for a capture."""
    streams = {"Stream": MagicMock(), "current_stream": MagicMock(), "CUDAGraph": MagicMock()}
    streams |= {"stream": lambda _: nullcontext(), "graph": graph}
    streams["default_generators"] = MagicMock()
    with patch.multiple(torch, cuda=SimpleNamespace(**vars(torch.cuda) | streams)):
        yield
