"""Errors a user can act on, and output files that are whole or absent.

This module is the bottom of the package: everything may import it, it imports nothing heavy.
"""

import errno
import hashlib
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# Schemas, rules and the published tables: beside the package, or in it where a wheel was installed.
_PACKAGE = Path(__file__).parents[1]
WORKFLOW = _PACKAGE / "workflow" if (_PACKAGE / "workflow").is_dir() else _PACKAGE.parent
GB = 1_000_000_000
_COLLECTED: list[dict[str, None]] = []  # of `doubts`, the innermost last
NO_FILE = (FileNotFoundError, IsADirectoryError)  # raised of a path that is no file, not a bad one
# The device is full, a user's share of it, or it takes no file of that size.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(Exception):
    """Something the user can mend. Its one line says what, in which file, and what to do."""


class Stopped(Exception):
    """Work was asked to stop by a signal; what is done is kept, the same command goes on."""


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its type."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def one_line(error: Exception) -> str:
    """Return all that an error says, on one line, or its type; not NumPy's advice to unpickle."""
    words = " ".join(str(error).split()).partition(" If you trust the file")[0]
    return words or type(error).__name__


def line_of(error: Exception) -> str:
    """Return what an error says on one line, of the system's with its file in front as of ours."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror or error}"
    return one_line(error)


@contextmanager
def refused(path: object, what: str, more: str = "") -> Iterator[None]:
    """Raise UserError, PATH: WHAT (what the error says)MORE, for whatever a library raises.

    Of a damaged file libraries raise errors of all kinds. UserError, MemoryError and an OSError
    that names its file pass.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        if getattr(error, "filename", None):
            raise
        raise UserError(f"{path}: {what} ({one_line(error)}){more}") from error


def say(words: object) -> None:
    """Say on standard error what was assumed, or what goes on."""
    print(words, file=sys.stderr, flush=True)


def doubt(path: str | Path, words: str) -> None:
    """Say of a file what was assumed and may well be wrong; `doubts` keep it by the file's name."""
    say(f"{path}: {words}")
    for found in _COLLECTED:
        found[f"{Path(path).name}: {words}"] = None


