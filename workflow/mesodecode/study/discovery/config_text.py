"""A first config of the recordings that `discover` found, with comments on what was guessed."""

import math
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import yaml

from mesodecode.base.files import UserError
from mesodecode.study import study
from mesodecode.study.discovery.found import Found
from mesodecode.study.discovery.links import missing
from mesodecode.study.discovery.session_patterns import named

MANY = 6  # mice above which all combinations are more than a first study needs: 6 have 120


def config_text(found: Found) -> str:
    """Return a commented config; what `study.resolve` says against it is its first line."""
    text = "\n".join(_lines(found)) + "\n"
    try:
        study.resolve(yaml.safe_load(text))
    except UserError as error:
        text = f"# FILL IN: {error}\n{text}"
    return text


RATE = 30, "CHECK: frames/s of one wavelength"  # where no time stamps say it
KEYS = {  # kind of file -> key of `recordings`
    "movie_mask": "movie_mask",
    "behavior": "behavior",
    "rois": "rois",
    "areas": "roi_masks",
    "times": "frame_times",
    "lights": "light_sources",
}
# What makes the links, whose commands stand in the config as comments.
LINK = "sed -nE 's/^#   ((mkdir|ln) .*)/\\1/p' {config} | sh -e"


def _lines(found: Found) -> Iterator[str]:
    yield from _comments(found)
    yield f"study: {_scalar(named(Path(found.folder).resolve().name).replace('.', '_') or 'lab')}"
    yield from _recordings(found)
    yield from _corrections(found)
    n_mice = len(found.mice)
    yield f"mice:                   # CHECK: guessed from {found.guess}"
    for mouse, sessions in found.mice.items():
        yield f"  {_scalar(mouse)}:"
        yield from (f"    - {_scalar(session)}" for session in sessions)
    train = min(3, n_mice - 2)
    if n_mice > MANY:
        yield f"allocation: {{train: {train}, valid: 1, test: 1, choose: each_test}}   # mice"
    elif train >= 1:
        yield f"allocation: {{train: {train}, valid: 1, test: 1}}   # mice a role, all combinations"
    else:
        yield f"# FILL IN: mice found: {n_mice}; to decode unseen mice takes 3 or more"
        yield "allocation: {train: 1, valid: 1, test: 1}   # mice a role, all combinations"
    yield "decoders:               # more in config.yaml; this one takes minutes"
    yield "  linear: {model: logistic_regression, pixels: 32, frame_step: 10}"
    yield "  # cnn: {backbone: efficientnet_lite0, pretrained: lite0, epochs: 3, batch_size: 32}"
    yield "  # cnn_gru: {start_from: cnn, rnn: gru, half_window: 5}"
    if found.patterns.keys() & {"rois", "areas"}:
        yield "  # roi_gru: {input: rois, rnn: gru, half_window: 15}"


def _comments(found: Found) -> Iterator[str]:
    n_sessions, n_mice = sum(map(len, found.mice.values())), len(found.mice)
    words = [
        f"Written by `mesodecode init {found.folder}`, which guesses: from names, seldom headers.",
        f"Sessions: {n_sessions}, mice: {n_mice}. Lines with CHECK or FILL IN want your eyes.",
        *found.notes,
    ]
    links = missing(found.links)
    if links:
        words.append(
            "Not all names of files can be written with {session} and {mouse}. These commands link "
            "them to names that can; rename the files, or run the commands where Snakemake runs:"
        )
    lines = textwrap.TextWrapper(98, initial_indent="# ", subsequent_indent="#   ")
    lines.break_on_hyphens = lines.break_long_words = False  # names and commands stay whole
    for text in words:
        yield from lines.wrap(text)
    if links:
        yield f"# {LINK.format(config='THIS_FILE')}"
        yield from (f"#   {command}" for command in commands(links))
    yield "# Next: snakemake qc --cores all --configfile THIS_FILE. Every key: config.yaml"


def commands(links: list[tuple[str, str]]) -> Iterator[str]:
    """Yield what makes links, of files and their names, in a shell."""
    made = {""}
    for source, target in links:
        parent, _, name = target.rpartition("/")
        if parent not in made:
            yield f"mkdir -p {parent}"
            made.add(parent)
        own = name == PurePosixPath(source).name
        yield f"ln -s {shlex.quote(source)} {f'{parent}/' if own else target}"


def _recordings(found: Found) -> Iterator[str]:
    yield "recordings:"
    movie = found.patterns["movie"]
    if len(movie) == 1:
        yield f"  movie: {_scalar(movie[0])}"
    else:
        yield "  movie:"
        yield from (f"    - {_scalar(part)}" for part in movie)
    unit = found.settings.get("frame_times_unit", ("s",))[0]
    comment = {"times": f"CHECK: {unit}, a value a frame", "lights": "CHECK: a value a frame"}
    for kind, key in KEYS.items():
        if kind in found.patterns:
            yield _line(f"  {key}: {_scalar(found.patterns[kind][0])}", comment.get(kind, ""))
    if "behavior" not in found.patterns:
        yield "  # behavior: FILL IN, for example data/{session}_behavior.mat"
    for key, (value, comment) in found.settings.items():
        yield _line(f"  {key}: {_value(value)}", comment)
    if "frame_rate" not in found.settings:
        yield _line(f"  frame_rate: {RATE[0]}", RATE[1])


def _corrections(found: Found) -> Iterator[str]:
    if found.corrections:
        yield "corrections:            # every key: workflow/schemas/tables/corrections.yaml"
        for key, (value, comment) in found.corrections.items():
            yield _line(f"  {key}: {_value(value)}", comment)


def _line(text: str, comment: str) -> str:
    return f"{text}   # {comment}" if comment else text


def _value(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=math.inf).split("\n")[0]


def _scalar(text: str) -> str:
    """Return text as YAML writes it, in quotes where it would be read as something else."""
    line = yaml.safe_dump(text, allow_unicode=True, width=math.inf).split("\n")[0]
    return f'"{text}"' if text.isdigit() else line
