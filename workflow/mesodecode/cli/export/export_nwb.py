"""Write what a study found as NWB files, one a session, for other tools.

Example: mesodecode export-nwb --config results/demo/config.json
--recordings results/demo/recordings --predictions results/demo/predictions --out results/demo/nwb

OUT/{session}.nwb holds states (run, rest; s), speed (m/s), ROI signals, and the probability of run
by every decoder and allocation in which the session's mouse is the test mouse. In the workflow it
is `snakemake export`, which `snakemake` without a target does not run.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mesodecode.cli import options

if TYPE_CHECKING:
    from mesodecode.study.study import Study

HELP = "states, speed, ROI signals and predictions → NWB files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_file(parser, "--config", "the study (YAML or JSON)")
    options.add_folder(parser, "--recordings", "FOLDER/{session}.h5")
    options.add_folder(parser, "--predictions", "FOLDER/{decoder}/{allocation}.h5")
    words = (
        "FOLDER/{session}.h5 of `mesodecode preprocess --measures`, for the size (px) that ROI "
        "masks are drawn in (without it: signals without their masks)"
    )
    options.add_folder(parser, "--measures", words, required=False)
    add("--session", nargs="+", metavar="NAME", help="only these, or MOUSE/NAME (default: all)")
    add("--decoders", nargs="*", metavar="NAME", help="only these decoders (default: all)")
    options.add_out(parser, "folder to write", written=options.FOLDER)
    options.add_settings(parser, "nwb")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.progress import Progress
    from mesodecode.decoders import predictions
    from mesodecode.export import nwb_export
    from mesodecode.export.nwb_metadata import read_metadata
    from mesodecode.recordings.qc_measures import read_measures
    from mesodecode.recordings.recording import read_recording
    from mesodecode.study import study as studies

    settings = options.settings_of(args, "nwb")
    study = studies.load(args.config)
    sessions = _sessions(args.session, study, str(args.config))
    decoders = _chosen(args.decoders, study.decoders, f"{args.config}: no decoder")
    metadata = read_metadata(sessions, study.by_id, settings)
    with Progress(len(sessions), "sessions", "exporting") as progress:
        for mouse, names in study.mice.items():
            own = [name for name in names if name in sessions]
            tested = [a for a in study.allocations.values() if own and mouse in a.test]
            items = [  # read once for all sessions of the mouse
                predictions.read(args.predictions / decoder / f"{allocation.id}.h5", of_any=True)
                for decoder in decoders
                for allocation in tested
            ]
            for name in own:
                recording = read_recording(args.recordings / f"{name}.h5")
                size = None
                if args.measures is not None:
                    size = read_measures(args.measures / f"{name}.h5")["recorded"].mean.shape
                nwb_export.export(
                    args.out / f"{name}.nwb",
                    recording,
                    items,
                    study,
                    metadata[name],
                    settings,
                    size,
                )
                progress.update(1)


def _sessions(asked: list[str] | None, study: Study, config: str) -> list[str]:
    """Return the ids of the sessions asked for, of all if None."""
    from mesodecode.study import session_ids

    chosen = None
    if asked is not None:
        known = study.by_id.values()
        found = [(name, session_ids.one_named(name, known, config)) for name in asked]
        chosen = [session.id if session else name for name, session in found]
    return _chosen(chosen, study.by_id, f"{config}: no session")


def _chosen(asked: list[str] | None, known: dict, fault: str) -> list[str]:
    """Return the names asked for, all known ones if None."""
    from mesodecode.base.files import UserError

    for name in asked or []:
        if name not in known:
            raise UserError(f"{fault} '{name}'; known: {', '.join(known)}")
    return list(known) if asked is None else asked
