"""The files of a study before they are recordings: are they there, how large will they be."""

from __future__ import annotations

import glob
import math
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from mesodecode.base.files import UserError, refused, say
from mesodecode.base.natural_order import matching
from mesodecode.running.preflight import FAIL, OK, WARN, Check
from mesodecode.study import correction_table
from mesodecode.study.cohort_table import all_tables
from mesodecode.study.session_ids import OWN_FILES
from mesodecode.study.study import Study

if TYPE_CHECKING:
    from mesodecode.recordings.movie import Movie


def movie_sizes(study: Study) -> dict[str, tuple[int, int]]:
    """Return session -> frames, and bytes of its recording before compression.

    Read from the recording where there is one, else from the movie; nothing is known of one that
    is still to be fetched. Raises UserError with the path if it cannot be read.
    """
    if "simulate" in study.config:
        settings = study.config["simulate"]
        frames = settings["n_frames"]
        return dict.fromkeys(study.mouse_of, (frames, frames * settings["image_size"] ** 2 * 2))
    side, recordings = study.config["image_size"], Path("results") / study.name / "recordings"
    sizes = {}
    for session in study.mouse_of:
        made = recordings / f"{session}.h5"
        frames, pixels, item = _recorded(made) if made.exists() else _filmed(study, session)
        sizes[session] = frames, frames * (side**2 if side else pixels) * item
    return sizes


def _recorded(path: Path) -> tuple[int, int, int]:
    from mesodecode.base.records import reading

    with reading(path, "a preprocessed recording", "preprocess") as file:
        frames = file["frames"]
        return len(frames), frames.shape[1] * frames.shape[2], frames.dtype.itemsize


def session_movie(study: Study, session: str) -> AbstractContextManager[Movie]:
    """Open the movie of a session as the config says, all channels of it."""
    from mesodecode.recordings.session_sources import Sources

    tables = study.of_session(session)
    own = {
        "movie": study.sources("movie", session),
        "movie_mask": study.source("movie_mask", session),
    }
    return Sources.of(tables["recordings"] | own, tables["corrections"]).open()


def _filmed(study: Study, session: str) -> tuple[int, int, int]:
    paths = study.sources("movie", session)
    if study.of_session(session)["fetch"] and not all(Path(path).exists() for path in paths):
        return 0, 0, 0
    first = Path(paths[0])
    if len(paths) == 1 and first.is_file() and first.suffix.lower() in (".tif", ".tiff"):
        frames, pixels, item = _pages(first)
    else:
        with session_movie(study, session) as movie:
            frames, *size = movie.shape
            pixels, item = math.prod(size), movie.dtype.itemsize
    return frames // study.of_session(session)["corrections"]["channels"], pixels, item


def _pages(path: Path) -> tuple[int, int, int]:
    import tifffile

    from mesodecode.recordings.movie import check_chain

    with refused(path, "no TIFF stack", "; copy it again"), tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        # counting 18,000 pages takes a second; those of an uncompressed stack are its size
        if page.compression == tifffile.COMPRESSION.NONE:
            frames = os.path.getsize(path) // page.nbytes
        else:
            check_chain(tif, path)
            frames = len(tif.pages)
        return frames, page.size, page.dtype.itemsize


FILES = (*OWN_FILES, *correction_table.FILES)  # of a session, by their keys in the config


def check_apart(study: Study) -> None:
    """Raise UserError if two sessions have one movie, by whatever links or names of the file.

    A file of behaviour or ROI signals that two sessions have is said: it may hold both. Files that
    are still to be fetched are passed over.
    """
    if "simulate" in study.config:
        return
    known: dict[tuple[str, ...], str] = {}
    for kind in ("movie", "behavior", "rois"):
        for session, mouse in study.mouse_of.items():
            paths = [file for path in study.sources(kind, session) for file in matching(path)]
            try:
                files = (kind, *map(_identity, paths))
            except OSError:
                continue
            other = known.setdefault(files, session)
            if not paths or other == session:
                continue
            words = f"session '{session}' of mouse '{mouse}' and '{other}' of mouse "
            words += f"'{study.mouse_of[other]}'"
            if kind == "movie":
                raise UserError(
                    f"{paths[0]}: is the movie of {words}: one recording under two names; list one "
                    "of them under exclude"
                )
            say(f"{paths[0]}: {kind} of {words}; do its times tell them apart?")


def _identity(path: Path) -> str:
    """Return what tells a file from others, whatever it is called. Raises OSError without it."""
    found = os.stat(path)
    return f"{found.st_dev}:{found.st_ino}" if found.st_ino else os.path.realpath(path)


def unread(study: Study) -> list[str]:
    """Return the sessions that have no recording yet."""
    recordings = Path("results") / study.name / "recordings"
    return [s for s in study.mouse_of if not (recordings / f"{s}.h5").exists()]


def data(study: Study) -> Check:
    """Check that the files of all sessions are there that have no recording yet."""
    from mesodecode.recordings.readers import movie_files

    if "simulate" in study.config:
        return Check("data", OK, "simulated")
    todo = unread(study)
    paths = {path: kind for s in todo for kind in FILES for path in study.sources(kind, s)}
    missing = [path for path in paths if not any(file.exists() for file in matching(path))]
    if missing:
        more = f" and {len(missing) - 1} more of {len(paths)}" if len(missing) > 1 else ""
        if any(t["fetch"] for t in all_tables(study.config)) and not any(
            map(glob.has_magic, missing)
        ):
            words = f"{missing[0]}{more} will be fetched first, where snakemake runs"
            return Check("data", WARN, f"{words}: needs internet, and disk that is not counted")
        words = f"no file {missing[0]}{more}; put them there or see recordings:"
        if missing[0].startswith("~") or "$" in missing[0]:
            words += "; ~ and $NAME stay as they are written: write the whole path"
        return Check("data", FAIL, words)
    try:
        for path in [path for path, kind in paths.items() if kind == "movie"]:
            movie_files(path)
        check_apart(study)
    except UserError as error:
        return Check("data", FAIL, str(error))
    return Check("data", OK, f"{len(paths)} files of {len(todo)} sessions to preprocess")
