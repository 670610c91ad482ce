"""Files of a dandiset, by the API of the DANDI archive (https://api.dandiarchive.org/swagger)."""

import fnmatch
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from mesodecode.base.files import UserError, say

API = "https://api.dandiarchive.org/api"
SOURCE = r"(?:dandi|DANDI):(\d{6})(?:@(draft|\d+\.\d+\.\d+))?(?:/(.*))?"
PART, MOST_PARTS = 64 << 20, 10_000  # bytes and number of the parts in which files are uploaded

Get = Callable[[str], Any]  # an address -> what its JSON holds


def assets(
    source: str, only: Sequence[str], site: str, get: Get
) -> tuple[list[tuple[str, int, str, str]], list[str]]:
    """Return name, size, checksum and address of files of a dandiset, and the paths of all others.

    `source` is dandi:NUMBER, dandi:NUMBER@VERSION, or one of them and /PATH of a file or folder;
    without a version the newest that is published is taken, and a line names it. Files are chosen
    by the patterns `only`, of paths or names. Raises UserError if there are none, they are folders
    of Zarr or two have one name, or if the dandiset is embargoed; KeyError, TypeError or ValueError
    if the answers are none of the archive's.
    """
    number, version, below = re.fullmatch(SOURCE, source).groups()
    version = version or _newest(source, number, site, get)
    listed = list(_listed(f"{site}/dandisets/{number}/versions/{version}/assets/", get))
    kept, others = [], []
    for asset in listed:
        path = asset["path"]
        inside = not below or path == below or path.startswith(below.rstrip("/") + "/")
        names = (path, PurePosixPath(path).name)
        wanted = not only or any(fnmatch.fnmatch(n, pattern) for n in names for pattern in only)
        (kept if inside and wanted else others).append(asset)
    _check_names(source, [asset["path"] for asset in kept])
    files = []
    for asset in kept:
        path, uuid = asset["path"], asset["asset_id"]
        if asset.get("zarr"):
            raise UserError(f"{source}: {path} is a folder of Zarr; use `dandi download` for it")
        address = f"{site}/dandisets/{number}/versions/{version}/assets/{uuid}"
        digests = get(f"{address}/info/")["metadata"]["digest"]
        sha = digests.get("dandi:sha2-256")
        checksum = f"sha256:{sha}" if sha else f"dandi-etag:{digests['dandi:dandi-etag']}"
        download = f"{site}/assets/{uuid}/download/"
        files.append((PurePosixPath(path).name, int(asset["size"]), checksum, download))
    return files, [asset["path"] for asset in others]


def _newest(source: str, number: str, site: str, get: Get) -> str:
    about = get(f"{site}/dandisets/{number}/")
    if about.get("embargo_status", "OPEN") != "OPEN":
        raise UserError(f"{source}: this dandiset is embargoed, its files are not public yet")
    newest = (about.get("most_recent_published_version") or {}).get("version")
    changes = "" if newest else ", which may change"
    say(
        f"{source}: version {newest or 'draft'}{changes}; dandi:{number}@{newest or 'VERSION'} "
        "keeps to one"
    )
    return newest or "draft"


def _listed(address: str, get: Get) -> Iterator[dict]:
    """Yield the assets of a version, page by page."""
    following, origin = f"{address}?page_size=1000", address.split("/dandisets/")[0]
    while following:
        page = get(following)
        yield from page["results"]
        following = page["next"]
        if following and not following.startswith(origin):
            raise ValueError(f"the next page is elsewhere: {following}")


def _check_names(source: str, paths: Sequence[str]) -> None:
    """Raise UserError if names of files could be paths, or two files have one name."""
    seen: dict[str, str] = {}
    for path in paths:
        name = PurePosixPath(path).name
        if not name or name.startswith(".") or "\\" in name or ":" in name:
            raise UserError(f"{source}: a file named {name!r}, which could be a path; refused")
        if name in seen:
            raise UserError(
                f"{source}: {seen[name]} and {path} have one name; fetch each into a folder of its "
                "own, such as dandi:NUMBER/PATH"
            )
        seen[name] = path


def etag(path: Path) -> str:
    """Return the archive's own digest of a file: the MD5 of its parts' MD5s, and their number.

    Parts have 64 MiB, or more where that makes 10,000 of them (S3's multipart uploads).
    """
    size = path.stat().st_size
    part = max(PART, math.ceil(size / MOST_PARTS) if math.ceil(size / PART) >= MOST_PARTS else 0)
    digests = []
    with open(path, "rb") as file:
        while block := file.read(part):
            digests.append(hashlib.md5(block, usedforsecurity=False).digest())
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"
