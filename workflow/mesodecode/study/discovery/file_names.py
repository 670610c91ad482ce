"""How labs name files and folders: the words of a name, and what each of them says.

A name is cut at separators, and where a date, a time or a numbered word begins. What a word says
is its kind; which kinds tell animals apart, and which only sessions, parts or versions of one
animal, is known to the modules that ask (`mice_of_names`, `discover`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import PurePosixPath

from mesodecode.base.name_dates import MONTHS

# Words of names, in lower case.
BEHAVIOR = {
    *("behavior", "behaviour", "behav", "beh", "labels", "states", "runrest", "running", "speed"),
    *("velocity", "locomotion", "wheel", "treadmill", "encoder", "rotary", "ball", "position"),
}
RECORDERS = {
    *("timeline", "bpod", "daq", "wavesurfer", "analog", "recorder", "virmen", "sync", "ttl"),
    *("arduino", "teensy", "trials", "events", "ephys", "harp"),
}
ROIS = {"roi", "rois"}
TIMES = {"times", "timestamps", "timestamp", "frametimes"}
ASIDE = {
    *("mask", "masks", "dark", "mean", "average", "avg", "background", "atlas", "truth", "max"),
    *("landmarks", "info", "params", "parameters", "settings", "meta", "metadata", "header"),
    *("notes", "log", "rcoeffs", "transform", "tform", "allen", "ccf", "snapshot", "preview"),
    *("std", "projection", "vessels", "vasculature", "opts", "bregma", "summary", "shifts"),
    *("stimulus", "stimuli", "licks", "rotation", "readme", "handles"),
}
CAMERAS = {
    *("face", "facecam", "eye", "eyecam", "pupil", "body", "bodycam", "whisker", "dlc", "side"),
    *("leftcamera", "rightcamera", "bodycamera", "webcam", "behavcam", "behaviorcam"),
}
MOVIE = {
    *("movie", "stack", "frame", "frames", "imaging", "images", "image", "img", "video", "ome"),
    *("mmstack", "widefield", "wf", "default", "cam", "camera", "recording", "delta", "deltaf"),
}
SPATIAL = {"u", "spatial"}
TEMPORAL = {"svt", "v", "vc", "rsvc", "temporal"}
SVD = {"svd", "components", "component", "reduced", "disc"}
FOLDERS = {
    *("data", "movies", "videos", "subjects", "mice", "animals", "sessions", "recordings", "alf"),
    *("results", "analysis", "tif", "tiff", "tiffs", "h5", "hdf5", "mat", "npy", "nwb", "ophys"),
    *("and", "of", "the", "with", "task"),
}
# What was done to a movie -> how far it has come; of two versions the later one is taken.
MADE = {
    **dict.fromkeys(("backup", "bak", "copy", "kopie", "duplicate"), -1),
    **dict.fromkeys(("raw", "orig", "original", "unprocessed"), 0),
    **dict.fromkeys(("uncorrected",), 1),
    **dict.fromkeys(("registered", "reg", "aligned", "mc", "moco", "motion", "cropped"), 2),
    **dict.fromkeys(("binned", "downsampled", "resized", "denoised", "filtered", "filt"), 2),
    **dict.fromkeys(("preprocessed", "preproc", "processed", "proc", "normalized", "final"), 3),
    **dict.fromkeys(("dff", "dfof", "dfoverf", "deltaf", "df", "detrended"), 4),
    **dict.fromkeys(("corrected", "corr", "hemocorrected", "haemocorrected"), 5),
}
# Light -> 0 shows calcium, 1 not known, 2 blood by reflection, 3 blood by the same indicator.
LIGHTS = {
    **dict.fromkeys(("blue", "cyan", "fluo", "fluorescence", "calcium", "gcamp", "signal"), 0),
    **dict.fromkeys(("465", "470", "473", "475", "480", "488", "490"), 0),
    **dict.fromkeys(("green", "amber", "orange", "yellow", "red", "infrared", "ir", "nir"), 2),
    **dict.fromkeys(("reflectance", "525", "530", "532", "560", "561", "565", "590", "594"), 2),
    **dict.fromkeys(("617", "625", "630", "635", "640", "660"), 2),
    **dict.fromkeys(("violet", "purple", "uv", "isosbestic", "isos", "reference", "ref"), 3),
    **dict.fromkeys(("hemo", "haemo", "hemodynamics", "hemodynamic", "haemodynamics"), 3),
    **dict.fromkeys(("385", "390", "395", "400", "405", "410", "415", "420"), 3),
}
CONDITIONS = {
    *("pre", "post", "before", "after", "baseline", "base", "saline", "sal", "vehicle", "veh"),
    *("cno", "dcz", "drug", "ketamine", "psilocybin", "anesthesia", "anesthetized", "isoflurane"),
    *("iso", "awake", "sleep", "rest", "resting", "run", "spont", "spontaneous", "evoked", "stim"),
    *("stimulation", "visual", "vis", "auditory", "aud", "tactile", "somatosensory", "odor"),
    *("odour", "task", "passive", "active", "training", "trained", "naive", "expert", "learning"),
    *("habituation", "hab", "test", "testing", "opto", "laser", "sham", "early", "late", "on"),
    *("off", "morning", "evening", "am", "pm", "first", "second", "third", "retinotopy", "retino"),
    *("grating", "gratings", "novel", "familiar", "reward", "lick", "session", "ses", "rec"),
    *("exp", "experiment", "trial", "trials", "day", "acq", "scan", "new", "old", "repeat"),
}
COUNTED = {
    *("s", "ses", "sess", "session", "run", "rec", "recording", "day", "d", "trial", "exp"),
    *("experiment", "block", "week", "wk", "month", "acq", "acquisition", "scan", "take", "rep"),
    *("repeat", "epoch", "visit", "dpi", "fov", "loc", "site", "area", "pos", "position", "plane"),
    *("depth", "series", "seq", "stim", "movie", "img", "image", "stack", "video", "file", "part"),
    *("chunk", "split", "v", "version"),
}
SUBJECTS = {"sub", "subj", "subject", "mouse", "maus", "animal", "id", "rat"}
LETTERED = re.compile(r"(?i:subj|subject|mouse|maus|animal|rat)[A-Z]")  # mouseA
GROUPS = re.compile(  # what holds several animals, as a folder's name
    r"(cohort|group|grp|batch|line|strain|rig|setup|box|lab|project|study|set|user|drive|vol)\w?\d*"
    r"|wt|ko|het|hom|ctrl|control|controls|mutants?|males?|females?|c57\w*|bl6\w*|(ai|gp|emx|thy|"
    r"rasgrf|cux|snap|camk2?a?)\d+\w*|gcamp\w*|pv|sst|vip|20\d\d",
    re.I,
)
EARS = re.compile(r"\d?[lrbn]{1,2}\d?|l\d?r\d?|r\d?l\d?|non?e?|left|right|both|nt|nm", re.I)

_MONTH = (
    r"(?P<b>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_LATER = r"[-_. ,]+20\d\d"  # a year in four digits is near: two digits before it are none
_YEAR, _DAY = r"(?P<y>20\d\d)", r"(?P<d>\d\d?)"
DATES = [
    re.compile(pattern, re.I)
    for pattern in (
        rf"{_YEAR}(?P<s>[-_. ]?)(?P<m>[01]\d)(?P=s)(?P<d>[0-3]\d)(?=\d{{4}}(?:\d\d)?(?!\d)|(?!\d))",
        rf"{_YEAR}[-_. ]?{_MONTH}[-_. ]?{_DAY}(?!\d)",
        rf"{_DAY}[-_. ]?{_MONTH}[-_. ,]*(?P<y>20\d\d|[123]\d(?!{_LATER}))(?!\d)",
        rf"{_MONTH}[-_. ]?{_DAY}[-_. ,]+{_YEAR}(?!\d)",
        rf"(?P<d>[0-3]\d)(?P<s>[-_.]?)(?P<m>[01]\d)(?P=s){_YEAR}(?!\d)",
        rf"(?P<m>[01]\d)(?P<s>[-_.]?)(?P<d>[0-3]\d)(?P=s){_YEAR}(?!\d)",
        r"(?P<y>[123]\d)(?P<s>[-_.]?)(?P<m>[01]\d)(?P=s)(?P<d>[0-3]\d)(?!\d|(?!T\d{4})[^\W_]{2}|[-_.]20\d\d)",
        r"(?P<d>[0-3]\d)(?P<s>[-_.]?)(?P<m>[01]\d)(?P=s)(?P<y>[12]\d)(?!\d|(?!T\d{4})[^\W_]{2}|[-_.]20\d\d)",
    )
]
TIME = re.compile(
    r"[Tt]?(?:[01]\d|2[0-3])(?P<s>[-_.:h]?)[0-5]\d(?:(?:(?P=s)|m)[0-5]\ds?)?(?:\.\d+)?(?![^\W_])"
)
CLOCK = re.compile(  # a time that needs no date before it
    r"(?:[01]\d|2[0-3])(?:h[0-5]\d(?:m[0-5]\ds?)?|([-_.])[0-5]\d\1[0-5]\d)(?![^\W_])|T\d{6}(?!\d)"
)
PREFIXED = re.compile(r"(?P<word>[^\W\d_]+)(?P<sep>[-_. #]?)(?P<n>\d+)(?![^\W_])")
BIDS = re.compile(r"(?P<key>sub|ses)-(?P<value>[^\W_]+)")
SUBJECT = re.compile(  # with a time glued to it or not: mouse_1T091500
    r"(?P<word>[^\W\d_]+)[-_ ](?P<value>[^\W_]+?)(?=T\d{6}(?![^\W_])|(?![^\W_]))"
)
HYPHENED = re.compile(r"(?P<word>[^\W\d_]+)-\d+(?![^\W_])")
CHUNK = re.compile(r"[^\W_]+")
_NUMBERED = "day|run|ses|sess|session|trial|rec|exp|block|week|acq"
GLUED = re.compile(
    rf"(?P<a>.*\d)(?P<b>(?i:{_NUMBERED})\d+)|(?P<c>.*[a-z])(?P<d>(?:{_NUMBERED.title()})\d+)|"
    r"(?P<g>.*)(?P<h>T\d{6})|"
    r"(?P<e>[A-Za-z]{1,2}\d+)(?P<f>[sd]\d+)"
)
CAMEL = re.compile(r"SVT|SVD|ROIs?|dFF|dFoF|DFF|[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|\d+")
_NAMED = ("name", "subject", "number")
_COUNTING = ("date", "time", "count", "light", "condition")  # kinds before a number that counts
FLAT = re.compile(r"[-_](\d+[-_]){2,3}(u?int\d+|float\d+|single|double)")  # labcams' sizes
LIGHT_TABLE = "*LightSource.properties*.htsv"  # of ALF: which light source is of which wavelength
LETTERS = {"G": 2, "R": 2, "B": 0, "V": 3}  # lights where files of two are beside each other


@dataclass(frozen=True)
class Token:
    """A word of a name: its text, kind, value (equal for two spellings of one thing) and place.

    Kinds: date, time, count (of sessions, days, runs …), condition, light, made (what was done to
    a movie), role (what kind of file it is), and what may name an animal: subject ("sub-01",
    "mouse 3"), number and name.
    """

    text: str
    kind: str
    value: str
    start: int
    end: int


def words(text: str) -> set[str]:
    """Return the words of a name in lower case, those of camelCase too."""
    chunks = CHUNK.findall(text)
    pieces = [piece for chunk in chunks for piece in CAMEL.findall(chunk)]
    bare = [chunk.rstrip("0123456789") for chunk in chunks]
    return {word.lower() for word in (*chunks, *pieces, *bare) if word}


def tokens(text: str) -> list[Token]:
    """Return the words of the name of a folder, or of a file without its suffix, in order."""
    found: list[Token] = []
    position = 0
    while position < len(text):
        if not CHUNK.match(text, position):
            position += 1
            continue
        new = list(_next(text, position, found[-1] if found else None))
        found += new
        position = new[-1].end
    return found


def _next(text: str, at: int, before: Token | None) -> Iterator[Token]:
    """Yield the token or tokens that begin at a place of a name."""
    after = before.kind if before else ""
    glued = after == "date" and before.end == at
    time = TIME.match(text, at)
    if time and (after == "date" or (after == "count" and len(time[0]) == 6)):
        yield _token(time, "time", re.sub(r"\D", "", time[0]))
    elif dated := _date(text, at):
        yield dated
    elif time := CLOCK.match(text, at):
        yield _token(time, "time", re.sub(r"\D", "", time[0]))
    elif glued and (letter := re.compile(r"[a-z](?![^\W_])").match(text, at)):
        yield _token(letter, "count", letter[0])  # 20240101b
    elif entity := BIDS.match(text, at):
        kind = "subject" if entity["key"] == "sub" else "count"
        yield _token(entity, kind, entity[0].lower())
    elif (numbered := PREFIXED.match(text, at)) and (kind := _counted(numbered)):
        word = numbered["word"].lower()
        yield _token(numbered, kind, f"{word}{int(numbered['n'])}")
    elif (hyphened := HYPHENED.match(text, at)) and _one_word(hyphened):
        yield _token(hyphened, "name", _value(hyphened[0].replace("-", "")))
    elif (named := SUBJECT.match(text, at)) and _names_subject(named):
        yield _token(named, "subject", re.sub(r"\W|_", "", named[0].lower()))
    else:
        yield from _chunk(text, at)


def _token(match: re.Match[str], kind: str, value: str) -> Token:
    return Token(match[0], kind, value, match.start(), match.end())


def _date(text: str, at: int) -> Token | None:
    """Return the date that begins at a place of a name, if it is one of the calendar."""
    for pattern in DATES:
        if not (match := pattern.match(text, at)):
            continue
        parts = match.groupdict()
        year = int(parts["y"]) + (2000 if len(parts["y"]) == 2 else 0)
        month = parts.get("m") or MONTHS.index(parts["b"][:3].lower()) + 1
        try:
            day = date(year, int(month), int(parts["d"]))
        except ValueError:
            continue
        return _token(match, "date", day.isoformat())
    return None


def _counted(match: re.Match[str]) -> str:
    word = match["word"].lower()
    if match["n"].startswith("20") and _date(match.string, match.start("n")):
        return ""  # mouse 20240101, day20240101
    if word in SUBJECTS:
        return "subject"
    if word in COUNTED and (len(word) > 1 or not match["sep"]):
        return "count"
    return ""


def _one_word(match: re.Match[str]) -> bool:
    """Whether a hyphen joins letters and a number, where other signs are between words."""
    others = "_" in match.string or " " in match.string or match[0] == match.string
    dated = _date(match.string, match.end("word") + 1)
    return others and not dated and _kind(match["word"]) == "name"


def _names_subject(match: re.Match[str]) -> bool:
    """Whether "mouse anna" is one; "mouse run", "sub day 3" and "mouse 20240101" are not."""
    follows = match["value"]
    return (
        match["word"].lower() in SUBJECTS - {"id"}
        and not _date(match.string, match.start("value"))
        and not PREFIXED.fullmatch(follows)
        and _kind(follows) in ("name", "number")
    )


def _chunk(text: str, at: int) -> Iterator[Token]:
    whole = CHUNK.match(text, at)
    assert whole is not None
    chunk = whole[0]
    for cut in range(1, len(chunk)):  # a date within: mouse20240101
        begins = not chunk[cut - 1].isdigit() and chunk[cut : cut + 2] == "20"
        if begins and _date(text, at + cut):
            chunk = chunk[:cut]
            break
    if match := GLUED.fullmatch(chunk):
        first, second = (part for part in match.groups() if part is not None)
        yield Token(first, _kind(first), _value(first), at, at + len(first))
        yield Token(second, "count", _value(second), at + len(first), at + len(chunk))
    else:
        yield Token(chunk, _kind(chunk), _value(chunk), at, at + len(chunk))


def _value(chunk: str) -> str:
    """Return a word in lower case, its number without zeros in front."""
    return re.sub(r"\d+", lambda number: str(int(number[0])), chunk.lower())


def _kind(chunk: str) -> str:
    low = chunk.lower()
    if light_of(chunk) is not None:
        return "light"
    if low.isdecimal():
        return "number"
    if LETTERED.fullmatch(chunk):
        return "subject"
    pieces = [piece.lower() for piece in CAMEL.findall(chunk)]
    letters = [piece for piece in pieces if not piece.isdecimal()]
    known = BEHAVIOR | RECORDERS | ROIS | TIMES | ASIDE | MOVIE | SVD | FOLDERS | CAMERAS
    known |= {word for word in SPATIAL | TEMPORAL if len(word) > 1}
    bare = low.rstrip("0123456789")
    for whole in ([low], letters):
        single = SPATIAL | TEMPORAL if len(whole) > 1 else set()  # blueV
        if whole and all(word in known | single | set(MADE) | set(LIGHTS) for word in whole):
            made = any(word in MADE for word in whole)
            if len(letters) < len(pieces) and not made and whole == letters:
                continue  # frames2
            return "made" if made else "role"
    if low in CONDITIONS or bare in CONDITIONS:
        return "condition"
    return "count" if bare in known and bare != low else "name"


def light_of(chunk: str) -> int | None:
    """Return what a word says of the light (see LIGHTS), None if it is none."""
    low = re.sub(r"^(led|ex|em)(?=\d{3})|(?<=\d{3})nm$", "", chunk.lower())
    if low in LIGHTS:
        return LIGHTS[low]
    if re.fullmatch(r"(ch|chan|channel|led|cam|camera)\d+", low):
        return 1
    mixed = re.fullmatch(r"([a-z]+)(\d{3})|(\d{3})([a-z]+)", low)  # blue470
    if mixed and all(part in LIGHTS for part in mixed.groups() if part):
        return LIGHTS[next(part for part in mixed.groups() if part)]
    return None


def parsed(path: PurePosixPath, stem: str) -> list[list[Token]]:
    """Return the words of each folder of a path, and of the file's name `stem`.

    Folders of a year, a month and a day are a date.
    """
    named = [tokens(part) for part in (*path.parent.parts, stem)]
    day = ""  # of folders above: a year, or a year and a month
    for level, component in enumerate(named):
        text = path.parent.parts[level] if level < len(path.parent.parts) else stem
        if re.fullmatch(r"20\d\d([-_.][01]\d)?", text):
            day = re.sub(r"[_.]", "-", text)
            component[:] = [Token(text, "date", day, 0, len(text))]
        elif len(day) in (4, 7) and re.fullmatch(r"[0-3]?\d", text):
            day = f"{day}-{int(text):02}"
            component[:] = [Token(text, "date", day, 0, len(text))]
        else:
            day = ""
    return counted(named)


def counted(named: list[list[Token]]) -> list[list[Token]]:
    """Return words with numbers that count sessions told from others by what is before them.

    After a date, a time, a light, a condition or another count, across folders too; not those of
    three digits without a zero in front. Below a date, what may be a time is one.
    """
    told, before, dated = [], None, False
    for component in named:
        told.append([])
        for token in component:
            counts = len(token.text) < 3 or token.text[0] == "0"
            if token.kind == "number" and before in _COUNTING and counts:
                token = replace(token, kind="count")
            elif token.kind == "number" and dated and before and _clock(token.text, before):
                token = replace(token, kind="time")
            told[-1].append(token)
            before, dated = token.kind, dated or token.kind == "date"
    return told


def _clock(text: str, before: str) -> bool:
    """Whether a number is a time of day: of six digits, or of four behind the name of an animal."""
    timed = len(text) == 6 or (len(text) == 4 and before in (*_NAMED, "time"))
    return timed and bool(TIME.fullmatch(text))


def text_of(kept: Sequence[Token], within: str) -> str:
    """Return words as they stand in a name if they follow each other there, else joined by _."""
    if not kept:
        return ""
    span = within[kept[0].start : kept[-1].end]
    if len(tokens(span)) == len(kept):
        return span
    return "_".join(token.text for token in kept)
