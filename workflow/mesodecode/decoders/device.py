"""The device that networks run on."""

from __future__ import annotations

import fcntl
import os
import resource
import tempfile
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


def peak_memory() -> int:
    """Return the most bytes in use so far: allocated on the GPU, or resident without one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
