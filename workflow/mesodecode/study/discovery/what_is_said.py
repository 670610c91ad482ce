"""What is said of a folder's sessions: settings that their files need, guesses, what is missing."""

import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from mesodecode.base.files import first_few
from mesodecode.study.discovery import file_names as names
from mesodecode.study.discovery.file_roles import (
    EITHER,
    FLAT,
    films_the_mouse,
    may_be_times,
    points_of,
    sizes_of,
)
from mesodecode.study.discovery.found import Found, Session
from mesodecode.study.discovery.layouts import layout_of
from mesodecode.study.discovery.movie_files import half_of


def say_what_movies_are(
    found: Found, sessions: list[Session], files: Mapping[PurePosixPath, int]
) -> None:
    """Add the settings that movies and behaviour need, and what of them was guessed."""
    usual = sessions[0].movie
    suffix = usual.units[0].files[0].suffix.lower()
    if any(len(s.movie.units) != len(usual.units) for s in sessions):
        found.notes.append("FILL IN: not all sessions have files of the same wavelengths.")
    if all(films_the_mouse(session.path) for session in sessions):
        found.notes.append(
            f"CHECK: {sessions[0].path} and so on are taken for movies of the brain, though their "
            "names speak of a camera on the mouse."
        )
    if usual.u is None and len(usual.units) == 2:
        said = ", ".join(unit.light or "no light named" for unit in usual.units)
        sure = usual.units[0].shows == 0 and usual.units[1].shows > 1
        found.settings["wavelengths"] = "separate", f"CHECK: a file a wavelength: {said}"
        _set_channels(found, 2, "" if sure else "CHECK: is the first one of calcium?")
    layout, channels = layout_of(usual.units[0].files[0])
    if layout is not None:
        found.program = layout.program
        without = "times" not in found.patterns
        found.settings |= {
            key: said
            for key, said in layout.settings.items()
            if not (without and key.startswith("frame_times"))
        }
        found.notes += [layout.note] if layout.note else []
    if channels > 1 and len(usual.units) == 1 and "lights" not in found.patterns:
        _set_channels(found, channels, "CHECK: in turn, the first one of calcium?")
    if "movie_dataset" in found.settings or "movie_mask" in found.patterns:
        pass
    elif suffix in (".h5", ".hdf5", ".mat", ".npy", ".zarr", ".nwb") and usual.u is None:
        nwb = ".nwb" in usual.units[0].files[0].name.lower()  # Zarr folders too
        order = "TXY" if nwb else "YXT" if suffix == ".mat" else "TYX"
        found.notes.append(
            f"CHECK: axes of the movie are taken as {order} (T time, Y rows, X columns); if images "
            "are turned or time is another axis, see movie_axes."
        )
    if suffix in FLAT and not _sized(usual.units[0].files[0], files):
        found.settings["movie_shape"] = None, "FILL IN: [height, width] of these pixels, in px"
        found.settings["movie_dtype"] = "uint16", "CHECK: type of these pixels"
        if usual.units[0].files[0].with_name("ops.npy") in files:  # of suite2p
            found.settings["movie_shape"] = None, "FILL IN: [Ly, Lx] of suite2p's ops.npy, in px"
            found.settings["movie_dtype"] = "int16", "as suite2p writes it"
    if "lights" in found.patterns:
        for role, number in (("signal", 1), ("reference", 2)):
            found.corrections[f"{role}_channel"] = number, "CHECK: its value in light_sources"
        found.corrections["hemodynamics"] = "regression", ""
    if "lights" in found.patterns and usual.units[0].made == max(names.MADE.values()):
        for key in ("reference_channel", "hemodynamics"):  # corrected: no other light is in it
            del found.corrections[key]
    _say_what_was_chosen(found, sessions)
    _say_what_behavior_is(found, sessions)


def _sized(path: PurePosixPath, files: Mapping[PurePosixPath, int]) -> bool:
    """Return whether a flat file's name, or a file beside it, says the size of its images."""
    return bool(names.FLAT.search(path.stem)) or any(one in files for one in sizes_of(path))


def _set_channels(found: Found, channels: int, comment: str) -> None:
    found.corrections["channels"] = channels, comment
    found.corrections["reference_channel"] = 2, "CHECK: no calcium in it"
    found.corrections["hemodynamics"] = "regression", ""


def _say_what_behavior_is(found: Found, sessions: list[Session]) -> None:
    behavior = [s.files["behavior"] for s in sessions if "behavior" in s.files]
    if not behavior:
        return
    words = names.words(behavior[0].name)
    if (alf := re.fullmatch(r"(.+)\.position\.npy", behavior[0].name)) and len(
        found.patterns["behavior"][0].split("/")
    ) > 2:
        _set_wheel(found, sessions, alf[1])
    elif behavior[0].suffix.lower() in EITHER and not words & names.BEHAVIOR:
        found.notes.append(
            f"CHECK: {behavior[0].name} and the like are taken for behaviour; name their variable "
            "in behavior_labels, behavior_speed or behavior_encoder."
        )


