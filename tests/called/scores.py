"""Verbs of scores (see `called`)."""

from called import TABLES, Row
from mesodecode.study.targets import KINDS

VERBS: dict[str, Row] = {
    "calibrate": (
        "--decoders a b --predictions p --validation v --allocations t.tsv --out o --sets s "
        "--figure f",
        f"{TABLES} decoders.predictions decoders.validation scores.calibration "
        "scores.calibration_figure pandas",
        {"scores.calibration.assess": (["row"], ["set"])},  # lists, which are joined
    ),
    "reproduction": (
        "--auc a.tsv --cohort c.tsv --decoder cnn model=CNN set=x --decoder gru model=GRU --out o "
        "--figure f",
        f"{TABLES} scores.reproduction scores.reproduction_figure",
        {},
    ),
    "figures": (
        "--auc a.tsv --metric r2 --by net --where kind=x --only b a --comparisons c.tsv --name n "
        "--out f",
        f"{TABLES} scores.auc_figure scores.published_tests",
        {},
    ),
    "quality": (
        "--decoder a --predictions p --allocations t.tsv --validation v --recordings r --out o "
        "--curves c --figure f",
        f"{TABLES} decoders.predictions decoders.validation recordings.recording scores.auc "
        "scores.quality scores.quality_figure",
        {},
    ),
    "auc": (
        "--predictions b.h5 a.h5 --out o --sessions s",
        f"{TABLES} decoders.predictions scores.auc pandas",
        {},
    ),
    "chance": (
        "--auc a.tsv --null n1=d n2=d n3=e --shifts 9 --predictions p --out o",
        f"{TABLES} decoders.predictions scores.chance_tests pandas",
        {},
    ),
    "cohorts": (
        "--config c.json --auc a.tsv --out o --figure f",
        f"{TABLES} study.study scores.cohort_matrix scores.cohort_matrix_figure",
        {"study.targets.kind_named": KINDS["states"]},
    ),
    "variants": (
        "--config c.json --auc a.tsv --qc q.tsv small=r.tsv --shift s.tsv --adaptive best=b.tsv "
        "--out o --figure f",
        f"{TABLES} study.study scores.multiverse scores.multiverse_figure",
        {"study.targets.kind_named": KINDS["regression"]},
    ),
}
