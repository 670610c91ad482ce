"""Verbs of maps (see `called`)."""

from called import TABLES, Row
from mesodecode.study.targets import RUN

VERBS: dict[str, Row] = {
    "cutout": (
        "--weights w --cnn c --recordings r2 r1 --decoder d --masks edges --block 2/3 "
        "--labels-of s=t u=v --device cpu --threads 3 --fill mean --out o",
        f"{TABLES} recordings.recording recordings.baseline explain.cutout_scores "
        "decoders.device cli.decoders._label_donors",
        {},
    ),
    "cutout-check": (
        "--weights w --cnn c --recordings r2 r1 --masks edges --maps m2 m1 --truth t2 t1 "
        "--labels-of s=t u=v --device cpu --threads 3 --fill mean --out o",
        "recordings.recording recordings.baseline explain.cutout_scores explain.cutout_masks "
        "explain.map_check explain.maps decoders.device cli.decoders._label_donors",
        {},
    ),
    "cutout-check: asked for": (
        "--weights w --recordings r --masks squares --maps m --frames 70 --draws 3 --noise-draws 2 "
        "--out o",
        "recordings.recording recordings.baseline explain.cutout_scores explain.cutout_masks "
        "explain.map_check explain.maps decoders.device cli.decoders._label_donors",
        {},
    ),
    "cutout-summary": (
        "--scores b a --recording r --rois m --roi-dataset two --masks squares --name n --out o "
        "--sessions s --signed g --figure f",
        f"{TABLES} recordings.recording explain.cutout_figure explain.cutout_masks "
        "explain.cutout_tables explain.maps",
        {"explain.cutout_tables.kind_of": RUN.kind},
    ),
    "cutout-times": (
        "--scores b a --recording r --masks pairs --name n --out o --figure f",
        f"{TABLES} recordings.recording explain.cutout_times_figure explain.cutout_masks "
        "explain.cutout_tables explain.maps",
        {},
    ),
    "map-checks": (
        "--maps b a --checks d c --null-maps f e --seed-maps h g --seed-maps i --name n --out o "
        "--figure f",
        f"{TABLES} explain.check_files explain.checks_figure explain.map_verdicts explain.maps",
        {},
    ),
    "map-mice": (
        "--maps b a --null-maps d c --decoder d --name n --out o --figure f",
        f"{TABLES} explain.map_mice explain.map_mice_figure explain.maps",
        {},
    ),
    "pixels-check": (
        "--weights w --cnn c --recordings r2 r1 --background-recordings b2 b1 --maps m2 m1 "
        "--truth t2 t1 --device cpu --threads 3 --windows 7 --frames 70 --out o",
        "decoders.device explain.pixel_check explain.pixel_shap explain.maps",
        {},
    ),
    "shap": (
        "--weights w --recordings r2 r1 --background-recordings b2 b1 --decoder d --device cpu "
        "--threads 3 --windows 7 --out o",
        "decoders.device explain.shap_maps",
        {"explain.shap_maps.read_inputs": lambda *paths: paths},
    ),
    "shap-check": (
        "--weights w --recordings r2 r1 --background-recordings b2 b1 --maps m2 m1 --truth t2 t1 "
        "--device cpu --threads 3 --windows 7 --frames 70 --out o",
        "decoders.device explain.map_check explain.maps explain.shap_maps",
        {"explain.shap_maps.read_inputs": lambda *paths: paths},
    ),
    "shap-pixels": (
        "--weights w --cnn c --recordings r2 r1 --background-recordings b2 b1 --decoder d --name n "
        "--device cpu --threads 3 --windows 7 --out o --figure f",
        "base.plots decoders.device explain.pixel_figure explain.pixel_shap explain.shap_files",
        {},
    ),
    "shap-summary": (
        "--maps b a --null-maps d c --name n --out o --figure f --signed s --times t "
        "--signed-figure g --rois m --roi-dataset two --recording r",
        f"{TABLES} recordings.recording explain.cortex explain.map_measures explain.maps "
        "explain.shap_figure explain.shap_files explain.shap_tables explain.signed_figure",
        {"explain.shap_files.kind_of_unit": "ROI"},
    ),
    "shap-summary: of pixels": (
        "--maps b a --out o --figure f --signed-figure g",
        f"{TABLES} explain.maps explain.pixel_figure explain.shap_files explain.shap_tables "
        "explain.signed_figure",
        {"explain.shap_files.kind_of_unit": "area"},
    ),
    "sides: of masks": (
        "--sessions s.tsv --masks m.tsv --name n --out o --figure f",
        f"{TABLES} explain.cutout_tables explain.sides explain.sides_figure",
        {},
    ),
    "sides: of ROIs": (
        "--maps b a --mirror 25 24 --name n --out o --figure f",
        f"{TABLES} explain.maps explain.shap_files explain.shap_tables explain.sides "
        "explain.sides_figure",
        {},
    ),
    "cutout: of a decoder alone": (
        "--weights w --recordings r2 r1 --decoder d --masks edges --out o",
        f"{TABLES} recordings.recording recordings.baseline explain.cutout_scores "
        "decoders.device cli.decoders._label_donors",
        {},
    ),
    "cutout-summary: no more than asked": (
        "--scores b a --recording r --masks squares --size 0.25 --out o --sessions s --figure f",
        f"{TABLES} recordings.recording explain.cutout_figure explain.cutout_masks "
        "explain.cutout_tables explain.maps",
        {"explain.cutout_tables.kind_of": RUN.kind},
    ),
    "map-checks: of few": (
        "--maps b a --checks d c --out o --figure f",
        f"{TABLES} explain.check_files explain.checks_figure explain.map_verdicts explain.maps",
        {},
    ),
    "map-mice: without null": (
        "--maps b a --out o --figure f",
        f"{TABLES} explain.map_mice explain.map_mice_figure explain.maps",
        {},
    ),
    "shap-summary: no more than asked": (
        "--maps b a --out o --figure f",
        f"{TABLES} recordings.recording explain.cortex explain.map_measures explain.maps "
        "explain.shap_figure explain.shap_files explain.shap_tables explain.signed_figure",
        {"explain.shap_files.kind_of_unit": "ROI"},
    ),
}
