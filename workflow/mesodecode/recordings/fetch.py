"""Download the files of a public record: checked, resumed where a download was cut short.

Records are Zenodo's, or of any site that answers as its API does (InvenioRDM):
https://developers.zenodo.org/#retrieve37; or dandisets (see `dandi`).
"""

import fnmatch
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesodecode.base.files import UserError, say
from mesodecode.base.progress import Progress
from mesodecode.recordings import dandi

ZENODO = "https://zenodo.org"
TIMEOUT = 60  # s without an answer
MB = 1_000_000


@dataclass(frozen=True)
class RemoteFile:
    """A file of a record: name, size in bytes, checksum such as ``md5:…``, and address.

    A checksum ``dandi-etag:…`` is `dandi.etag`.
    """

    name: str
    size: int
    checksum: str
    url: str


def record_files(
    source: str, only: Sequence[str] = (), site: str | None = None
) -> list[RemoteFile]:
    """Return the files of a record, those whose names match one of the patterns `only`.

    `source` is zenodo:NUMBER or its DOI, or dandi:NUMBER (see `dandi.assets`); None as `site` is
    the archive's own. Raises UserError if there is no such record or file.
    """
    zenodo = re.fullmatch(r"(?:zenodo:|(?:doi:|https://doi\.org/)?10\.5281/zenodo\.)(\d+)", source)
    of_dandi = re.fullmatch(dandi.SOURCE, source)
    if not zenodo and not of_dandi:
        raise UserError(
            f"{source}: no record that is known; write zenodo:NUMBER, dandi:NUMBER@VERSION or "
            "dandi:NUMBER@VERSION/PATH"
        )
    site = site or (ZENODO if zenodo else dandi.API)
    try:
        if zenodo:
            about = _get(f"{site}/api/records/{zenodo[1]}").json()
            files = [_remote(item, zenodo[1], site) for item in about["files"]]
            chosen = [f for f in files if not only or any(fnmatch.fnmatch(f.name, p) for p in only)]
            others = [file.name for file in files]
        else:
            found, others = dandi.assets(source, only, site, lambda url: _get(url).json())
            chosen = [RemoteFile(*file) for file in found]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{source}: {site} answered what is no record of files") from error
    if not chosen:
        some = ", ".join(others[:8]) + (", …" if len(others) > 8 else "")
        named = " or ".join(only) or "of that path"
        raise UserError(f"{source}: no file {named} in it; it holds: {some or 'none'}")
    return chosen


