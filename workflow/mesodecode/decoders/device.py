"""The device that networks run on."""

from __future__ import annotations

import fcntl
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from mesodecode.base.files import UserError


def resolve_device(device: str, threads: int | None) -> torch.device:
    """Return the torch device of "auto", "cpu" or "cuda"; set the CPU threads of this process."""
    if threads is not None:
        if threads < 1:
            raise UserError(f"--threads {threads}: needs 1 or more")
        torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: torch sees no GPU here; use --device auto or cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and torch.cuda.device_count() > 1 and not _GPU:
        _take_gpu()
    return torch.device(device)


_GPU: list[int] = []  # the open lock file of the GPU that this process took


def _take_gpu() -> None:
    """Of several GPUs, make one the current device that no other of the user's jobs has taken.

    Side by side on one machine, all jobs would take the first; under SLURM a job sees its own only.
    """
    for i in range(torch.cuda.device_count()):
        name = f"mesodecode-{os.getuid()}-{torch.cuda.get_device_properties(i).uuid}.lock"
        file = os.open(Path(tempfile.gettempdir()) / name, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        _GPU.append(file)
        torch.cuda.set_device(i)
        return


def reduced_dtype(device: torch.device) -> torch.dtype | None:
    """Return the type in which a device computes fastest; None where float32 is."""
    if device.type != "cuda":
        return None
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16


@contextmanager
def computing(device: torch.device | str, *, repeats: bool = False) -> Iterator[None]:
    """Set how a GPU computes in float32, and leave torch as it was.

    Convolutions and recurrent layers multiply in TF32 (10 bits after the point instead of 23, sums
    in float32), all other products in float32: torch's defaults, which an environment (NVIDIA's
    containers) or another program may have changed. `repeats`: give the same bits again, at some
    cost.
    """
    backends = torch.backends
    types = {backends.cudnn.conv: "tf32", backends.cudnn.rnn: "tf32", backends.cuda.matmul: "ieee"}
    before = {part: part.fp32_precision for part in types}
    settles = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    if repeats and torch.device(device).type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        for part, kind in types.items():
            part.fp32_precision = kind
        yield
    finally:
        for part, kind in before.items():
            part.fp32_precision = kind
        torch.use_deterministic_algorithms(settles, warn_only=warns)


def peak_memory() -> int:
    """Return the most bytes in use so far: allocated on the GPU, or resident without one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its type."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
