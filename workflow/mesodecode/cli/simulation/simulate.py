"""Make a cohort of simulated mice whose truth is known, as the files a lab has.

Without --mouse it makes the whole cohort m1, m2, …; with --mouse, --session and --run-share it
makes that session alone, the same bytes as in the cohort. For each session it writes
  OUT/{session}.tif            movie, uint16 counts, one page a frame
  OUT/{session}_behavior.mat   runrest (1 = run, speed > 0.5 cm/s) and speed_rs (cm/s), 1 x frames
  OUT/{session}_roi.mat        dat_roi, mean counts in 50 ROIs, 50 x frames
  OUT/{session}_truth.h5       what was planted, for tests and reports only

Example: mesodecode simulate --mice 5 --sessions 2 --out data
"""

import argparse

from mesodecode.base.files import UserError, say
from mesodecode.cli import options

HELP = "make simulated recordings with a known truth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_out(parser, "folder to write to", written=options.FOLDER)
    parser.add_argument("--mice", type=int, metavar="N", help="mice of the cohort (default: 5)")
    parser.add_argument("--sessions", type=int, metavar="N", help="sessions a mouse (default: 2)")
    one = parser.add_argument_group("one session alone (give all three)")
    one.add_argument("--mouse", metavar="NAME", help="name of the mouse")
    one.add_argument("--session", metavar="NAME", help="name of the session, and of its files")
    one.add_argument(
        "--run-share", type=float, metavar="SHARE", help="share of frames it runs in, 0.05 to 0.95"
    )
    options.add_settings(parser, "simulate")


def run(args: argparse.Namespace) -> None:
    from mesodecode.simulation import simulate

    settings = options.settings_of(args, "simulate")
    for mouse, session, share in _sessions(args, simulate):
        made = simulate.simulate_session(mouse=mouse, session=session, run_share=share, **settings)
        simulate.write_session(made, args.out)
        say(f"{session}: {len(made.label)} frames, {made.label.mean():.0%} run, in {args.out}")


def _sessions(args: argparse.Namespace, simulate) -> list[tuple[str, str, float]]:
    one = {"--mouse": args.mouse, "--session": args.session, "--run-share": args.run_share}
    missing = [flag for flag, value in one.items() if value is None]
    if len(missing) == len(one):
        mice = 5 if args.mice is None else args.mice
        return simulate.cohort(mice, 2 if args.sessions is None else args.sessions)
    if missing:
        raise UserError(f"one session alone needs {', '.join(one)}; missing: {', '.join(missing)}")
    if args.mice is not None or args.sessions is not None:
        raise UserError("--mice and --sessions make a cohort; leave them out with --mouse")
    return [(args.mouse, args.session, args.run_share)]
