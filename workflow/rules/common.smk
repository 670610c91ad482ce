"""What the rules of decoding studies share: the checked study, paths, and flags. No rules here."""

import glob
import json

from mesodecode.study import control_table, importance, schema, session_ids
from mesodecode.study import study as studies
from mesodecode.study.kinds import KINDS, explained_by
from mesodecode.cli import options
from mesodecode.base.files import matching

STUDY = checked(studies.resolve)
RESULTS = Path("results") / STUDY.name
# Tables and figures of the report, to which each file of rules adds its own.
SHOWN_TABLES, SHOWN_FIGURES = [], []


def is_frozen(decoder):
    """Whether a CNN-RNN reads the features of a frozen CNN."""
    return decoder.settings.get("cnn_weights") == "frozen"


def feeds_frozen(decoder):
    """Whether a frozen CNN-RNN reads the features of this CNN."""
    others = [d for d in STUDY.decoders.values() if is_frozen(d)]
    return any(other.settings["start_from"] == decoder.name for other in others)


def passes_images(decoder):
    """Whether a decoder is applied to images themselves, not to kept features or ROI signals."""
    if not KINDS[decoder.kind].image_network:
        return False
    return not (feeds_frozen(decoder) or is_frozen(decoder))


def names(kind, wanted=lambda decoder: True):
    """A wildcard pattern of the decoders of a kind that are `wanted`."""
    return names_of(lambda decoder: decoder.kind == kind and wanted(decoder))


def names_of(wanted):
    """A wildcard pattern of the decoders that are `wanted`."""
    chosen = [d.name for d in STUDY.decoders.values() if wanted(d)]
    return "|".join(chosen) or "no decoder"


# Networks are trained for epochs, of which there is a figure.
NETWORKS = [d.name for d in STUDY.decoders.values() if "epochs" in d.settings]
COMPARISONS = STUDY.config["comparisons"]
IMPORTANCE = STUDY.config["importance"]
# Decoders that have maps: those explained, and those whose maps these are compared with.
MAPPED = {
    name
    for line in IMPORTANCE.values()
    for name in (line["decoder"], line.get("null_decoder"), *line.get("seeds", []))
    if name
}
OWN = [name for name, c in COMPARISONS.items() if "source" not in c]
FIGURES = [*COMPARISONS, *(["all"] if STUDY.decoders and not OWN else [])]
REPRODUCTION = STUDY.config["reproduction"]
CUTOUTS = [
    name
    for name, line in IMPORTANCE.items()
    if importance.kind_of(line) == "importance_cutout"
]
SHAPS = [name for name in IMPORTANCE if name not in CUTOUTS]
# analyses in which each side is compared with the other
SIDED = [
    name
    for name, line in IMPORTANCE.items()
    if line.get("mirror") or line.get("masks") in importance.SIDED
]
SHIFTS = STUDY.config["circular_shifts"]
# Probabilities learnt from labels of other sessions are right of nothing.
CALIBRATED = [
    name
    for name, decoder in STUDY.decoders.items()
    if decoder.settings.get("labels", "own") == "own"
]
SHIFTED = STUDY.config["shift"]["decoders"]  # of which the shift report speaks
# Allocations with several test mice share some, for which there is no test.
INFERRED = [
    name
    for name, c in COMPARISONS.items()
    if "source" in c or STUDY.config["allocation"]["test"] == 1
]


wildcard_constraints:
    session="|".join(map(re.escape, STUDY.mouse_of)) or "no session",
    mouse="|".join(map(re.escape, STUDY.mice)) or "no mouse",
    # not the ids themselves: Snakemake scans a pattern of 380 of them for every file
    allocation=r"train-[\w+-]+\.valid-[\w+-]+\.test-[\w+-]+",
    comparison="|".join([*COMPARISONS, "all"]),


# GPUs of a job that trains or applies a CNN, or trains on its features. ROI decoders are small: on
# one core a training takes 25 minutes (benchmarks/README.md), less than a GPU is waited for.
GPU = gpus(STUDY)


def gpu_of_network(wildcards):
    """GPUs of a job that applies the job's decoder: none but for networks of images."""
    decoder = STUDY.decoders[wildcards.decoder]
    start = STUDY.decoders.get(decoder.settings.get("adapted_from"), decoder)
    return GPU if KINDS[start.kind].image_network else 0


def lists_of(mice):
    """The list of recordings of each mouse; jobs that read many mice depend on these.

    Five lists in the place of 64 recordings: what Snakemake takes to plan a study grows with the
    jobs times their inputs.
    """
    return [f"{RESULTS}/recordings/{mouse}.txt" for mouse in mice]