def fetch(files: Sequence[RemoteFile], folder: Path, *, tries: int = 6, wait: float = 2.0) -> None:
    """Download files into a folder; those that are there and whole are left alone.

    A file has its name once its checksum is that of the record; until then it is .NAME.part, from
    which the same command goes on. A download that breaks is tried again `tries` times in all,
    after `wait` s, doubled each time. Raises UserError if it cannot be had, if a file is there with
    another content, or if the disk has no room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    todo = [file for file in files if not _is_there(file, folder)]
    missing = sum(file.size - _size(_part(file, folder)) for file in todo)
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise UserError(
            f"{folder}: {missing / MB:,.0f} MB to download, but {free / MB:,.0f} MB are free; make "
            "room or fetch fewer files (--only)"
        )
    for file in todo:
        part = _part(file, folder)
        _resume(file, part, tries, wait)
        if not _is_whole(file, part):
            part.unlink()
            raise UserError(
                f"{folder / file.name}: what {file.url} gave does not have the {file.checksum} of "
                "the record; run it again"
            )
        os.replace(part, folder / file.name)
        say(f"{folder / file.name}: {file.size / MB:.1f} MB, {file.checksum}")


def fetch_parts(files: Sequence[RemoteFile], folder: Path, without: Sequence[str]) -> None:
    """Copy HDF5 files into a folder without what matches the patterns `without`, by ranges.

    Of each, no more than what stays is downloaded; the record's checksum, which is of the whole
    file, cannot check it, and a line says so. Raises UserError as `remote_hdf5.copy` does.
    """
    from mesodecode.recordings import remote_hdf5

    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        out = folder / file.name
        fetched = remote_hdf5.copy(file.url, file.size, file.checksum, out, without)
        if fetched is not None:
            say(
                f"{out}: {fetched / MB:.1f} of {file.size / MB:.1f} MB, without "
                f"{', '.join(without)}; parts cannot be checked by the record's checksum"
            )


def _remote(item: dict, record: str, site: str) -> RemoteFile:
    name = item["key"] if "key" in item else item["filename"]
    if not name or name != Path(name).name or name.startswith("."):
        raise UserError(f"record {record}: a file named {name!r}, which could be a path; refused")
    url = item.get("links", {}).get("self") or f"{site}/records/{record}/files/{name}"
    checksum = item["checksum"] if ":" in item["checksum"] else f"md5:{item['checksum']}"
    return RemoteFile(
        name, int(item["size"] if "size" in item else item["filesize"]), checksum, url
    )


def _is_there(file: RemoteFile, folder: Path) -> bool:
    path = folder / file.name
    if not path.exists():
        return False
    if not _is_whole(file, path):
        raise UserError(
            f"{path}: is there, but is not the file of the record ({file.size} bytes, "
            f"{file.checksum}); move it away"
        )
    return True


def _is_whole(file: RemoteFile, path: Path) -> bool:
    """Return whether a file has the size and the checksum of the record."""
    if path.stat().st_size != file.size:
        return False
    algorithm, _, digest = file.checksum.partition(":")
    if algorithm == "dandi-etag":
        return dandi.etag(path) == digest
    with open(path, "rb") as opened:
        return hashlib.file_digest(opened, algorithm).hexdigest() == digest.lower()


def _part(file: RemoteFile, folder: Path) -> Path:
    return folder / f".{file.name}.part"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _get(url: str, **options):
    """Return the answer to a request. Raises UserError for what trying again cannot change."""
    import requests

    try:
        response = requests.get(url, timeout=TIMEOUT, **options)
    except requests.RequestException as error:
        raise UserError(
            f"{url}: cannot be reached ({type(error).__name__}); run the same command on a machine "
            "with internet and copy the folder"
        ) from error
    if response.status_code in (401, 403):
        raise UserError(
            f"{url}: {response.status_code} {response.reason}; the record is embargoed or "
            "restricted"
        )
    if response.status_code >= 400:
        raise UserError(f"{url}: {response.status_code} {response.reason}; check the record")
    return response


def _resume(file: RemoteFile, part: Path, tries: int, wait: float) -> None:
    """Download a file into `part`, from its end on, until it has its size."""
    import requests

    part.touch()
    with Progress(file.size // MB, "MB", file.name) as progress:
        shown = 0
        for attempt in range(tries):
            try:
                for done in _stream(file, part):
                    if done // MB > shown:
                        progress.update(done // MB - shown)
                        shown = done // MB
                fault = f"it ended after {_size(part)} of {file.size} bytes"
            except requests.RequestException as error:
                fault = str(error) or type(error).__name__
            if _size(part) == file.size:
                progress.update(file.size // MB - shown)
                return
            if attempt + 1 < tries:
                time.sleep(wait * 2**attempt)
        raise UserError(
            f"{file.url}: {tries} tries failed, the last since {' '.join(fault.split())}; run the "
            "same command again, it goes on from there"
        )


def _stream(file: RemoteFile, part: Path) -> Iterator[int]:
    """Append to `part` what the server sends; yield how many bytes it has."""
    import requests

    start = _size(part)
    if start > file.size:
        part.unlink()
        start = 0
    elif start == file.size:
        return
    headers = {"Range": f"bytes={start}-"} if start else {}
    with requests.get(file.url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if 400 <= response.status_code < 500 and response.status_code not in (408, 416, 429):
            raise UserError(f"{file.url}: {response.status_code} {response.reason}")
        response.raise_for_status()
        resumed = response.status_code == 206  # else the server sends all of it
        with open(part, "ab" if resumed else "wb") as out:
            for chunk in response.iter_content(1 << 16):
                out.write(chunk)
                yield out.tell()
