"""Verbs of recordings (see `called`)."""

from called import TABLES, Made, Row

READ = {
    "recordings.qc.read_session": lambda recording, measures: Made(
        f"({recording}, {measures})", [], settings={"binning": 1}
    )
}

VERBS: dict[str, Row] = {
    "align": (
        "--recordings b a --measures mb ma --landmarks l.tsv --atlas t.tif --transform affine "
        "--out o",
        f"{TABLES} recordings.alignment recordings.alignment_figure recordings.qc",
        READ | {"recordings.alignment.write_areas": []},
    ),
    "align: to polygons": (
        "--recordings b a --measures mb ma --landmarks l/{session}.json --atlas t.JSON --out o",
        f"{TABLES} recordings.alignment recordings.alignment_figure recordings.qc "
        "cli.recordings.align:say",
        READ | {"recordings.alignment.write_areas": ["x", "y"]},
    ),
    "common-areas": (
        '--recordings b a --names {"a":{"3":"V"}} --out o',
        "base.files recordings.harmonise",
        {"recordings.harmonise.common_areas": ["V", "M"]},
    ),
    "fetch": (
        "dandi:7@8/p --only *.x y --site s --out o",
        "recordings.fetch",
        {},
    ),
    "fetch: parts": (
        "zenodo:7 --without a/* b --out o",
        "recordings.fetch",
        {},
    ),
    "harmonise": (
        '--recording r --frame-rate 15 --areas M V --names {"3":"V"} --out o',
        "recordings.harmonise",
        {},
    ),
    "preprocess": (
        "--session s --session-name n --mouse m --image-size 64 --target x --out o --measures q "
        "--record j --revision v --movie a b --behavior c --speed-offset 2 --channels 2 --motion",
        "recordings.preprocess",
        {},
    ),
    "qc": (
        "--recordings b a --measures mb ma --table t --out o --drift 2 4",
        f"{TABLES} recordings.qc recordings.qc_figure recordings.same_frames pandas",
        {},
    ),
    "roi-correlation": (
        "--recordings b a --baseline 7 --out o --summary s --figure f",
        f"{TABLES} recordings.recording recordings.roi_correlation "
        "recordings.roi_correlation_figure",
        {},
    ),
    "harmonise: nothing": ("--recording r --out o", "recordings.harmonise", {}),
    "preprocess: no more than asked": (
        "--session s --mouse m --out o --movie a --behavior c",
        "recordings.preprocess",
        {},
    ),
    "roi-correlation: without a baseline": (
        "--recordings b a --out o --summary s --figure f",
        f"{TABLES} recordings.recording recordings.roi_correlation "
        "recordings.roi_correlation_figure",
        {},
    ),
    "fetch: a list": (
        "zenodo:7 --list",
        "recordings.fetch",
        {
            "recordings.fetch.record_files": [
                Made("file", [], name=name, size=size, checksum=f"md5:{name}")
                for name, size in (("b.mat", 2_500_000), ("a.mat", 300_000))
            ]
        },
    ),
}
