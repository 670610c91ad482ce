"""Where the links of a config lie, in the folder where Snakemake runs: which are there already."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mesodecode.study.discovery.found import Found

LINKS = "links"  # the folder, or links_2, … where other links are in the way


def place(found: Found) -> None:
    """Move links and their patterns to the first folder where nothing is in their way; say so."""
    in_the_way = next(_in_the_way(found.links), None)
    if in_the_way is None:
        return
    for number in itertools.count(2):
        folder = f"{LINKS}_{number}"
        links = [(source, _moved(target, folder)) for source, target in found.links]
        if next(_in_the_way(links), None) is None:
            break
    found.links = links
    found.patterns = {
        kind: [_moved(one, folder) for one in each] for kind, each in found.patterns.items()
    }
    leads = f" and leads to {os.path.realpath(in_the_way)}" if in_the_way.is_symlink() else ""
    found.notes.append(
        f"CHECK: {in_the_way} is there{leads}, of another study, say; links of this one are in "
        f"{folder}."
    )


def missing(links: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return those of links, files and their names, that are not there yet."""
    return [(source, target) for source, target in links if not _leads(target, source)]


def _moved(text: str, folder: str) -> str:
    """Return a link, or a pattern of links, in another folder; other patterns as they are."""
    return f"{folder}/{text.removeprefix(f'{LINKS}/')}" if text.startswith(f"{LINKS}/") else text


def _leads(target: str, source: str) -> bool:
    return os.path.lexists(target) and os.path.realpath(target) == os.path.realpath(source)


def _in_the_way(links: list[tuple[str, str]]) -> Iterator[Path]:
    """Yield what is where links shall be: other files, or, in a folder a movie, more files."""
    for source, target in links:
        if os.path.lexists(target) and not _leads(target, source):
            yield Path(target)
    own = {target for _, target in links}
    for parent in dict.fromkeys(PurePosixPath(target).parent for target in own):
        above = next((p for p in (parent, *parent.parents) if Path(p).exists()), None)
        if above is not None and not Path(above).is_dir():
            yield Path(above)
        elif above == parent and len(parent.parts) > 1:  # all files in it are read as one movie
            others = (path for path in sorted(Path(parent).iterdir()) if path.as_posix() not in own)
            yield from others
