"""Verbs of controls without neurons (see `called`)."""

from called import TABLES, Made, Row
from mesodecode.study.targets import KINDS

VERBS: dict[str, Row] = {
    "confounds": (
        "--controls b.tsv a.tsv --auc auc.tsv --out o --figure f",
        f"{TABLES} confounds.control_verdicts confounds.confounds_figure pandas",
        {"study.targets.kind_scored": KINDS["regression"]},
    ),
    "control-signals": (
        "--recordings r --brain-mask b.png --vessel-mask v.png --out o",
        "recordings.recording confounds.signals",
        {"recordings.recording.with_labels_of": ["r1", "r2"]},
    ),
    "decode-controls": (
        "--signals m.h5 --train-mice a b --valid-mice c --test-mice d e --windows x=2,-3 y=4 "
        "--out o",
        f"{TABLES} confounds.controls confounds.signals",
        {"confounds.signals.read": [Made(m, [], mouse=m) for m in "abcde"]},
    ),
}
