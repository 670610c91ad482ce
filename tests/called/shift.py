"""Verbs of shift between mice (see `called`)."""

from called import TABLES, Made, Row
from mesodecode.study.targets import KINDS, RUN

VERBS: dict[str, Row] = {
    "shift-report": (
        '--shift b.tsv a.tsv --images i.tsv --sessions s.tsv --thresholds {"rotation":[1,2]} '
        "--out o --figure f",
        f"{TABLES} shift.shift_verdicts shift.shift_figure pandas",
        {"study.targets.kind_scored": KINDS["regression"]},
    ),
    "cohort-shift": (
        "--config c.json --shift s.tsv --out o",
        f"{TABLES} study.study study.cohort_table shift.cohort_losses",
        {"study.targets.kind_scored": RUN.kind},
    ),
    "adaptive": (
        "--choice c.tsv --predictions b.h5 a.h5 --of-validation vb.h5 va.h5 --decoder best "
        "--validation v --out o",
        f"{TABLES} decoders.predictions decoders.validation shift.variant_choice study.protocols "
        "dataclasses",
        {
            "decoders.predictions.read": lambda path: Made(
                str(path), [], decoder=path.stem, test_mouse=f"mouse of {path}"
            ),
            "shift.variant_choice.chosen_of": "a",
            "study.protocols.chosen": lambda each, by: [*each, by],
        },
    ),
    "image-shift": ("--recordings b a --out o", f"{TABLES} recordings.recording shift.images", {}),
}