def recordings_of(*roles):
    """An input function: the recordings of the mice with these roles in the job's allocation."""
    return lambda wildcards: lists_of(
        mouse
        for role in roles
        for mouse in getattr(STUDY.allocations[wildcards.allocation], role)
    )


def mice_with(role):
    """A params function: the mice with a role in the job's allocation."""
    return lambda wildcards: getattr(STUDY.allocations[wildcards.allocation], role)


def settings_flags(wildcards):
    """The settings of the job's decoder as flags."""
    decoder = STUDY.decoders[wildcards.decoder]
    return options.as_flags(decoder.settings, decoder.kind)


def searched_config(wildcards):
    """What a search of settings reads of the config, as JSON: mice, and one decoder."""
    tables = ("study", "mice", "exclude", "allocation", "recordings")
    config = {key: STUDY.config[key] for key in tables}
    for key in ("decoders", "tune"):
        config[key] = {wildcards.decoder: STUDY.config[key][wildcards.decoder]}
    return json.dumps(config)


def tuned_for(wildcards):
    """The settings that were searched for, for the test mice of the job; none if none were."""
    test = STUDY.allocations[wildcards.allocation].joined("test")
    tuned = wildcards.decoder in STUDY.config["tune"]
    return [f"{RESULTS}/tune/{wildcards.decoder}/test-{test}.json"] if tuned else []


def tuned_flag(wildcards, input):
    """The same as a flag."""
    return flag_if("--tuned", input.tuned)


def mice_beside(test):
    """The mice that train or validate where `test`, mice joined by "+", are the test mice."""
    beside = [a for a in STUDY.allocations.values() if a.joined("test") == test]
    seen = {mouse for a in beside for mouse in a.train + a.valid}
    return [mouse for mouse in STUDY.mice if mouse in seen]


WEIGHTS = Path("results/weights")  # of ImageNet: the same for all studies
FETCHED = [
    d.settings["backbone"]
    for d in STUDY.decoders.values()
    if d.settings.get("pretrained") == "imagenet"
]


def cnn_settings(decoder):
    """The settings of a CNN; its ImageNet weights are read from the file that is fetched."""
    settings = dict(STUDY.decoders[decoder].settings)
    if settings["pretrained"] == "imagenet":
        settings["pretrained"] = f"file:{WEIGHTS}/{settings['backbone']}.pt"
    return settings


def cnn_flags(wildcards):
    """The settings of the job's CNN as flags."""
    return options.as_flags(cnn_settings(wildcards.decoder), "cnn")


def first_weights(wildcards):
    """The file of a CNN's first weights; none where they are packaged or random, or of no CNN."""
    if STUDY.decoders[wildcards.decoder].kind != "cnn":
        return []
    kind, _, path = cnn_settings(wildcards.decoder)["pretrained"].partition(":")
    fetched = STUDY.decoders[wildcards.decoder].settings["pretrained"] == "imagenet"
    return [path, *([f"{path}.sha256"] if fetched else [])] if kind == "file" else []


# Keys of `recordings` that name files.
SOURCES = session_ids.OWN_FILES
CORRECTION_FILES = ("dark_frame", "brain_mask")  # keys of `corrections` that do


def source_files(wildcards):
    """The files of a session that the config names, as named inputs.

    ROI files count whether or not a decoder reads them: the first ROI decoder must not change the
    recordings, or all networks would be trained again.
    """
    session = wildcards.session
    return {
        kind: as_compared(on_disk(paths), session)
        for kind, paths in session_files(session).items()
        if paths
    }


def session_files(session):
    """The files of a session as the config names them, None where it has none of a kind."""
    return {kind: STUDY.source(kind, session) for kind in (*SOURCES, *CORRECTION_FILES)}


def on_disk(paths):
    """The files that a path of the config stands for: it may be a pattern, or a list."""
    given = paths if isinstance(paths, list) else [paths]
    return [str(path) for name in given for path in matching(name)]


def files_to_fetch():
    """The files of all sessions that the config names one by one."""
    paths = [STUDY.source(kind, s) for kind in SOURCES for s in STUDY.mouse_of]
    named = [
        p
        for path in paths
        if path
        for p in (path if isinstance(path, list) else [path])
    ]
    return sorted({path for path in named if not glob.has_magic(path)})


