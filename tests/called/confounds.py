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
        "--recordings r2 r1 --brain-mask b2.png b1.png --vessel-mask v.png --out o",
        "recordings.recording confounds.signals",
        {"recordings.recording.with_labels_of": ["r1", "r2"]},
    ),
    "decode-controls": (
        "--signals n.h5 m.h5 --train-mice a b --valid-mice c f --test-mice d e "
        "--windows x=2,-3 y=4 z=0 --baseline 7 --out o",
        f"{TABLES} confounds.controls confounds.signals",
        {
            "confounds.signals.read": lambda path: [
                Made(f"{m} of {path}", [], mouse=m) for m in "abcdef"
            ]
        },
    ),
    "control-signals: without masks": (
        "--recordings r2 r1 --out o",
        "recordings.recording confounds.signals",
        {"recordings.recording.with_labels_of": ["r1", "r2"]},
    ),
}
