"""Do files beside movies hold what the config names, and fit them? Asked before jobs read all."""

import io
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from mesodecode.base.files import UserError, counted, first_few, line_of
from mesodecode.base.natural_order import matching
from mesodecode.base.progress import Progress
from mesodecode.recordings.corrections.movies import signal_frames
from mesodecode.recordings.intake import frames_of, roi_masks, with_lights, without_blank
from mesodecode.recordings.masks import read_brain, read_dark
from mesodecode.recordings.readers.target_traces import check_names
from mesodecode.recordings.roi_files import names_of
from mesodecode.recordings.session_sources import Sources
from mesodecode.recordings.source_files import unread
from mesodecode.running.preflight import FAIL, OK, Check
from mesodecode.study import correction_table
from mesodecode.study.session_ids import OWN_FILES
from mesodecode.study.study import Study

# What a movie is read with, each by its key in the config.
WITH_MOVIE = ("frame_times", "light_sources", "roi_masks", *correction_table.FILES)


def named(study: Study) -> list[Check]:
    """Check that files of behaviour and ROI signals hold what the config names, by their heads.

    And that time stamps, light sources and masks fit the movie that they are of, whose frames are
    not read. Of sessions without a recording whose files are there; one line a fault.
    """
    if "simulate" in study.config:
        return []
    checks = []
    for key, kinds, look, fits in (
        ("behaviour", ("behavior",), _behavior, "hold what the config names"),
        ("ROIs", ("rois",), _rois, "hold what the config names"),
        ("with movies", WITH_MOVIE, _with_movie, "of time stamps, light sources and masks fit"),
    ):
        found, faults = _looked_at(study, key, kinds, look)
        if key == "ROIs" and study.roi_decoders and study.config["areas"] is None:
            faults |= _other_rois(found)
        for words, paths in faults.items():
            more = f" (and {counted(len(paths) - 1, 'more file')})" if len(paths) > 1 else ""
            checks.append(Check(key, FAIL, f"{paths[0]}: {words}{more}"))
        if found and not faults:
            checks.append(Check(key, OK, f"{counted(len(found), 'file')} {fits}"))
    return checks


def _looked_at(
    study: Study, key: str, kinds: tuple[str, ...], look: Callable[[Study, str], Any]
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return file -> what `look` finds in it, and what is wrong -> files, of `kinds` of files."""
    found: dict[str, Any] = {}
    faults: dict[str, list[str]] = {}
    files = {s: [path for kind in kinds for path in study.sources(kind, s)] for s in unread(study)}
    files = {session: paths for session, paths in files.items() if paths}
    with Progress(len(files), "sessions", f"heads of {key}") as progress:
        for session, paths in files.items():
            try:
                if all(Path(path).exists() for path in paths):  # what is fetched is not
                    found |= dict.fromkeys(paths, look(study, session))
            except (UserError, OSError) as error:
                words = line_of(error)
                path = next((p for p in paths if words.startswith(f"{p}: ")), paths[0])
                for movie in study.sources("movie", session):  # one fault of all sessions is one
                    words = words.replace(movie, "its movie")
                faults.setdefault(words.removeprefix(f"{path}: "), []).append(path)
            progress.update(1)
    return found, faults


def _sources(study: Study, session: str) -> Sources:
    """Return a session's files and settings, as preprocessing has them."""
    tables, target = study.of_session(session), {"target": study.config["target"]}
    own = {kind: study.source(kind, session) for kind in OWN_FILES}
    corrections = {k: study.source(k, session) for k in correction_table.FILES}
    return Sources.of(tables["recordings"] | own | target, tables["corrections"] | corrections)


def _behavior(study: Study, session: str) -> None:
    of = _sources(study, session)
    check_names(of.behavior, of.target, of.behavior_target, of.labelling)


def _rois(study: Study, session: str) -> tuple[str, ...] | None:
    of = _sources(study, session)
    return names_of(of.rois, of.roi_dataset, of.behavior_names)


def _with_movie(study: Study, session: str) -> None:
    """Read what tells of a movie, as preprocessing does; what it says is said there."""
    of = _sources(study, session)
    if not all(f.exists() for path in study.sources("movie", session) for f in matching(path)):
        return  # it is still to be fetched
    with redirect_stderr(io.StringIO()), of.open() as opened:
        movie = without_blank(opened, of)
        of, lights = with_lights(of, movie)
        taken = signal_frames(movie.shape[0], of.corrections, lights and lights.values)
        frames_of(of, movie, taken, lights)
        size = movie.shape[1:]
        roi_masks(of, *size)
        if of.files["brain_mask"]:
            read_brain(of.files["brain_mask"], *size, movie.path)
        if of.files["dark_frame"]:
            read_dark(of.files["dark_frame"], *size, movie.path)


def _other_rois(found: dict[str, tuple[str, ...] | None]) -> dict[str, list[str]]:
    """Return what is wrong -> files, of those whose ROIs are not those of the first file."""
    faults: dict[str, list[str]] = {}
    first = next((path for path, names in found.items() if names), None)
    for path, names in found.items():
        if names and names != found[first]:
            lacks = first_few([name for name in found[first] if name not in names], 5)
            more = first_few([name for name in names if name not in found[first]], 5)
            said = [f"lacks ROI {lacks}"] if lacks else []
            said += [f"has ROI {more} more"] if more else []
            words = f"{' and '.join(said) or 'has ROIs in another order'}, beside {first}; all "
            words += "sessions need the same ROIs in the same order (areas in the config matches "
            faults.setdefault(f"{words}them by name)", []).append(path)
    return faults
