"""What a folder of recordings holds, guessed from names, and a first config for it.

A session is found by its movie; its other files are those whose path holds the session's name.
Mice are the folders above the sessions or, where there are none, what remains of the sessions'
names without dates and session numbers. No file is opened. What a guess rests on, and what was not
found, is said in comments of the config; where the layout cannot be written with {session} and
{mouse}, the comments hold the commands that link the files to names that can.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePosixPath

import yaml

from mesodecode import cohort
from mesodecode.files import UserError

MOVIES = (".tif", ".tiff", ".btf", ".zarr", ".nwb", ".avi", ".mp4", ".mov", ".mkv")
TABLES = (".csv", ".tsv")
EITHER = (".mat", ".h5", ".hdf5", ".npy")  # movies or behaviour, by their size
# Words of file names, in lower case.
BEHAVIOR = {
    *("behavior", "behaviour", "beh", "labels", "states", "runrest", "running", "locomotion"),
    *("speed", "velocity", "wheel", "treadmill", "encoder"),
}
ROIS = {"roi", "rois"}
ASIDE = {
    *("mask", "masks", "dark", "mean", "average", "background", "atlas", "truth", "landmarks"),
}
MOVIE_WORDS = {
    *("movie", "stack", "frames", "imaging", "images", "video", "raw", "ome", "mmstack"),
    *("widefield", "wf", "calcium", "gcamp", "u"),  # U of SVD components, beside SVT
}
SKIPPED = {"results", "__pycache__"}  # folders
NAME = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"
)  # of a session, as the config's schema has it
DATE = re.compile(r"(?<!\d)(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?!\d)")
NUMBERED = re.compile(r"(s|ses|sess|session|run|rec|recording|day|d|trial|exp|block)-?\d+", re.I)
LONG_PAUSE = 28  # days between sessions of one name, after which it may be another animal's


@dataclass
class Found:
    """What `look` found: patterns of files, mice with their sessions, and words about it."""

    folder: str
    patterns: dict[str, str] = field(default_factory=dict)
    mice: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    guess: str = ""


def look(folder: str | Path) -> Found:
    """Return the sessions of a folder. Raises UserError if it is none or holds no movie."""
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: no such folder; name the one that holds your recordings")
    found = Found(Path(folder).as_posix())
    roles = by_role(files_in(folder))
    if not roles["movie"]:
        raise UserError(
            f"{folder}: no movie in it; looked for {', '.join((*MOVIES, *EITHER))} (a table needs "
            "none: see `source` of a comparison)"
        )
    movies, roles["movie"] = _join_parts(roles["movie"], roles["behavior"]), []
    sessions = _name_sessions(movies)
    files = {"movie": sessions}
    for kind in ("svt", "behavior", "rois"):
        files[kind] = _match(roles[kind], sessions)
    if not files["behavior"] and all(path.suffix == ".nwb" for path in movies):
        files["behavior"] = sessions  # NWB files hold both
    _write_patterns(found, files)
    _say_what_is_missing(found, files, roles)
    return found


def files_in(folder: str | Path) -> dict[PurePosixPath, int]:
    """Return file -> bytes, relative to the folder; a Zarr folder counts as a file.

    Hidden files and results are left out; links are followed, each folder is entered once.
    """
    found, entered = {}, set()
    for top, folders, names in os.walk(folder, followlinks=True):
        at = os.stat(top)
        if (at.st_dev, at.st_ino) in entered:  # a link to a folder above
            folders.clear()
            continue
        entered.add((at.st_dev, at.st_ino))
        arrays = [name for name in folders if name.lower().endswith(".zarr")]
        hidden = {name for name in folders if name.startswith(".")}
        folders[:] = sorted(set(folders) - set(arrays) - hidden - SKIPPED)
        for name in (*arrays, *names):
            path = Path(top, name)
            if not name.startswith(".") and str(path).isprintable() and path.exists():
                size = 1 << 40 if name in arrays else path.stat().st_size
                found[PurePosixPath(path.relative_to(folder).as_posix())] = size
    return dict(sorted(found.items()))


def by_role(files: dict[PurePosixPath, int]) -> dict[str, list[PurePosixPath]]:
    """Return role -> files, by suffixes, words of names and sizes.

    The roles: movie, svt (of a movie that is SVD components), behavior, rois and aside.
    """
    roles: dict[str, list[PurePosixPath]] = {
        role: [] for role in ("movie", "svt", "behavior", "rois", "aside", "either")
    }
    for path in files:
        words = set(re.split(r"[^a-z0-9]+", path.name.lower()))
        suffix = path.suffix.lower()
        if suffix == ".nwb":  # it may hold all of a session
            roles["movie"].append(path)
        elif suffix not in MOVIES + TABLES + EITHER or words & ASIDE:
            roles["aside"].append(path)
        elif suffix == ".npy" and "svt" in words:
            roles["svt"].append(path)
        elif words & ROIS:
            roles["rois"].append(path)
        elif words & BEHAVIOR or suffix in TABLES:
            roles["behavior"].append(path)
        elif suffix in MOVIES or words & MOVIE_WORDS:
            roles["movie"].append(path)
        else:
            roles["either"].append(path)
    either = roles.pop("either")
    if either and not roles["movie"]:  # the suffix of the larger files is that of the movies
        sizes = {
            s: max(files[p] for p in either if p.suffix == s) for s in {p.suffix for p in either}
        }
        largest = max(sizes, key=lambda s: sizes[s])
        roles["movie"] = [path for path in either if path.suffix == largest]
        either = [path for path in either if path.suffix != largest]
    roles["behavior"] += either
    return roles


def _stem(path: PurePosixPath) -> str:
    """Return a file's name without suffixes, nor words at its end that say that it is a movie."""
    stem = path.name
    while PurePosixPath(stem).suffix.lower() in (*MOVIES, *EITHER, ".ome"):
        stem = PurePosixPath(stem).stem
    while True:
        shorter = re.sub(r"[_\-. ]+([A-Za-z]+)$", "", stem)
        word = stem[len(shorter) :].strip("_-. ").lower()
        if word not in MOVIE_WORDS:
            return stem
        stem = shorter