def _set_wheel(found: Found, sessions: list[Session], name: str) -> None:
    """Add the settings of a wheel in ALF: position in rad with time stamps, in a folder."""
    for session in sessions:
        if "behavior" in session.files:
            times = session.files["behavior"].with_name(f"{name}.timestamps.npy")
            session.files["behavior_time"] = times
    found.patterns["behavior"] = [str(PurePosixPath(found.patterns["behavior"][0]).parent)]
    found.settings["behavior_encoder"] = f"{name}.position", ""
    found.settings["behavior_time"] = f"{name}.timestamps", ""
    found.settings["counts_per_turn"] = 6.2832, "position is in rad"
    found.settings["wheel_circumference"] = 19.5, "CHECK: cm, a wheel of IBL's rig"


def _say_what_was_chosen(found: Found, sessions: list[Session]) -> None:
    several = next((session for session in sessions if session.movie.others), None)
    if several and half_of(several.movie.units[0]):
        one, other = (
            str(unit.files[0]) for unit in (several.movie.units[0], several.movie.others[0])
        )
        found.notes.append(
            f"CHECK: {one} and {other} are taken for halves of one image, of which the first alone "
            "is read, and so on; to decode both, join them side by side into a movie a session, "
            "and run init again."
        )
    elif several:
        others = ", ".join(str(unit.files[0]) for unit in several.movie.others[:5])
        found.notes.append(
            f"CHECK: sessions have several movies; {several.path} is taken, not {others}, and so "
            "on."
        )
    joined = [s.movie.units[0] for s in sessions if len(s.movie.units[0].files) > 1]
    if joined:
        first, last = joined[0].files[0].name, joined[0].files[-1].name
        found.notes.append(
            f"CHECK: {first} to {last} ({len(joined[0].files)} files) are taken for parts of one "
            "movie, and so are others of such names."
        )


def say_points(found: Found, points: Iterable[PurePosixPath]) -> None:
    """Note files of points of a body, which are not taken, and what would take them."""
    programs: dict[str, list[PurePosixPath]] = {}
    for path in points:
        programs.setdefault(points_of(Path(found.folder, path)), []).append(path)
    for program, paths in programs.items():
        note = f"CHECK: points of {program} in {first_few(paths, 2)} are not taken. "
        if program == "DeepLabCut":
            note += "Its HDF5 is not read (names are pickled in it): write tables with "
            note += "deeplabcut.analyze_videos_converth5_to_csv. "
        note += (
            "For the speed of one part of the body, name such a file in behavior and the part in "
        )
        found.notes.append(f"{note}behavior_position, with speed_scale and behavior_rate.")


def say_spellings(found: Found, files: Iterable[PurePosixPath]) -> None:
    """Note a word that is in names of files with its accents as letters, and beside letters.

    The two look alike and are two names to a disk, so that their files are not paired.
    """
    words = {word for path in files for word in re.split(r"[\s/_.-]+", str(path))}
    whole = {word: unicodedata.normalize("NFC", word) for word in words}
    twice = sorted(word for word, one in whole.items() if word != one and one in words)
    if twice:
        found.notes.append(
            f"FILL IN: '{whole[twice[0]]}' is in names in two forms that look alike (an accent as "
            "part of its letter, and beside it as Macs write it), whose files are not paired; "
            "rename them alike: convmv -f utf8 -t utf8 --nfc -r --notest "
            f"{shlex.quote(found.folder)}"
        )


def say_what_is_missing(
    found: Found, sessions: list[Session], roles: dict[str, dict[PurePosixPath, int]]
) -> None:
    """Note sessions without behaviour, kinds of files that some have only, and files not used."""
    without = [session.name for session in sessions if "behavior" not in session.files]
    if without and len(without) < len(sessions):
        found.notes.append(
            f"FILL IN: no behaviour found for {first_few(without, 10)}; add the files, or take the "
            "sessions out below."
        )
    elif without:
        found.notes.append(
            "FILL IN: no behaviour files found; recordings.behavior needs them (labels or speed of "
            "every frame)."
        )
    for kind, words in (("rois", "ROI signals"), ("areas", "areas")):
        having = sum(kind in session.files for session in sessions)
        if 0 < having < len(sessions):
            found.notes.append(f"{words} for {having} of {len(sessions)} sessions only.")
            found.patterns.pop(kind, None)
    if "rois" in found.patterns:  # signals, or areas to take them over
        found.patterns.pop("areas", None)
    used = {path for session in sessions for path in session.files.values()}
    for session in sessions:
        units = (*session.movie.units, *session.movie.others)
        used |= {path for unit in units for path in unit.files} | {session.movie.u}
    given = {path for paths in roles.values() for path in paths}
    flat = [p for p in used & given if p.suffix.lower() in FLAT and not names.FLAT.search(p.stem)]
    used |= {next((one for one in sizes_of(path) if one in given), path) for path in flat}
    lit = {session.files["lights"].parent for session in sessions if "lights" in session.files}
    used |= {path for path in given if path.parent in lit and path.match(names.LIGHT_TABLE)}
    left = sorted(given - used)
    counts = Counter(path.name for path in left)
    names_left = [f"{name} ({n} files)" for name, n in counts.items() if n > 1]
    names_left += [str(path) for path in left if counts[path.name] == 1]
    found.left = names_left
    if left:
        found.notes.append(f"Files not used: {first_few(names_left, 8)}.")
    timed = [path for path in left if may_be_times(Path(found.folder, path))]
    if timed and not found.patterns.keys() & {"times", "lights"}:
        found.notes.append(
            f"CHECK: {first_few(timed, 2)}, not used, have times and numbers of frames: if a row "
            "is a frame of the movie, name them in frame_times, the column in frame_times_dataset."
        )