def preprocess_flags(wildcards):
    """The flags of `mesodecode preprocess` for a session."""
    session = STUDY.by_id[wildcards.session]
    flags = {
        **{key: STUDY.config["recordings"][key] for key in schema.flags("recordings")},
        **{kind: STUDY.source(kind, wildcards.session) for kind in SOURCES},
        "session": session.id,
        "session_name": session.name if session.name != session.id else None,
        "mouse": session.mouse,
        "image_size": STUDY.config["image_size"],
    }
    words = []
    for key, value in flags.items():
        dashed = key.replace("_", "-")
        if value is not None:
            words += (
                [f"--{dashed}", *value]
                if isinstance(value, list)
                else [f"--{dashed}={value}"]
            )
    words = [shlex.join(words), correction_flags(wildcards), revision_flag(session.id)]
    return " ".join(filter(None, words))


def correction_flags(wildcards):
    """The corrections as flags, with the files of this session; nothing where there are none."""
    files = {kind: STUDY.source(kind, wildcards.session) for kind in CORRECTION_FILES}
    settings = STUDY.config["corrections"] | files
    if settings == schema.defaults("corrections"):
        return ""
    return options.as_flags(settings, "corrections")


def weights_of_start(wildcards):
    """The weights of the CNN that the job's decoder starts from."""
    start = STUDY.decoders[wildcards.decoder].settings["start_from"]
    return RESULTS / "models" / start / f"{wildcards.allocation}.pt"


def features_of_start(wildcards):
    """The features file of the CNN that the job's decoder starts from."""
    start = STUDY.decoders[wildcards.decoder].settings["start_from"]
    return RESULTS / "features" / start / f"{wildcards.allocation}.h5"


def networks_of_start(wildcards):
    """The models that an adapted decoder applies: one file, or two of a frozen CNN's decoder."""
    first, *cnn = [
        model_file(start, wildcards.allocation)
        for start in applied(STUDY.decoders[wildcards.decoder])
    ]
    return {"weights": first, **({"cnn": cnn} if cnn else {})}


def files_of_members(wildcards):
    """What the job's decoder averages: predictions of test mice, and of validation mice."""
    return {
        role: expand(
            RESULTS / role / "{member}/{allocation}.h5",
            member=STUDY.decoders[wildcards.decoder].settings["average_of"],
            allocation=wildcards.allocation,
        )
        for role in ("predictions", "validation")
    }


def labels_of(*roles):
    """A params function: whose labels the recordings of these roles get, where not their own."""

    def flags(wildcards):
        donors = STUDY.label_donors(wildcards.decoder)
        sessions = STUDY.sessions(wildcards.allocation, *roles) if donors else []
        return flag_if("--labels-of", [f"{s}={donors[s]}" for s in sessions])

    return flags


def correlation_baseline():
    """The baseline of the first ROI decoder, for the correlation of signals and behaviour."""
    frames = [decoder.settings["baseline"] for decoder in STUDY.roi_decoders][:1]
    return f"--baseline {frames[0]}" if frames and frames[0] else ""


def maps_of(key):
    """An input function: the maps of the decoders that an importance analysis has as `key`."""

    def files(wildcards):
        line = IMPORTANCE[wildcards.importance]
        named = line.get(key) or []
        cut = wildcards.importance in CUTOUTS
        return expand(
            rules.cutout.output if cut else rules.shap.output,
            importance=wildcards.importance,
            decoder=[named] if isinstance(named, str) else named,
            allocation=STUDY.allocations,
            block=range(1, line["blocks"] + 1) if cut else None,
        )

    return files


def checks_of(wildcards):
    """What the maps of the decoder that an importance analysis explains are checked by."""
    return expand(
        RESULTS / "importance/{importance}/{decoder}/{allocation}.check.h5",
        importance=wildcards.importance,
        decoder=IMPORTANCE[wildcards.importance]["decoder"],
        allocation=STUDY.allocations,
    )


def companion_flags(wildcards, input):
    """The maps that a map is compared with, as flags: of permuted labels, and of each seed."""
    line = IMPORTANCE[wildcards.importance]
    n = len(STUDY.allocations) * line.get("blocks", 1)
    seeds = [input.seeds[start : start + n] for start in range(0, len(input.seeds), n)]
    words = [flag_if("--null-maps", input.null)]
    return " ".join(words + [flag_if("--seed-maps", maps) for maps in seeds])


def truth_of_test(wildcards):
    """What is planted in the test recordings, if they are simulated with these ROIs."""
    recordings = STUDY.config["recordings"]
    if "simulate" not in STUDY.config or recordings["roi_masks"]:
        return []
    return expand(
        RESULTS / "simulated/{session}_truth.h5",
        session=STUDY.sessions(wildcards.allocation, "test"),
    )