def _join_parts(movies: list[PurePosixPath], behavior: list[PurePosixPath]) -> list[PurePosixPath]:
    """Return movies, each folder of numbered TIFF files as one: its behaviour is one file."""
    folders = {path.parent for path in movies}
    parts = {
        folder
        for folder in folders
        if folder != PurePosixPath(".")
        and len(mine := [p for p in movies if p.parent == folder]) > 1
        and len({re.sub(r"\d+$", "", _stem(p)) for p in mine}) == 1
        and all(p.suffix.lower().startswith(".tif") for p in mine)
        and sum(p.parent == folder for p in behavior) <= 1
    }
    if not parts or len(behavior) > len(folders):
        return movies
    return sorted({p.parent if p.parent in parts else p for p in movies})


def _name_sessions(movies: list[PurePosixPath]) -> dict[str, PurePosixPath]:
    """Return session -> movie: by the name of the movie, of its folder, or of all above it."""
    for names in (
        [_stem(path) for path in movies],
        [path.parent.name for path in movies],
        ["_".join((*path.parent.parts, _stem(path))) for path in movies],
    ):
        if len(set(names)) == len(movies) and all(names):
            return dict(zip(_without_prefix(names), movies, strict=True))
    return {str(path): path for path in movies}  # two suffixes of one name


def _without_prefix(names: list[str]) -> list[str]:
    """Return names without what all begin with, if the config can then hold them."""
    if all(NAME.fullmatch(name) for name in names):
        return names
    same = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    common = re.sub(r"[^_\-. ]*$", "", "".join(letters[0] for letters in same))
    shorter = [name[len(common) :] for name in names]
    return shorter if all(NAME.fullmatch(name) for name in shorter) else names


