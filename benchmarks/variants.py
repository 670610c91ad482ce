"""Does an adaptive decoder find the preprocessing that suits a mouse? Simulated two-colour cohorts.

python benchmarks/variants.py      ten seeds of each cohort; a quarter of an hour on one core

Eight mice, seen in turn by the light that shows calcium and by one that shows blood. In a mouse of
kind `blood` something goes over the cortex in both colours; in one of kind `lamp` in the second
alone, each with a pattern of its own, which no decoder can know from other mice. Dividing by the
second colour is right for the first kind, and wrong for the second. Cohorts of both kinds: what
does the choice win of what there is to win, between the one variant that is best on average (in
hindsight) and the best of each mouse? Of one kind: what does it lose? Decoders are logistic
regressions of pixels, trained on three mice; every mouse is tested with every other validating.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from mesodecode.base.roc_auc import roc_auc
from mesodecode.decoders.fitted import linear
from mesodecode.recordings.preprocess import preprocess
from mesodecode.recordings.recording import Recording, read_recording
from mesodecode.scores.mouse_tests import mean_interval
from mesodecode.shift import measures, variant_choice
from mesodecode.simulation.simulate import RUN_SHARES, simulate_session, write_session
from mesodecode.study import mouse_allocations, schema

MARGIN = schema.properties("adaptive")["margin"]["default"]

MICE, FRAMES, SIDE, RATE, DARK = 8, 600, 32, 10.0, 100
COHORT = {
    **{"n_frames": FRAMES, "image_size": SIDE, "frame_rate": RATE, "run_signal": 0.04},
    **{"signal_radius": 0.1, "position_jitter": 0.02, "rotation_sd": 4, "dark_offset": DARK},
}
OTHER, SMOOTH = 0.1, 0.3  # SD of what is no calcium, as a share of the light; SD in time, s
TWO = {"channels": 2, "dark_offset": DARK}
RATIO = {"reference_channel": 2, "hemodynamics": "ratio"}
VARIANTS = {"raw": ({}, 16), "ratio": (RATIO, 16), "coarse": ({}, 4)}  # corrections, pixels
COHORTS = {  # kinds of mice in turn
    "both": ("blood", "lamp"),
    "one in four": ("blood", "blood", "blood", "lamp"),
    "all blood": ("blood",),
    "all lamp": ("lamp",),
}
Cohort = dict[str, dict[str, Recording]]  # mouse -> its recording by variant


def record(folder: Path, mouse: str, share: float, kind: str, seed: int) -> dict[str, Recording]:
    """Simulate a mouse; return its recording by variant."""
    settings = schema.defaults("simulate", **COHORT, seed=seed)
    made = simulate_session(mouse=mouse, session=mouse, run_share=share, **settings)
    write_session(made, folder)
    rng = np.random.default_rng([seed, int(mouse[1:])])
    pattern = gaussian_filter(rng.normal(size=(SIDE, SIDE)), 4)
    course = gaussian_filter1d(rng.normal(size=FRAMES), SMOOTH * RATE)
    other = OTHER * (course / course.std())[:, None, None] * pattern / pattern.std()
    calcium = (made.frames - float(DARK)) * np.clip(1 + other * (kind == "blood"), 0.1, None)
    light = (made.frames.mean(0) - DARK) * np.clip(1 + other, 0.1, None)
    blood = rng.poisson(light * 2) / 2  # counts; half a count a photon
    movie = np.stack([calcium, blood], axis=1).reshape(-1, SIDE, SIDE) + DARK
    tifffile.imwrite(folder / f"{mouse}.tif", np.clip(movie.round(), 0, 65535).astype(np.uint16))
    files = {
        "movie": str(folder / f"{mouse}.tif"),
        "behavior": str(folder / f"{mouse}_behavior.mat"),
    }
    found: dict[str, Recording] = {}
    for variant, (corrections, _) in VARIANTS.items():
        out = folder / f"{mouse}_{'-'.join(corrections)}.h5"
        if not out.exists():
            full = schema.defaults("corrections", **TWO, **corrections)
            about = {"session": mouse, "mouse": mouse, "frame_rate": RATE}
            preprocess(out, **about, **files, corrections=full)
        found[variant] = read_recording(out)
    return found


def passed(cohort: Cohort) -> pd.DataFrame:
    """Return a row an allocation, variant and mouse of it that was not trained on."""
    rows: dict[tuple, dict] = {}  # of sets of training mice that allocations share
    bouts = {mouse: measures.median_bout([of["raw"]]) for mouse, of in cohort.items()}
    found = []
    for one in mouse_allocations.allocate(cohort, choose="each_pair"):
        for variant, (_, pixels) in VARIANTS.items():
            if (one.train, variant) not in rows:
                train = [cohort[mouse][variant] for mouse in one.train]
                model = linear.fit_linear(train, pixels=pixels, C=1.0, frame_step=3)
                rest = [of[variant] for mouse, of in cohort.items() if mouse not in one.train]
                bout = float(np.median([bouts[mouse] for mouse in one.train]))
                made = linear.predict_linear(model, rest, pixels=pixels).items()
                rows[one.train, variant] = {
                    mouse: measures.of_probabilities(of, cohort[mouse][variant], bout)
                    | {"mouse": mouse, "decoder": variant}
                    | {"auc": roc_auc(of.label, of.probability)}
                    for mouse, of in made
                }
            of_training = rows[one.train, variant]
            found += [of_training[mouse] | {"test": one.test[0]} for mouse in one.valid + one.test]
    return pd.DataFrame(found)


def outcomes(table: pd.DataFrame) -> dict[str, float]:
    """Return mean AUCs: of the fixed variant, of what is chosen, and of the best of each mouse."""
    rows = []
    for test, mine in table.groupby("test"):
        own, others = mine[mine["mouse"] == test], mine[mine["mouse"] != test]
        auc = own.groupby("decoder")["auc"].mean()
        row = dict(auc)
        for name, margin in (("adaptive", MARGIN), ("by validation", None)):
            made = variant_choice.choose(others, own, margin)
            row[name] = auc[made.loc[made["chosen"], "decoder"].item()]
        rows.append(row)
    each = pd.DataFrame(rows)
    of_mice = each[list(VARIANTS)]
    fixed, best = of_mice.mean().max(), of_mice.max(axis=1).mean()
    return {"fixed": fixed, **each[["by validation", "adaptive"]].mean(), "best": best}


def simulated(name: str, seed: int) -> pd.DataFrame:
    """Return `passed` of a cohort."""
    kinds = COHORTS[name]
    with tempfile.TemporaryDirectory() as folder:
        cohort = {}
        for at in range(MICE):
            share, kind = RUN_SHARES[at % len(RUN_SHARES)], kinds[at % len(kinds)]
            cohort[f"m{at + 1}"] = record(Path(folder), f"m{at + 1}", share, kind, seed)
        return passed(cohort)


def summary(rows: pd.DataFrame) -> str:
    """Return a line of the table of benchmarks/README.md on the seeds of a cohort."""
    means = [f"{rows[key].mean():.3f}" for key in ("fixed", "by validation", "adaptive", "best")]
    gap, won = rows["best"] - rows["fixed"], rows["adaptive"] - rows["fixed"]
    text = f"| {rows['cohort'].iloc[0]} | {len(rows)} | {' | '.join(means)} | "
    low, high, _ = mean_interval(won.to_numpy())
    text += f"{won.mean():+.4f} ({low:+.4f} to {high:+.4f}) | "
    if gap.mean() < 0.02:
        return text + f"nothing to win; worst seed {won.min():+.4f} |"
    share = (won / gap).to_numpy()
    low, high, _ = mean_interval(share)
    return text + f"{share.mean():.2f} ({low:.2f} to {high:.2f}) of {gap.mean():.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=11, help="the rule was made on 1 to 4")
    parser.add_argument("--cohorts", nargs="+", choices=COHORTS, default=list(COHORTS))
    args = parser.parse_args()
    start, rows = time.monotonic(), []
    for name in args.cohorts:
        for seed in range(args.first, args.first + args.seeds):
            rows.append({"cohort": name, "seed": seed} | outcomes(simulated(name, seed)))
            print(
                " ".join(f"{x:.3f}" if isinstance(x, float) else str(x) for x in rows[-1].values()),
                file=sys.stderr,
                flush=True,
            )
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, "
        f"{time.monotonic() - start:.0f} s\n\n"
        "| cohort | seeds | fixed | by validation | adaptive | best of each mouse "
        "| adaptive - fixed (95 %) | won of what there is (95 %) |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for _, mine in pd.DataFrame(rows).groupby("cohort", sort=False):
        print(summary(mine))


if __name__ == "__main__":
    main()
