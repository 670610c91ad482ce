"""The device that networks run on."""

import fcntl
import os
import resource
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mesodecode.base.files import UserError, first_line


def resolve_device(device: str, threads: int | None) -> torch.device:
    """Return the torch device of "auto", "cpu" or "cuda".

    Sets the CPU threads of this process, how a GPU multiplies in it (see `computing`), and where
    jobs find what others have compiled for one.
    """
    # torch's older switch, which an environment may have set: beside another choice of the newer
    # one, to read it (as torch.compile does) is an error.
    torch.set_float32_matmul_precision("highest")
    _multiply(PRODUCTS)
    if threads is not None:
        if threads < 1:
            raise UserError(f"--threads {threads}: needs 1 or more")
        torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        why = _no_gpu()
        raise UserError(f"--device cuda: torch sees no GPU here ({why}); use --device auto or cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    # Before any part of torch is compiled: that sets it itself, to a folder in /tmp.
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(home / "mesodecode" / "inductor"))
    if device == "cuda" and torch.cuda.device_count() > 1 and not _GPU:
        _take_gpu()
    return torch.device(device)


def found_device(device: torch.device | str) -> torch.device:
    """Return a torch device by its name. Raises UserError if it is none, or not there."""
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise UserError(f"device {device!r}: {first_line(error)}") from None
    if found.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device {found}: torch sees no GPU here ({_no_gpu()}); use cpu")
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise UserError(f"device {found}: the GPUs here are cuda:0 to cuda:{last}")
    return found


def _no_gpu() -> str:
    """Return why torch sees no GPU, such as a driver that is too old."""
    try:
        torch.cuda.init()
    except Exception as error:
        return first_line(error)
    return "none is visible"


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


# What a GPU multiplies float32 in, by parts of torch.
PRODUCTS = [(torch.backends.cudnn.conv, "tf32"), (torch.backends.cudnn.rnn, "tf32")]
PRODUCTS.append((torch.backends.cuda.matmul, "ieee"))


def _multiply(products: Sequence[tuple[Any, str]]) -> None:
    for part, kind in products:
        part.fp32_precision = kind


@contextmanager
def computing(device: torch.device | str, *, repeats: bool = False) -> Iterator[None]:
    """Set how a GPU computes in float32, and leave torch as it was.

    Convolutions and recurrent layers multiply in TF32 (10 bits after the point instead of 23, sums
    in float32), all other products in float32: torch's defaults, which an environment (NVIDIA's
    containers) or another program may have changed. `repeats`: give the same bits again, at some
    cost.
    """
    before = [(part, part.fp32_precision) for part, _ in PRODUCTS]
    settles = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    fills = torch.utils.deterministic.fill_uninitialized_memory
    if repeats and torch.device(device).type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # with NaN: a kernel an array
    try:
        _multiply(PRODUCTS)
        yield
    finally:
        _multiply(before)
        torch.use_deterministic_algorithms(settles, warn_only=warns)
        torch.utils.deterministic.fill_uninitialized_memory = fills


def peak_memory(device: torch.device) -> int:
    """Return the most bytes in use so far: allocated on a GPU, resident of what runs on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
