"""What CUDA refuses and a CPU lets pass, refused on a CPU too: a guard where there is no GPU."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# The types that CUDA indexes and calculates with (torch 2.11 on an H200: `"index_cuda" not
# implemented for 'UInt16'`). torch has others in name: uint16, uint32, uint64.
CUDA_INDEXES = {
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
}


class CudaTypes(TorchDispatchMode):
    """Raises NotImplementedError at an operation on a tensor of a type that CUDA cannot index."""

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        found = operation(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, kwargs, found)):
            if isinstance(tensor, torch.Tensor) and tensor.dtype not in CUDA_INDEXES:
                raise NotImplementedError(f'"{operation}" not implemented for {tensor.dtype}')
        return found