def background_recordings(wildcards):
    """The recordings of training mice that a background is drawn from, if from these."""
    from_train = IMPORTANCE[wildcards.importance]["background_from"] == "train"
    return recordings_of("train")(wildcards) if from_train else []


def importance_flags(wildcards):
    """The settings of an importance analysis as flags."""
    line = IMPORTANCE[wildcards.importance]
    return options.as_flags(line, importance.kind_of(line))


def model_file(decoder, allocation="{allocation}"):
    """The file of a decoder's model of an allocation."""
    suffix = KINDS[decoder.kind].suffix
    return RESULTS / f"models/{decoder.name}/{allocation}{suffix}"


def cutout_inputs(wildcards):
    """What a cut-out reads: a decoder, which may be of two files, and areas drawn by hand."""
    decoder = STUDY.decoders[wildcards.decoder]
    sessions = STUDY.sessions(wildcards.allocation, "test")
    files = {
        "weights": model_file(decoder, wildcards.allocation),
        "recordings": recordings_of("test")(wildcards),
        "areas": areas_of(wildcards.importance, sessions),
        "cnn": [],
    }
    if is_frozen(decoder):
        files["cnn"] = [weights_of_start(wildcards)]
    return files


def areas_of(name, sessions):
    """The files of areas that a cut-out hides in sessions; none where it makes its masks."""
    masks = IMPORTANCE[name]["masks"]
    if masks in importance.MASKS:
        return []
    named = [STUDY.filled(masks, s) for s in sessions]
    return list(dict.fromkeys(named))


def cutout_picture(wildcards):
    """What the figure of a cut-out is drawn on: a session, and where its ROIs are."""
    session = next(iter(STUDY.mouse_of))
    rois = STUDY.source("roi_masks", session)
    if "simulate" in STUDY.config:
        rois = rois or RESULTS / f"simulated/{session}_truth.h5"
    return {
        "recording": RESULTS / f"recordings/{session}.h5",
        "areas": areas_of(wildcards.importance, [session]),
        "rois": [rois] if rois else [],
    }


def sided_inputs(wildcards):
    """What left and right are compared of: the tables of a cut-out, or the maps of SHAP."""
    name = wildcards.importance
    if name in CUTOUTS:
        table = RESULTS / f"tables/importance_{name}"
        return {"sessions": [f"{table}_sessions.tsv"], "masks": [f"{table}.tsv"]}
    return {"maps": maps_of("decoder")(wildcards)}


def sided_flags(wildcards, input):
    """The files that left and right are compared of, as flags, and which ROIs are mirrored."""
    files = " ".join(flag_if(f"--{kind}", paths) for kind, paths in input.items())
    mirror = IMPORTANCE[wildcards.importance].get("mirror", [])
    pairs = [mirror] if isinstance(mirror, int) else [f"{a}:{b}" for a, b in mirror]
    return f"{files} {flag_if('--mirror', list(map(str, pairs)))}"


# Masks that controls need, as keys of `confounds` and as flags.
CONTROL_MASKS = ("brain_mask", "vessel_mask")


def control_inputs(wildcards):
    """What the control signals of a mouse are taken from: its recordings, and masks of them."""
    sessions = STUDY.mice[wildcards.mouse]
    given = STUDY.config["confounds"]
    brain = given["brain_mask"] or STUDY.config["corrections"]["brain_mask"]
    if "simulate" in STUDY.config:
        brain = brain or f"{RESULTS}/simulated/{{session}}_truth.h5"
    patterns = {"brain_mask": brain, "vessel_mask": given["vessel_mask"]}
    masks = {
        kind: [STUDY.filled(pattern, s) for s in sessions]
        for kind, pattern in patterns.items()
        if pattern
    }
    return {"recordings": [f"{RESULTS}/recordings/{s}.h5" for s in sessions], **masks}


def control_windows():
    """The windows of the decoders that controls are held against, as words of a command line."""
    names = STUDY.config["confounds"]["decoders"] if STUDY.decoders else []
    windows = {name: control_table.window(name, STUDY.decoders) for name in names}
    return [f"{name}={half},{shift}" for name, (half, shift) in windows.items()]


def comparison_table(wildcards):
    """The tests of a comparison; none if the config compares nothing."""
    tables = expand(
        RESULTS / "tables/comparisons/{name}.tsv", name=wildcards.comparison
    )
    return tables if wildcards.comparison in COMPARISONS else []


