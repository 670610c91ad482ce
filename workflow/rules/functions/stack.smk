"""Recurrent ROI decoders that train side by side: which, and what their jobs read. No rules."""

from mesodecode.study import stacks
from mesodecode.study.allocation import join_ids

STACKED = [
    d
    for d in STUDY.decoders.values()
    if STUDY.config["stack"]
    and stacks.may_stack(d)
    and d.name not in STUDY.config["tune"]
]
LINES = stacks.lines_of({d.name: d for d in STACKED})
GROUPS = stacks.groups_of(
    {d.name: d for d in STACKED}, STUDY.allocations.values(), list(STUDY.mice)
)
STACK_OF = {one: group for group, together in GROUPS.items() for one in together}


def together(wildcards):
    """What trains side by side in the job: decoders, and the mice that each is trained on."""
    return GROUPS.get((wildcards.decoder, wildcards.mouse), [])


def mice_of_group(wildcards):
    """All training mice of the job, in the order of the config."""
    trained = {mouse for _, mice in together(wildcards) for mouse in mice}
    return [mouse for mouse in STUDY.mice if mouse in trained]


def sets_of_group(wildcards):
    """The sets of training mice of the job."""
    return list(dict.fromkeys(join_ids(mice) for _, mice in together(wildcards)))


def decoders_of_group(wildcards):
    """The decoders of the job, with their seeds."""
    names = dict.fromkeys(name for name, _ in together(wildcards))
    return [f"{name}={STUDY.decoders[name].settings['seed']}" for name in names]


def shared_flags(wildcards):
    """The settings of the job's line as flags; training ends early where epochs are chosen."""
    decoder = STUDY.decoders[wildcards.decoder]
    return options.as_flags(decoder.settings | {"early_stopping": None}, decoder.kind)


def labels_of_group(wildcards):
    """Whose labels the recordings get, by decoder, where not their own."""
    mice = mice_of_group(wildcards)
    words = [
        f"{name}:{session}={donor}"
        for name in dict.fromkeys(name for name, _ in together(wildcards))
        for session, donor in STUDY.label_donors(name).items()
        if STUDY.mouse_of[session] in mice
    ]
    return flag_if("--labels-of", words)


def stack_of(wildcards):
    """The file that the job's decoder was trained into."""
    trained = STUDY.allocations[wildcards.allocation].train
    line, newest = STACK_OF[wildcards.decoder, trained]
    return RESULTS / f"stacks/{line}/{newest}.pt"
