"""Which files something was made of, and whether they are still the same.

Snakemake goes by dates: a file that is replaced by an older one, or rewritten inside a folder, is
passed over, and one that is touched counts as new. So the job that reads the files of a session
leaves a record of their bytes, dates and SHA-256. Whoever plans a run looks at bytes and dates
alone; where the dates are others, at the SHA-256 too, once.

Every cluster job that reads sources imports this module as it parses: nothing heavy here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesodecode.base.files import UserError, is_zarr, say, sha256, write_text
from mesodecode.base.natural_order import in_order, matching
from mesodecode.study.file_formats import is_spooled

Source = str | Path | Sequence[str | Path]  # a path of the config: a file, folder, pattern or list
READ = ((".tif", ".tiff"), (".npy",))  # what folders are read by, the first of which is there
LARGE = 100_000_000  # bytes whose comparison is worth a word


def called(source: Source) -> str:
    """Return what a source is called in words."""
    return ", ".join(map(str, [source] if isinstance(source, str | Path) else source))


def paths_of(source: Source) -> list[Path]:
    """Return the files and folders that a path of the config stands for."""
    given = [source] if isinstance(source, str | Path) else source
    return [path for one in given for path in matching(one)]


def files_of(source: Source) -> list[tuple[str, Path]]:
    """Return the files that a source is read from, each with its name below the source.

    All of a Zarr folder; of another the TIFF files in it, or else the NPY files, or else all files,
    as of the folder of a .sifx file.
    """
    found = []
    for top in paths_of(source):
        top = top.parent if top.suffix.lower() == ".sifx" else top  # an index of files beside it
        files = [top]
        if top.is_dir() and is_zarr(top):
            files = in_order(path for path in top.rglob("*") if path.is_file())
        elif top.is_dir():
            inside = [p for p in top.iterdir() if p.is_file() and not p.name.startswith(".")]
            read = () if is_spooled(top) else READ
            kinds = [[p for p in inside if p.suffix.lower() in kind] for kind in read]
            files = in_order(next(filter(None, kinds), inside))
        found += [(str(file.relative_to(top.parent)), file) for file in files]
    return found


def fingerprint(source: Source, stopped: Callable[[], bool] = lambda: False) -> tuple[str, str]:
    """Return what a source is called and its SHA-256, as far as it is read until `stopped`.

    Of several files and of folders, the SHA-256 of the lines that `sha256sum` writes of all files.
    """
    name = called(source)
    found, files = paths_of(source), files_of(source)
    if len(found) == 1 and not found[0].is_dir():
        return name, sha256(found[0], stopped)
    lines = [f"{sha256(file, stopped)}  {below}\n" for below, file in files]
    return name, hashlib.sha256("".join(lines).encode()).hexdigest()


def stamp(source: Source) -> dict[str, Any]:
    """Return the bytes of a source, and a hash of the names, sizes and dates of its files.

    Both dates, that of the content and that of the entry: the first alone can be copied. Raises
    OSError if a file is not there.
    """
    size, digest = 0, hashlib.sha256()
    for below, file in files_of(source):
        found = file.stat()
        size += found.st_size
        digest.update(
            f"{below}\0{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}\n".encode()
        )
    return {"bytes": size, "stamp": digest.hexdigest()}


class Watched:
    """The sources that something is being made of, stamped before they are read.

    As a context manager, they are hashed by another thread while they are read for it: the storage
    gives them once.
    """

    def __init__(self, sources: Mapping[str, Source | None]) -> None:
        self.sources = {kind: source for kind, source in sources.items() if source is not None}
        self.stamps = {}
        for kind, source in self.sources.items():
            with contextlib.suppress(OSError):  # whoever opens it says what is missing
                self.stamps[kind] = stamp(source)
        self.found: dict[str, tuple[str, str]] = {}
        self._stop = threading.Event()
        self._hashed: Future[dict[str, tuple[str, str]]] | None = None

    def __enter__(self) -> Watched:
        self._pool = ThreadPoolExecutor(1)
        self._hashed = self._pool.submit(self._hash)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown()

    def _hash(self) -> dict[str, tuple[str, str]]:
        stopped = self._stop.is_set
        return {kind: fingerprint(source, stopped) for kind, source in self.sources.items()}

    def fingerprints(self) -> dict[str, tuple[str, str]]:
        """Return kind -> what the source is called and its SHA-256, once all is read.

        Raises UserError if a source has changed since it was stamped.
        """
        self.found = self._hash() if self._hashed is None else self._hashed.result()
        for kind, (name, _) in self.found.items():
            if stamp(self.sources[kind]) != self.stamps.get(kind):
                raise UserError(
                    f"{name}: changed while it was read; start again once it is written"
                )
        return self.found

    def write(self, path: str | Path, revision: str) -> None:
        """Write the record of `fingerprints`; `revision` is what `compare` called these files."""
        sources = {
            kind: {"path": name, "sha256": digest} | self.stamps[kind]
            for kind, (name, digest) in self.found.items()
        }
        _write(path, {"revision": revision, "sources": sources})


@dataclass(frozen=True)
class Comparison:
    """How sources stand to a record. `same`: they are those that it was written of, by content.

    `revision` is another for other contents, and stays once a record of these is written; empty
    for those of the first record. `changed`: what the sources are called that are others.
    """

    same: bool = False
    revision: str = ""
    changed: tuple[str, ...] = ()


def compare(record: str | Path, sources: Mapping[str, Source | None]) -> Comparison:
    """Compare sources with the record of an earlier run; none says nothing.

    Files are read only where they have as many bytes as before and other dates; if they are the
    same, the record takes on the dates, so that no further run reads them.
    """
    known = _read(record)
    if known is None:
        return Comparison()
    watched = {kind: source for kind, source in sources.items() if source is not None}
    changed, same, dated = [], known["sources"].keys() == watched.keys(), False
    try:
        stamps = {kind: stamp(source) for kind, source in watched.items()}
        for kind, old in known["sources"].items():
            name = called(watched.get(kind, ()))
            if name != old["path"]:  # a setting has changed, which Snakemake sees
                same = False
            elif stamps[kind] != {key: old[key] for key in stamps[kind]}:
                if (
                    stamps[kind]["bytes"] == old["bytes"]
                    and _digest(watched[kind], name, old["bytes"]) == old["sha256"]
                ):
                    old |= stamps[kind]
                    dated = True
                else:
                    changed.append(name)
    except OSError:  # missing, as Snakemake will say if it needs them
        return Comparison(revision=known["revision"])
    if dated:
        with contextlib.suppress(OSError):  # results of others may be read-only
            _write(record, known)
    if changed:
        text = json.dumps(stamps, sort_keys=True)
        return Comparison(False, hashlib.sha256(text.encode()).hexdigest()[:12], tuple(changed))
    return Comparison(same, known["revision"])


def _digest(source: Source, name: str, size: int) -> str:
    if size > LARGE:
        say(f"{name}: has other dates; comparing its content with its SHA-256")
    return fingerprint(source)[1]


def _read(path: str | Path) -> dict[str, Any] | None:
    try:
        known = json.loads(Path(path).read_text(encoding="utf-8"))
        for old in known["sources"].values():
            old["path"], old["sha256"], old["bytes"], old["stamp"]
        return known if isinstance(known["revision"], str) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write(path: str | Path, known: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(known, indent=1) + "\n")
