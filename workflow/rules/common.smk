"""What all rules share: the checked study, paths, and command lines. No rules here."""

import json
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

PACKAGE = Path(workflow.basedir) / "workflow"
sys.path.insert(0, str(PACKAGE))

from mesodecode import cohort
from mesodecode.cli import options
from mesodecode.files import UserError
from mesodecode.provenance import code_version

try:
    for path in workflow.configfiles:
        cohort.check_duplicate_keys(path)
    STUDY = cohort.resolve(config)
except UserError as error:
    raise WorkflowError(str(error)) from None

RESULTS = Path("results") / STUDY.name

# `mesodecode` in a rule is this checkout's package, whether or not it is installed, run by the
# Python that runs Snakemake, or by that of the rule's conda environment under --sdm conda.
CONDA = any(str(m) == "conda" for m in workflow.deployment_settings.deployment_method)
PYTHON = "python" if CONDA else shlex.quote(sys.executable)
shell.prefix(  # Snakemake formats the prefix, so its braces are doubled once more
    f'mesodecode() {{{{ PYTHONPATH={shlex.quote(str(PACKAGE))} {PYTHON} -m mesodecode "$@"; }}}}; '
)


def names(kind, frozen_start=None):
    """A wildcard pattern of the decoders of a kind.

    `frozen_start` True: only those whose features a frozen decoder reads; False: only the others.
    """
    starts = {d.settings.get("start_from") for d in STUDY.decoders.values()}
    chosen = [
        name
        for name, decoder in STUDY.decoders.items()
        if decoder.kind == kind and frozen_start in (None, name in starts)
    ]
    return "|".join(chosen) or "no decoder"


wildcard_constraints:
    session="|".join(map(re.escape, STUDY.mouse_of)),
    allocation="|".join(map(re.escape, STUDY.allocations)),
    comparison="|".join(STUDY.config["comparisons"]) or "no comparison",


def recordings_of(*roles):
    """An input function: recordings of the mice with these roles in the job's allocation."""
    return lambda wildcards: [
        RESULTS / "recordings" / f"{session}.h5"
        for session in STUDY.sessions(wildcards.allocation, *roles)
    ]


def mice_with(role):
    """A params function: the mice with a role in the job's allocation."""
    return lambda wildcards: getattr(STUDY.allocations[wildcards.allocation], role)


def settings_flags(wildcards):
    """The settings of the job's decoder as flags."""
    decoder = STUDY.decoders[wildcards.decoder]
    return options.as_flags(decoder.settings, decoder.kind)


def source_files(wildcards):
    """The files of a session, as named inputs."""
    kinds = ("movie", "behavior", "rois")
    files = {kind: STUDY.source(kind, wildcards.session) for kind in kinds}
    return {kind: path for kind, path in files.items() if path}


def preprocess_flags(wildcards, input):
    """The flags of `mesodecode preprocess` for a session."""
    recordings = STUDY.config["recordings"]
    flags = {
        **{kind: input.get(kind) for kind in ("movie", "behavior", "rois")},
        "session": wildcards.session,
        "mouse": STUDY.mouse_of[wildcards.session],
        "frame-rate": recordings["frame_rate"],
        "speed-threshold": recordings["speed_threshold"],
        "image-size": STUDY.config["image_size"],
    }
    return shlex.join(f"--{k}={v}" for k, v in flags.items() if v is not None)


def features_of_start(wildcards):
    """The features file of the CNN that the job's decoder starts from."""
    start = STUDY.decoders[wildcards.decoder].settings["start_from"]
    return RESULTS / "features" / start / f"{wildcards.allocation}.h5"


def comparison_table():
    """The table of tests; none if the config compares nothing."""
    return [RESULTS / "tables/comparisons.tsv"] if STUDY.config["comparisons"] else []


def flag_if(flag, files):
    """`flag` and its files; empty where there are no files."""
    return shlex.join([flag, *files]) if files else ""