def _holds(path: PurePosixPath, name: str) -> bool:
    """Whether a path holds a name, not as a part of a longer word."""
    return bool(re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", str(path)))


def _match(
    files: list[PurePosixPath], sessions: dict[str, PurePosixPath]
) -> dict[str, PurePosixPath]:
    """Return session -> its file: the nearest of those whose path names the session.

    It does by the session's name, or by all that tells the path of its movie from others'.
    """
    everywhere = set.intersection(*({*m.parent.parts, _stem(m)} for m in sessions.values()))
    matched = {}
    for session, movie in sessions.items():
        own = [part for part in (*movie.parent.parts, _stem(movie)) if part not in everywhere]
        longer = [other for other in sessions if other != session and session in other]
        mine = [
            path
            for path in files
            if (_holds(path, session) or (own and all(_holds(path, part) for part in own)))
            and not any(_holds(path, other) for other in longer)
        ]
        if mine:
            matched[session] = max(mine, key=lambda path: len(os.path.commonpath([path, movie])))
    return matched


# --- mice --------------------------------------------------------------------------------------


def mouse_of(session: str) -> str:
    """Return what a session's name says of its mouse: all but dates and session numbers."""
    rest = DATE.sub("", session)
    parts = [part for part in re.split(r"[_\s]+|(?<!sub)(?<!ses)-", rest) if part]
    kept = [part for part in parts if not NUMBERED.fullmatch(part)]
    dated = rest != session or len(kept) < len(parts)
    if not dated and len(kept) > 1 and kept[-1].isdigit():
        kept.pop()  # nothing else numbers the sessions
    return "_".join(kept)


def _mouse_folders(sessions: dict[str, PurePosixPath]) -> dict[str, str] | None:
    """Return session -> the folder that is its mouse; None where no folder tells mice apart."""
    depth = min(len(path.parts) for path in sessions.values()) - 1
    for level in range(depth):
        mice = {session: path.parts[level] for session, path in sessions.items()}
        if len(set(mice.values())) > 1 and any(mouse != session for session, mouse in mice.items()):
            return mice
    return None


def _pauses(mice: dict[str, list[str]]) -> Iterator[str]:
    """Yield a note for each mouse whose sessions come in two times of the year."""
    for mouse, sessions in mice.items():
        days = []
        for found in filter(None, map(DATE.search, sessions)):
            try:
                days.append(date(*map(int, found.groups())))
            except ValueError:  # 20189999 is no date
                continue
        days.sort()
        gaps = [(b - a, a, b) for a, b in itertools.pairwise(days)]
        if gaps and max(gaps)[0].days > LONG_PAUSE:
            gap, a, b = max(gaps)
            yield (
                f"CHECK: sessions of '{mouse}' pause for {gap.days} days, from {a} to {b}: are "
                "these two animals of one name? A mouse must not be in two roles."
            )


# --- patterns ----------------------------------------------------------------------------------


def _template(path: PurePosixPath, session: str, mouse: str | None) -> str:
    """Return a path with its session and, as a folder, its mouse as {session} and {mouse}."""
    parts = []
    for i, part in enumerate(path.parts):
        folder = i < len(path.parts) - 1
        if folder and part == mouse:
            parts.append("{mouse}")
            continue
        pieces = re.split(rf"(?<![A-Za-z0-9]){re.escape(session)}(?![A-Za-z0-9])", part)
        escaped = [piece.replace("{", "{{").replace("}", "}}") for piece in pieces]
        parts.append("{session}".join(escaped))
    return "/".join(parts)


def _write_patterns(found: Found, files: dict[str, dict[str, PurePosixPath]]) -> None:
    """Fill in patterns and mice; links where the files' names cannot be written as patterns."""
    sessions = files["movie"]
    folders = _mouse_folders(sessions)
    mice = folders or {session: mouse_of(session) for session in sessions}
    found.guess = "folders" if folders else "the sessions' names"
    templates = {
        kind: Counter(_template(p, s, folders and folders[s]) for s, p in paths.items())
        for kind, paths in files.items()
        if paths
    }
    (movie, n_same) = templates["movie"].most_common(1)[0]
    plain = all(NAME.fullmatch(s) for s in sessions) and "{session}" in movie
    plain &= n_same == len(sessions)
    plain &= "{mouse}" not in movie or all(_name(m) == m for m in mice.values())
    if not plain:
        _link(found, files, mice)
        return
    for kind, counts in templates.items():
        pattern, count = counts.most_common(1)[0]
        if "{session}" not in pattern:
            found.notes.append(
                f"{kind}: '{pattern}' holds no session's name, so it cannot be used."
            )
            continue
        found.patterns[kind] = f"{found.folder.replace('{', '{{').replace('}', '}}')}/{pattern}"
        for session, path in files[kind].items():
            if _template(path, session, folders and folders[session]) != pattern:
                found.notes.append(f"{kind}: {path} is named otherwise than the {count} others.")
    _set_mice(found, mice)


def _link(found: Found, files: dict[str, dict[str, PurePosixPath]], mice: dict[str, str]) -> None:
    """Name sessions anew, and write the commands that link their files to such names."""
    names: dict[str, str] = {}
    for session in files["movie"]:
        mouse, name = _name(mice[session]), _name(session)
        name = name if mouse in name else f"{mouse}_{name}"
        while not name or name in names.values():  # ü and u
            name += "x"
        names[session] = name
    for kind, paths in files.items():
        if not paths:
            continue
        suffix = Counter(path.suffix for path in paths.values()).most_common(1)[0][0]
        endings = {"movie": "", "svt": "_svt", "behavior": "_behavior", "rois": "_roi"}
        ending = endings[kind] + suffix
        found.patterns[kind] = f"links/{{session}}{ending}"
        for session, path in paths.items():
            source = shlex.quote(os.path.abspath(Path(found.folder, path)))
            found.links.append(f"ln -s {source} links/{names[session]}{ending}")
    _set_mice(found, {names[session]: mouse for session, mouse in mice.items()})


def _set_mice(found: Found, mice: dict[str, str]) -> None:
    for session, mouse in mice.items():
        found.mice.setdefault(_name(mouse).replace(".", "_") or "FILL_IN", []).append(session)
    if "FILL_IN" in found.mice:
        found.notes.append("FILL IN: the names do not say which mouse a session is of.")
    found.notes += _pauses(found.mice)


def _name(text: str) -> str:
    """Return text as a name that a config may hold: ü becomes u, a space an underscore."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", plain).strip("_.-")[:64]


def _say_what_is_missing(
    found: Found,
    files: dict[str, dict[str, PurePosixPath]],
    roles: dict[str, list[PurePosixPath]],
) -> None:
    n_sessions = len(files["movie"])
    without = [session for session in files["movie"] if session not in files["behavior"]]
    if without and files["behavior"]:
        found.notes.append(
            f"FILL IN: no behaviour found for {', '.join(without[:10])}"
            + (f" and {len(without) - 10} more" if len(without) > 10 else "")
            + "; add the files, or take the sessions out below."
        )
    elif without:
        found.notes.append(
            "FILL IN: no behaviour files found; recordings.behavior needs them (labels or speed of "
            "every frame)."
        )
    if files["rois"] and len(files["rois"]) < n_sessions:
        found.notes.append(f"ROI signals for {len(files['rois'])} of {n_sessions} sessions only.")
        found.patterns.pop("rois", None)
    used = {path for paths in files.values() for path in paths.values()}
    left = [p for paths in roles.values() for p in paths if p not in used]
    left = [p for p in left if not any(parent in used for parent in p.parents)]
    if left:
        shown = ", ".join(map(str, left[:8]))
        more = f" and {len(left) - 8} more" if len(left) > 8 else ""
        found.notes.append(f"Files not used: {shown}{more}.")


# --- the config --------------------------------------------------------------------------------


def config_text(found: Found) -> str:
    """Return a commented config; what `cohort.resolve` says against it is its first line."""
    text = "\n".join(_config_lines(found)) + "\n"
    try:
        cohort.resolve(yaml.safe_load(text))
    except UserError as error:
        text = f"# FILL IN: {error}\n{text}"
    return text


def _config_lines(found: Found) -> Iterator[str]:
    n_sessions, n_mice = sum(map(len, found.mice.values())), len(found.mice)
    words = [
        f"Written by `mesodecode init {found.folder}`, which guesses from names and opens no file.",
        f"Sessions: {n_sessions}, mice: {n_mice}. Lines with CHECK or FILL IN want your eyes.",
        *found.notes,
    ]
    if found.links:
        words.append(
            "The files' names cannot be written with {session} and {mouse}. These commands link "
            "them to names that can; run them where Snakemake runs, or rename the files:"
        )
    lines = textwrap.TextWrapper(98, initial_indent="# ", subsequent_indent="#   ")
    lines.break_on_hyphens = lines.break_long_words = False  # names and commands stay whole
    for text in words:
        yield from lines.wrap(text)
    if found.links:
        yield "#   mkdir -p links"
        yield from (f"#   {link}" for link in found.links)
    yield "# Next: snakemake qc --cores all --configfile THIS_FILE. Every key: config.yaml"
    study = _name(Path(found.folder).resolve().name).replace(".", "_") or "lab"
    yield f"study: {_scalar(study)}"
    yield "recordings:"
    svt = found.patterns.pop("svt", None)
    for kind, pattern in found.patterns.items():
        if kind == "movie" and svt:
            yield "  movie:                # SVD components, U and SVT"
            yield from (f"    - {_scalar(part)}" for part in (pattern, svt))
        else:
            yield f"  {kind}: {_scalar(pattern)}"
    if "behavior" not in found.patterns:
        yield "  # behavior: FILL IN, for example data/{session}_behavior.mat"
    yield "  frame_rate: 30        # CHECK: frames/s"
    yield f"mice:                   # CHECK: guessed from {found.guess}"
    for mouse, sessions in found.mice.items():
        yield f"  {_scalar(mouse)}:"
        yield from (f"    - {_scalar(session)}" for session in sessions)
    train = min(3, n_mice - 2)
    if train >= 1:
        yield f"allocation: {{train: {train}, valid: 1, test: 1}}   # mice a role, all combinations"
    else:
        yield f"# FILL IN: mice found: {n_mice}; to decode unseen mice takes 3 or more"
    yield "decoders:               # more in config.yaml; this one takes minutes"
    yield "  linear: {model: logistic_regression, pixels: 32, frame_step: 10}"
    yield "  # cnn: {backbone: efficientnet_lite0, pretrained: lite0, epochs: 3, batch_size: 32}"
    yield "  # cnn_gru: {start_from: cnn, rnn: gru, half_window: 5}"
    if "rois" in found.patterns:
        yield "  # roi_gru: {input: rois, rnn: gru, half_window: 15}"


def _scalar(text: str) -> str:
    """Return text as YAML writes it, in quotes where it would be read as something else."""
    line = yaml.safe_dump(text, allow_unicode=True, width=10**6).split("\n")[0]
    return f'"{text}"' if text.isdigit() else line
