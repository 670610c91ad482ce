"""Do files of behaviour and ROI signals hold what the config names? Asked before jobs read them."""

from pathlib import Path

from mesodecode.base.files import UserError, first_few, one_line
from mesodecode.base.progress import Progress
from mesodecode.recordings.readers.target_traces import check_names
from mesodecode.recordings.roi_files import names_of
from mesodecode.recordings.session_sources import Sources
from mesodecode.recordings.source_files import unread
from mesodecode.running.preflight import FAIL, OK, Check
from mesodecode.study.session_ids import OWN_FILES
from mesodecode.study.study import Study


def named(study: Study) -> list[Check]:
    """Check that files of behaviour and ROI signals hold what the config names, by their heads.

    Of sessions without a recording whose files are there; one line a fault.
    """
    if "simulate" in study.config:
        return []
    checks = []
    for kind, key, look in (("behavior", "behaviour", _behavior), ("rois", "ROIs", _rois)):
        found, faults, at = {}, {}, [s for s in unread(study) if study.source(kind, s)]
        with Progress(len(at), "files", f"heads of {key}") as progress:
            for session in at:
                path = study.source(kind, session)
                try:
                    if Path(path).exists():  # what is fetched is not
                        found[path] = look(study, session)
                except (UserError, OSError) as error:
                    words = one_line(error).removeprefix(f"{path}: ")
                    faults.setdefault(words, []).append(path)
                progress.update(1)
        if kind == "rois" and study.roi_decoders and study.config["areas"] is None:
            faults |= _other_rois(found)
        for words, paths in faults.items():
            more = f" (and {len(paths) - 1} more files)" if len(paths) > 1 else ""
            checks.append(Check(key, FAIL, f"{paths[0]}: {words}{more}"))
        if found and not faults:
            checks.append(Check(key, OK, f"{len(found)} files hold what the config names"))
    return checks


def _sources(study: Study, session: str) -> Sources:
    files = {kind: study.source(kind, session) for kind in OWN_FILES}
    settings = study.of_session(session)["recordings"] | files
    return Sources.of(settings | {"target": study.config["target"]}, None)


def _behavior(study: Study, session: str) -> None:
    of = _sources(study, session)
    check_names(of.behavior, of.target, of.behavior_target, of.labelling)


def _rois(study: Study, session: str) -> tuple[str, ...] | None:
    of = _sources(study, session)
    return names_of(of.rois, of.roi_dataset, of.behavior_names)


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
