"""Look at a folder of recordings and write a commented config: sessions, mice, what is missing.

Guesses from the names of files and folders; reads headers of HDF5, MAT and NPY files where names do
not tell movies from behaviour. Ten frames of the first session are read as the config says, and its
behaviour; the frame rate is that of time stamps, where there are any. Without --out the config goes
to standard output; with it, an image of its name (.png) shows their mean and the speed, and
mesodecode.schema.json is written beside it, by which editors complete the config.

Example: mesodecode init data --out mylab.yaml
"""

from __future__ import annotations

import argparse
import io
import shlex
import sys
import tempfile
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING

from mesodecode.base.files import doubts, say

if TYPE_CHECKING:
    from mesodecode.recordings.first_look import FirstLook
    from mesodecode.study.discovery.found import Found
from mesodecode.cli import options

HELP = "folder of recordings → a first config"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with movies and behaviour")
    options.add_out(parser, "config to write (.yaml)", required=False)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError, write_text
    from mesodecode.study import editor_schema
    from mesodecode.study.discovery.config_text import LINK, config_text
    from mesodecode.study.discovery.discover import look
    from mesodecode.study.discovery.found_table import found_table
    from mesodecode.study.discovery.links import missing

    if args.out is not None and args.out.exists():
        raise UserError(f"{args.out}: is there already; name another file or take it away first")
    found = look(args.folder)
    prove(found, args.out and args.out.with_suffix(".png"))
    text = config_text(found)
    for line in found_table(found):
        say(line)
    if args.out is None:
        sys.stdout.write(text)
        return
    write_text(args.out, f"{editor_schema.MODELINE}\n{text}")
    editor_schema.write(args.out.with_name(editor_schema.NAME))
    if links := missing(found.links):
        there = len(found.links) - len(links)
        beside = f", beside {there} that are" if there else ""
        say(
            f"FILL IN: the config reads {len(links)} links that are not there yet{beside}. Make "
            f"them where you run snakemake: {LINK.format(config=shlex.quote(str(args.out)))}"
        )
    first, *_ = text.splitlines()  # what it lacks to be a config, if anything
    for note in (first.lstrip("# "), *found.notes):
        if "FILL IN" in note or "CHECK" in note:
            say(note)


def _say_lights(found: Found, seen: FirstLook) -> None:
    """Write which light source is which, as far as anything says so."""
    held = f"of light_sources {seen.lights[:6]}"
    by = f", by {seen.lights_by}" if seen.lights_by else ""
    found.corrections["signal_channel"] = seen.lights[0], f"CHECK: {held}, calcium{by}"
    if seen.alone or len(seen.lights) < 2:  # the movie holds no other
        for key in ("reference_channel", "hemodynamics"):
            found.corrections.pop(key, None)
    else:
        found.corrections["reference_channel"] = seen.lights[1], f"CHECK: {held}"


def _moved(value: object, links: str, folder: str) -> object:
    """Return a setting with patterns of links, which begin with `links`, in a folder."""
    if isinstance(value, list):
        return [_moved(one, links, folder) for one in value]
    linked = isinstance(value, str) and value.startswith(links)
    return f"{folder}/{value}" if linked else value


def prove(found: Found, figure: Path | None) -> None:
    """Read one session as the config would, and draw it; note what is wrong."""
    import yaml

    from mesodecode.base.files import UserError
    from mesodecode.recordings.first_look import look_at
    from mesodecode.recordings.first_look_figure import write
    from mesodecode.study import study as studies
    from mesodecode.study.discovery.config_text import config_text

    try:
        study = studies.resolve(yaml.safe_load(config_text(found)))
    except UserError:  # the config's first line says what is to be filled in
        return
    with tempfile.TemporaryDirectory() as folder:  # the links are for the user to make
        for source, target in found.links:
            Path(folder, target).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, target).symlink_to(source)
        if found.links:
            links = found.links[0][1].partition("/")[0] + "/"
            recordings = study.config["recordings"]
            study.config["recordings"] = {
                k: _moved(v, links, folder) for k, v in recordings.items()
            }
        # of the links, whose folder is gone
        with redirect_stderr(io.StringIO()) as said, doubts() as doubted:
            seen = look_at(study, next(iter(study.mouse_of)))
    for line in dict.fromkeys(said.getvalue().replace(f"{folder}/", "").splitlines()):
        if any(line.endswith(words) for words in doubted):
            found.notes.append(f"CHECK: {line}")
        else:
            say(line)
    seen.wrong = [line.replace(f"{folder}/", "") for line in seen.wrong]
    found.notes += [f"FILL IN: {seen.session} could not be read: {line}" for line in seen.wrong]
    for key, name in (seen.guessed_times | seen.guessed).items():
        found.settings[key] = name, "CHECK: by its name"
    if seen.lights:
        _say_lights(found, seen)
    if seen.rate is not None:
        found.settings["frame_rate"] = float(f"{seen.rate:.4g}"), "CHECK: frames/s, by time stamps"
    if seen.unit is not None:
        found.settings["frame_times_unit"] = seen.unit, "CHECK: as of imaging, 1 to 500 frames/s"
    if seen.turns > 1:
        found.notes.append(
            f"CHECK: {seen.turns} wavelengths seem to take turns in the frames of {seen.session}, "
            "by their brightness; which one is of calcium is not known: set channels, "
            "signal_channel and reference_channel under corrections."
        )
    if seen.image is None or figure is None:
        return
    found.notes.append(
        f"Of {seen.session}, {seen.n_frames} frames of {seen.size[0]} x {seen.size[1]} px: "
        f"{figure} shows the mean of the first ten, and its behaviour: is the brain upright?"
    )
    write(seen, figure)