def auc_compared(wildcards):
    """The AUCs that a comparison reads: the study's own, or those of its source."""
    comparison = COMPARISONS.get(wildcards.comparison, {})
    return comparison.get("source", RESULTS / "tables/auc.tsv")


def sessions_compared(wildcards):
    """The AUCs of the sessions of a comparison; none where its source is a table."""
    own = "source" not in COMPARISONS[wildcards.comparison]
    return [RESULTS / "tables/session_auc.tsv"] if own else []


def family_flags(wildcards):
    """Which rows of the AUCs a comparison takes, and under which name.

    All decoders where the config compares nothing.
    """
    everything = {"decoders": STUDY.decoders}
    comparison = COMPARISONS.get(wildcards.comparison, everything)
    chosen = [f"{key}={value}" for key, value in comparison.get("where", {}).items()]
    words = ["--by", comparison.get("by", "decoder"), "--only", *comparison["decoders"]]
    return f"{shlex.join(words)} {flag_if('--where', chosen)} --name {wildcards.comparison}"


def protocol_flags(wildcards):
    """Whether a comparison is of decoders that have different things of their test mice."""
    across = COMPARISONS[wildcards.comparison]["across_protocols"]
    return "--across-protocols" if across else ""


def setting_flags(wildcards):
    """The number that the decoders of a comparison differ by, if there is one."""
    name = wildcards.comparison
    found = STUDY.ordered_by(name) if name in COMPARISONS else None
    if not found:
        return ""
    setting, values = found
    numbers = [f"{value:g}" for value in values]
    rate = STUDY.config["recordings"]["frame_rate"]
    known = "" if "source" in COMPARISONS[name] else f" --frame-rate {rate}"
    return f"{shlex.join(['--setting', setting, '--values', *numbers])}{known}"


def model_files(wildcards):
    """The models that a decoder consists of, of all allocations; of an average none.

    Of an adapted one those that it applies, and the CNN that these read.
    """
    decoder = STUDY.decoders[wildcards.decoder]
    return [
        path
        for start in applied(decoder)
        for path in expand(model_file(start), allocation=STUDY.allocations)
    ]


def applied(decoder):
    """The decoders whose models a decoder applies: itself, unless it is an adapted one."""
    if decoder.kind == "average":
        return []
    if decoder.kind != "adapted":
        return [decoder]
    start = STUDY.decoders[decoder.settings["adapted_from"]]
    cnn = [STUDY.decoders[start.settings["start_from"]]] if is_frozen(start) else []
    return [start, *cnn]


def features_folder(decoder):
    """The folder of kept features, where a decoder or a frozen one on it reads some; None if not."""
    settings = STUDY.decoders[decoder].settings
    start = settings.get("start_from", decoder)
    return RESULTS / "features" / start if feeds_frozen(STUDY.decoders[start]) else None


def features_files(wildcards):
    """The kept features of a decoder, of all allocations; none if there are none."""
    folder = features_folder(wildcards.decoder)
    files = [folder / "{allocation}.h5"] if folder else []
    return expand(files, allocation=STUDY.allocations)


def shift_flags(wildcards):
    """What the features of `mesodecode shift` are of, and its settings."""
    name = wildcards.decoder
    decoder = STUDY.decoders[name]
    folders = [f"{RESULTS}/models/{each.name}" for each in applied(decoder)]
    words = [flag_if("--models", folders[:1]), flag_if("--cnn", folders[1:])]
    if decoder.kind == "adapted":
        words.append(flag_if("--adapted", [json.dumps(decoder.settings)]))
    folder = features_folder(name)
    words.append(flag_if("--features", [str(folder)] if folder else []))
    return " ".join(
        [*filter(None, words), options.as_flags(STUDY.config["shift"], "shift")]
    )


def reproduction_flags():
    """Which published decoder is whose."""
    words = [
        ["--decoder", name, *(f"{key}={value}" for key, value in where.items())]
        for name, where in REPRODUCTION.items()
    ]
    return " ".join(map(shlex.join, words))


def chance_flags():
    """What `mesodecode chance` compares decoders with."""
    nulls = [f"{null}={name}" for name, made in STUDY.nulls.items() for null in made]
    shifts = f"--shifts {SHIFTS} --predictions {RESULTS / 'predictions'}"
    return f"{flag_if('--null', nulls)} {shifts if SHIFTS else ''}"


def flag_if(flag, files):
    """`flag` and its files; empty where there are no files."""
    return shlex.join([flag, *files]) if files else ""
