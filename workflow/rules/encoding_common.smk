"""What the rules of encoding studies share: the checked study, paths, and flags. No rules here."""

import json

from mesodecode.cli import options
from mesodecode.encoding import study as encoding

STUDY = checked(encoding.resolve)
RESULTS = Path("results") / STUDY.name
GPU = gpus(STUDY)
SIMULATED = "simulate" in STUDY.config
NETWORKS = STUDY.networks
READOUTS = [name for name in NETWORKS if STUDY.models[name].settings["frozen"]]
LINEAR = [name for name in STUDY.models if name not in NETWORKS]
DIAGNOSED = STUDY.config["diagnose"]
SWEEP = STUDY.config["sweep"]
FIRST = next(iter(STUDY.folds))  # the fold of diagnoses and of the sweep
WEIGHTS = Path("results/weights")  # of ImageNet: the same for all studies
FETCHED = {
    model.settings["backbone"]
    for model in STUDY.models.values()
    if model.settings["pretrained"] == "imagenet"
}


wildcard_constraints:
    session="|".join(STUDY.sessions),
    fold="|".join(map(re.escape, STUDY.folds)),
    chunk=r"\d+",


def session_files(session):
    """The files of a session as the config names them, None where it has none of a kind."""
    return {kind: STUDY.source(kind, session) for kind in ("file", "events")}


def files_of_responses(wildcards):
    """The files of a session as named inputs."""
    session = wildcards.session
    return {
        kind: as_compared(path, session)
        for kind, path in session_files(session).items()
        if path
    }


def responses_of(*folds):
    """The responses that folds need: those of their training and test sessions."""
    chosen = [STUDY.folds[fold] for fold in folds]
    needed = dict.fromkeys(s for fold in chosen for s in (*fold.train, fold.test))
    return [RESULTS / f"responses/{session}.h5" for session in needed]


def fold_flags(*folds):
    """How presentations are held out, as flags."""
    settings = STUDY.config["folds"]
    words = ["--responses", *map(str, responses_of(*folds)), "--by", settings["by"]]
    words += ["--folds", str(settings["k"]), "--fold-seed", str(settings["seed"])]
    return shlex.join(words)


def model_settings(name):
    """The settings of a model; its ImageNet weights are read from the file that is fetched."""
    settings = dict(STUDY.models[name].settings)
    if settings["pretrained"] == "imagenet":
        settings["pretrained"] = f"file:{WEIGHTS}/{settings['backbone']}.pt"
    return settings


def model_flags(name):
    """The settings of a model as flags."""
    return options.as_flags(model_settings(name), STUDY.models[name].kind)


def first_weights(name):
    """The file of a model's first weights; none where they are packaged or random."""
    kind, _, path = model_settings(name)["pretrained"].partition(":")
    return [path] if kind == "file" else []


def sweep_flags():
    """What the sweep varies, as flags."""
    words = ["--learning-rates", *map(str, SWEEP["learning_rate"])]
    words += [
        "--momenta",
        *map(str, SWEEP["momentum"]),
        "--l2s",
        *map(str, SWEEP["l2"]),
    ]
    return shlex.join([*words, "--initialisations", *SWEEP["initialisation"]])


def drawn():
    """The figures of the report."""
    names = ["scores", *(f"loss_{name}" for name in NETWORKS)]
    names += ["sweep"] if SWEEP else []
    names += [f"diagnosis_{name}" for name in DIAGNOSED]
    return [RESULTS / f"figures/{name}.svg" for name in names]


def figure_tables(wildcards):
    """What a figure is drawn of."""
    kind, _, name = wildcards.figure.partition("_")
    return {
        "scores": [
            RESULTS / f"tables/encoding_{t}.tsv" for t in ("neurons", "summary")
        ],
        "loss": [RESULTS / f"models/{name}/{fold}.history.tsv" for fold in STUDY.folds],
        "sweep": [RESULTS / "tables/sweep.tsv"],
        "diagnosis": [
            RESULTS / f"diagnosis/{name}_{t}.tsv"
            for t in ("neurons", "layers", "rates")
        ],
    }[kind]
