"""A decoding study: its config, checked and filled; what rules of several stages use. No rules."""

import json

from mesodecode.cli import options
from mesodecode.study import study as studies
from mesodecode.study.kinds import FITTED, KINDS

STUDY = checked(studies.resolve)
RESULTS = Path("results") / STUDY.name
# Tables and figures of the report, to which each file of rules adds its own.
SHOWN_TABLES, SHOWN_FIGURES = [], []
WEIGHTS = Path("results/weights")  # of ImageNet: the same for all studies
FETCHED = [
    d.settings["backbone"]
    for d in STUDY.decoders.values()
    if d.settings.get("pretrained") == "imagenet"
]


wildcard_constraints:
    session="|".join(map(re.escape, STUDY.mouse_of)) or "no session",
    mouse="|".join(map(re.escape, STUDY.mice)) or "no mouse",
    # not the ids themselves: Snakemake scans a pattern of 380 of them for every file
    allocation=r"train-[\w+-]+\.valid-[\w+-]+\.test-[\w+-]+",
    training=r"train-[\w+-]+(\.tuned-[\w+-]+)?",
    variant="|".join(STUDY.variants) or "no variant",


# GPUs of a job that trains or applies a CNN, or trains on its features. ROI decoders are small: on
# one core a training takes 25 minutes (benchmarks/README.md), less than a GPU is waited for.
GPU = gpus(STUDY)


def gpu_of_network(wildcards):
    """GPUs of a job that applies the job's decoder: none but for networks of images."""
    decoder = STUDY.decoders[wildcards.decoder]
    start = STUDY.decoders.get(decoder.settings.get("adapted_from"), decoder)
    return GPU if KINDS[start.kind].image_network else 0


def is_frozen(decoder):
    """Whether a CNN-RNN reads the features of a frozen CNN."""
    return decoder.settings.get("cnn_weights") == "frozen"


def feeds_frozen(decoder):
    """Whether a frozen CNN-RNN reads the features of this CNN."""
    others = [d for d in STUDY.decoders.values() if is_frozen(d)]
    return any(other.settings["start_from"] == decoder.name for other in others)


def passes_images(decoder):
    """Whether a network is applied to images themselves, not to kept features or ROI signals."""
    return KINDS[decoder.kind].image_network and not is_frozen(decoder)


def has(wanted):
    """Whether the study has a decoder that is `wanted`."""
    return any(map(wanted, STUDY.decoders.values()))


def names(kind, wanted=lambda decoder: True):
    """A wildcard pattern of the decoders of a kind that are `wanted`."""
    return names_of(lambda decoder: decoder.kind == kind and wanted(decoder))


def names_of(wanted):
    """A wildcard pattern of the decoders that are `wanted`."""
    chosen = [d.name for d in STUDY.decoders.values() if wanted(d)]
    return "|".join(chosen) or "no decoder"


def model_file(decoder, allocation="{allocation}"):
    """The file of a decoder's model of an allocation."""
    suffix = KINDS[decoder.kind].suffix
    return RESULTS / f"models/{decoder.name}/{allocation}{suffix}"


def applied(decoder):
    """The decoders whose models a decoder applies: itself, unless it is an adapted one."""
    if decoder.kind in ("average", "adaptive"):
        return []
    if decoder.kind != "adapted":
        return [decoder]
    start = STUDY.decoders[decoder.settings["adapted_from"]]
    cnn = [STUDY.decoders[start.settings["start_from"]]] if is_frozen(start) else []
    return [start, *cnn]


def recordings_folder(decoder):
    """The folder of the recordings that a decoder reads: the study's own, or those of a variant."""
    return folder_of(STUDY.variant(decoder))


def folder_of(variant=None):
    """The folder of the recordings of the study itself, or of a variant."""
    inside = "" if variant is None else f"variants/{variant}/"
    return f"{RESULTS}/{inside}recordings"


def recordings_listed(mouse, variant=None):
    """The recordings that the list of a mouse stands for, as the study or a variant has them."""
    return [f"{folder_of(variant)}/{session}.h5" for session in STUDY.mice[mouse]]


def lists_of(mice, decoder=None):
    """The list of recordings of each mouse, of the study itself or as a decoder reads them.

    Jobs that read many mice depend on these.

    Five lists in the place of 64 recordings: what Snakemake takes to plan a study grows with the
    jobs times their inputs.
    """
    folder = recordings_folder(decoder) if decoder else folder_of()
    return [f"{folder}/{mouse}.txt" for mouse in mice]


# The time is the first line of a list: Snakemake takes what is newer and says the same for unchanged, so
# that after a run that was stopped what it had not made anew would stay as it was.
TIME = "date -u '+# %Y-%m-%dT%H:%M:%SZ'"


def predicted_by(decoders):
    """The file of each decoder that says when its predictions were there, of all allocations.

    One in the place of them in each job that reads all.
    """
    return [RESULTS / f"predicted/{decoder}.txt" for decoder in decoders]


def predictions_listed(decoder):
    """The files that stand behind that one."""
    return expand(
        RESULTS / "{role}/{decoder}/{allocation}.h5",
        role=["predictions", "validation"],
        decoder=decoder,
        allocation=STUDY.allocations,
    )


def allocation_of(wildcards):
    """The job's allocation, or one of those that share its training: they train the same mice."""
    if "training" in wildcards.keys():
        sharing = STUDY.trainings(wildcards.decoder)[wildcards.training]
        return STUDY.allocations[sharing[0]]
    return STUDY.allocations[wildcards.allocation]


def recordings_of(*roles):
    """An input function: the recordings of the mice with these roles in the job's allocation."""
    return lambda wildcards: lists_of(
        (mouse for role in roles for mouse in getattr(allocation_of(wildcards), role)),
        wildcards.decoder,
    )


def mice_with(*roles):
    """A params function: the mice with these roles in the job's allocation."""
    return lambda wildcards: [
        mouse
        for role in roles
        for mouse in getattr(STUDY.allocations[wildcards.allocation], role)
    ]


def settings_flags(wildcards):
    """The settings of the job's decoder as flags."""
    decoder = STUDY.decoders[wildcards.decoder]
    return options.as_flags(decoder.settings, decoder.kind)


def labels_of(*roles):
    """A params function: whose labels the recordings of these roles get, where not their own."""

    def flags(wildcards):
        allocation = allocation_of(wildcards)
        return labels_of_mice(
            wildcards, [m for role in roles for m in getattr(allocation, role)]
        )

    return flags


def labels_of_mice(wildcards, mice):
    """Whose labels the recordings of these mice get, where not their own."""
    donors = STUDY.label_donors(wildcards.decoder)
    sessions = [s for mouse in mice for s in STUDY.mice[mouse]] if donors else []
    return flag_if("--labels-of", [f"{s}={donors[s]}" for s in sessions])


def flag_if(flag, files):
    """`flag` and its files; empty where there are no files."""
    return shlex.join([flag, *files]) if files else ""