@contextmanager
def doubts() -> Iterator[dict[str, None]]:
    """Collect the doubts of a block, and of threads that read for it: each once, in their order."""
    found: dict[str, None] = {}
    _COLLECTED.append(found)
    try:
        yield found
    finally:
        _COLLECTED.pop()


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` if the block succeeds.

    A job that is killed or fails leaves no half-written `path`, and a second writer of the same
    file can only replace it by another whole one. The temporary name keeps the suffix of `path`,
    since writers such as matplotlib choose the format by it.
    Raises OSError with `path` and an errno of `NO_SPACE` if a library could not write for want of
    space: some of them say so in words of their own.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.parent == Path("/dev") or (path.exists() and not path.is_file()):
        raise UserError(f"{path}: a pipe or device, which a file would replace; name a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # mkstemp makes the file private; a lab shares results
        os.replace(name, path)
    except (OSError, RuntimeError) as error:
        number = _no_space(error, Path(name))
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error
    finally:
        Path(name).unlink(missing_ok=True)


def _no_space(error: Exception, part: Path) -> int | None:
    """Return the errno of `NO_SPACE` for which `part` could not be written, None if for another."""
    if getattr(error, "errno", None) in NO_SPACE:
        return error.errno
    if f"errno = {errno.EFBIG}," in str(error):  # of HDF5, as it closes a file
        return errno.EFBIG
    # torch and tifffile do not pass the cause on: the disk, quota or limit is met again
    try:
        with open(part, "ab") as file:
            file.write(bytes(1 << 16))
            file.flush()
            os.fsync(file.fileno())
    except OSError as met:
        return met.errno if met.errno in NO_SPACE else None
    return None


def as_text(value: object) -> str:
    """Return an attribute of a file (HDF5) as text, which MATLAB writes as bytes, R as an array."""
    one = value.item() if getattr(value, "size", None) == 1 else value
    return one.decode() if isinstance(one, bytes) else str(one)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, as `atomic_path` does: whole or not at all."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")


def read_json(path: str | Path, do: str = "") -> Any:
    """Return what a JSON file holds. Raises UserError, with what to `do`, if it is none."""
    try:
        return json.loads(Path(path).read_bytes())
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}){do}") from error


def sha256(path: str | Path, stopped: Callable[[], bool] = lambda: False) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits, read in blocks until `stopped`.

    Raises OSError if it is a folder, or a pipe or device, which might be waited for without end.
    """
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "a pipe or device, not a file", str(path))
    digest, block = hashlib.sha256(), memoryview(bytearray(1 << 20))
    with open(path, "rb", buffering=0) as file:
        while not stopped() and (n := file.readinto(block)):
            digest.update(block[:n])
    return digest.hexdigest()


def sha256_of(*arrays: Any) -> str:
    """Return the SHA-256 of NumPy's arrays, their types and shapes; None differs from every one."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(b"none" if array is None else f"{array.dtype} {array.shape}".encode())
        digest.update(b"" if array is None else array.tobytes())
    return digest.hexdigest()


def checksum_path(path: str | Path) -> Path:
    """Return where the SHA-256 of a file is kept: beside it, as `sha256sum --check` reads it."""
    return Path(f"{path}.sha256")


def write_checksum(path: str | Path) -> None:
    """Write the SHA-256 of a file beside it."""
    write_text(checksum_path(path), f"{sha256(path)}  {Path(path).name}\n")


def verify_checksum(path: str | Path) -> None:
    """Raise UserError if a file is not the one that the SHA-256 beside it was taken of, if any."""
    beside = checksum_path(path)
    if beside.exists() and beside.read_text().split()[:1] != [sha256(path)]:
        raise UserError(
            f"{path}: does not have the SHA-256 in {beside.name}: damaged or replaced; delete both "
            "and fetch or copy them again"
        )


def free_memory() -> int:
    """Return the bytes of memory that are free, within the limit of a job of SLURM."""
    import psutil

    free = psutil.virtual_memory().available
    limit = os.environ.get("SLURM_MEM_PER_NODE")  # MB
    return min(free, int(limit) << 20) if limit and limit.isdigit() else free


def check_memory(n_bytes: int, path: str | Path, what: str) -> None:
    """Raise UserError if what a file says to hold is more than the memory that is free.

    Asked before it is read: a header of some bytes may claim any size.
    """
    if n_bytes > 1 << 26 and n_bytes > (free := free_memory()):
        raise UserError(
            f"{path}: {what} takes {n_bytes / GB:,.1f} GB of memory, and {free / GB:,.1f} GB are "
            "free; damaged? if not, read it where there is more"
        )


def unpacked_size(path: str | Path) -> int:
    """Return the bytes that a zip archive says to hold; 0 of any other file.

    Raises zipfile.BadZipFile if its list of content cannot be read.
    """
    if not zipfile.is_zipfile(path):
        return 0
    with zipfile.ZipFile(path) as archive:
        return sum(item.file_size for item in archive.infolist())


def check_stored(path: str | Path) -> None:
    """Raise UserError unless a zip archive holds what it says: no more bytes, and the same ones.

    Weights are not compressed, neither by torch nor by `numpy.savez`; torch does not look at their
    checksums. Of any other file nothing is asked.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        held, size = sum(item.file_size for item in archive.infolist()), os.path.getsize(path)
        if held > size:
            raise UserError(
                f"{path}: {size:,} bytes that say to hold {held:,}; weights are not compressed: "
                "not read"
            )
        if damaged := archive.testzip():
            raise UserError(f"{path}: its bytes of {damaged} were changed on the way; make it anew")


def file_of(value: str) -> str | None:
    """Return PATH of a setting ``file:PATH``; None of one that names no file."""
    return value.removeprefix("file:") if value.startswith("file:") else None


def listed(path: str | Path, what: str) -> list[Path]:
    """Return the files that a path stands for: itself, or the lines of a list (.txt).

    Lines that begin with # are words. Raises UserError if a list names nothing; `what`: such as
    "recordings".
    """
    if Path(path).suffix != ".txt":
        return [Path(path)]
    lines = (line.strip() for line in Path(path).read_text().splitlines())
    paths = [Path(line) for line in lines if line and not line.startswith("#")]
    if not paths:
        raise UserError(f"{path}: lists no {what}; write one path a line")
    return paths


def keep_with(listing: str | Path, named: Iterable[str | Path]) -> None:
    """Put a list of files aside while one of them is gone, and back, as it was, once all are there.

    Where the folder may not be written the list stays as it is.
    """
    listing = Path(listing)
    aside = listing.with_name(f".{listing.name}.aside")
    at, other = (listing, aside) if listing.exists() else (aside, listing)
    if at.exists() and all(map(os.path.exists, named)) != (at == listing):
        with suppress(OSError):
            at.replace(other)


def is_zarr(path: Path) -> bool:
    """Return whether a folder is a Zarr array or group."""
    return any((path / mark).is_file() for mark in ("zarr.json", ".zarray", ".zgroup"))


def first_few(names: Sequence[object], most: int, between: str = ", ") -> str:
    """Return the first `most` of the names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(map(str, names[:most])) + more


def counted(n: int, noun: str) -> str:
    """Return "1 epoch" or "1,000 epochs"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def of_test_mice(mice: Iterable[str]) -> str:
    """Return "1 test mouse" or "5 test mice"; of mice tested together, "10 sets of test mice"."""
    each = {str(mouse) for mouse in mice}
    if any("+" in mouse for mouse in each):
        return f"{len(each)} set{'' if len(each) == 1 else 's'} of test mice"
    return f"{len(each)} test {'mouse' if len(each) == 1 else 'mice'}"


def in_words(mouse: str) -> str:
    """Return a mouse, or mice joined with +, as a sentence has it: mouse 4, mouse WT-7, mouseA."""
    mice = str(mouse).split("+")
    if any(one.lower().startswith(("mouse", "mice", "animal")) for one in mice):
        return ", ".join(mice)  # says itself what it is
    return f"{'mouse' if len(mice) == 1 else 'mice'} {', '.join(mice)}"
