"""The methods of an encoding study in plain words, for its report, with works by key.

Each block is made of the resolved config, so that no number in it can differ from what was run.
"""

from collections.abc import Mapping
from typing import Any

from mesodecode.report.phrases import joined


def blocks(config: Mapping[str, Any], versions: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (heading, text) of every block that this study needs."""
    made = [
        ("Responses", responses(config)),
        ("Simulation", simulation() if "simulate" in config else ""),
        ("Held-out presentations", held_out(config)),
        ("Closed form", closed_form(config)),
        ("Networks", networks(config)),
        ("Scores", scores(config)),
        ("Diagnosis", diagnosis() if config["diagnose"] else ""),
        ("Software", software(config, versions)),
    ]
    return [(heading, text) for heading, text in made if text]


def responses(config: Mapping[str, Any]) -> str:
    """Return what a response is."""
    made = config["responses"]
    signal = "ΔF/F" if made["signal"] == "dff" else "events"
    over = f"{made['samples']} samples" if made["samples"] else "the samples of the presentation"
    how = {"mean": "mean", "max": "maximum"}[made["reduce"]]
    taken = [name for name, s in config["models"].items() if s["covariates"]]
    beside = {"speed": "running speed", "pupil": "pupil size"}
    words = (
        f" Covariates ({joined([beside[name] for name in made['covariates']])}; means over each "
        f"presentation) are inputs of {joined(taken)}: in closed form by the slopes of what "
        "differs between repeats of an image, in networks beside the image."
    )
    return (
        f"A response is the {how} of {signal} over {over} from {made['lag']:g} s after "
        "the start of an image. The study re-created is Berget 2023: VGG19 on V1 neurons of the "
        "Allen Brain Observatory [@devries2020]." + (words if taken else "")
    )


def simulation() -> str:
    """Return what the simulated neurons are."""
    return (
        "The neurons are simulated: Gabor filters with noise, a part of them without any response, "
        "that see images of dead leaves [@lee2001]."
    )


def held_out(config: Mapping[str, Any]) -> str:
    """Return which presentations test, validate and train."""
    folds = config["folds"]
    how = (
        f"Images are dealt to {folds['k']} folds at random (seed {folds['seed']}); one is held "
        "out, with all its repeats, the next validates and the others train."
        if folds["by"] == "images"
        else "Each session is held out in turn; a fold of the images of the others validates."
    )
    return (
        f"{how} Means and standard deviations come from training presentations alone. Closed-form "
        "models are fitted on training and validation images together, since they choose nothing "
        "by the latter."
    )


def closed_form(config: Mapping[str, Any]) -> str:
    """Return how ridge regression is made."""
    ridge = [s for s in config["models"].values() if s.get("model") == "ridge"]
    if not ridge:
        return ""
    return (
        "Ridge regression [@hoerl1970] fits the mean response to each image, the penalty of each "
        "neuron being that of least leave-one-image-out error, up to one that leaves the mean "
        "response (scikit-learn's RidgeCV)." + _screened(ridge)
    )


def networks(config: Mapping[str, Any]) -> str:
    """Return how networks are made and trained."""
    made = [s for s in config["models"].values() if "backbone" in s and "epochs" in s]
    if not made:
        return ""
    words = "Networks are trained with squared error; the epoch of lowest validation loss is kept."
    if any(s["backbone"].startswith("vgg") for s in made):
        words = f"VGG [@simonyan2015] is cut after some of its convolutions. {words}"
    if any(s["readout"] == "factorised" for s in made):
        words += (
            " A factorised readout has a spatial mask and channel weights for each neuron "
            "[@klindt2017]; on a frozen backbone each neuron has its own best epoch, from the mean "
            "response (epoch 0) on."
        )
    if any(s["readout"] == "rnn" for s in made):
        words += (
            " A readout over presentations is a layer of gated recurrent units [@cho2014] that "
            "reads the last ones; in training, held-out images among them are hidden."
        )
    if any(s["pretrained"] == "imagenet" for s in made):
        words += " Pretrained backbones have ImageNet [@deng2009] weights."
    drawn = {s["initialisation"] for s in made} | set(
        (config["sweep"] or {}).get("initialisation", [])
    )
    cited = {"kaiming": "Kaiming [@he2015]", "xavier": "Xavier [@glorot2010]"}
    named = [text for name, text in cited.items() if name in drawn]
    if named:
        words += f" Initialisation, where it is not the default: {joined(named)}."
    if any(s["optimizer"] == "adam" for s in made):
        words += " Steps are those of stochastic gradient descent with momentum, or of Adam "
        words += "[@kingma2015] where the settings say so."
    return words + _screened(made)


def _screened(models: list[Mapping[str, Any]]) -> str:
    if not any(s["screen"] for s in models):
        return ""
    return (
        " Where it says screen, neurons whose training responses do not differ between images are "
        "given their mean: what a model learned of them is noise."
    )


def scores(config: Mapping[str, Any]) -> str:
    """Return how scores and their ceilings are defined."""
    return (
        "Responsive neurons: F test of a one-way analysis of variance over images, at a false "
        "discovery rate of .05 [@benjamini1995]. With k images, n repeats of each and mean squares "
        "MSB between and MSW within images, signal variance is (MSB − MSW) / n and noise variance "
        "MSW [@sahani2003]; the ceiling of R² is signal / (signal + noise) of single trials and "
        "signal / (signal + noise / n) of averages, that of the correlation the root of the latter "
        "(CC_norm) [@schoppe2016]. R² over the mean has the error of the mean training response in "
        "place of the variance [@campbell2008]: it is 0 for who knows that mean only. Correlations "
        "are of deviations from the means of each fold. Chance: predictions given to other images "
        f"of their fold, {config['permutations']} times [@phipson2010]. Intervals are Student's; "
        "folds share training images, so that theirs are too narrow."
    )


def diagnosis() -> str:
    """Return what a diagnosis does."""
    return (
        "Each check of a diagnosis asks what only one of data, preprocessing, architecture and "
        "optimisation can fail, given that those before it pass; none but the lag, which is one of "
        "the recording, reads test presentations. "
        "Learning rates are tried by a range test [@smith2017]."
    )


def software(config: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """Return the software with its versions."""
    used = {
        "snakemake": "Snakemake {} [@molder2021]",
        "scikit-learn": "scikit-learn {} [@pedregosa2011]",
    }
    used["scipy"] = "SciPy {} [@virtanen2020]"
    if any("backbone" in s and "epochs" in s for s in config["models"].values()):
        used |= {"torch": "PyTorch {} [@paszke2019]", "timm": "timm {} [@wightman2019]"}
    named = [text.format(versions.get(name, "")).replace("  ", " ") for name, text in used.items()]
    return f"Made with {joined(named)}, in Python {versions.get('Python', '')}."
