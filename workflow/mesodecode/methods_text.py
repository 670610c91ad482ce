"""The methods of a study in plain words, for its report: one function a block, numbers as set.

Each block is made of the resolved config, so that no number in it can differ from what was run.
Works are cited as `mesodecode.references` reads them: ``[@holm1979]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mesodecode import cohort as studies
from mesodecode import inference, schema

# Works behind a setting of decoders that are told apart by it.
WORKS_OF = {
    ("rnn", "gru"): "cho2014",
    ("rnn", "lstm"): "hochreiter1997",
    ("rnn", "rnn"): "elman1990",
    ("bidirectional", True): "schuster1997",
    ("model", "linear_svm"): "cortes1995",
    ("model", "gradient_boosting"): "friedman2001",
}
CELLS = {
    "gru": "gated recurrent units (GRU) [@cho2014]",
    "lstm": "long short-term memory units (LSTM) [@hochreiter1997]",
    "rnn": "simple recurrent units (tanh) [@elman1990]",
}
CLASSICAL = {
    "logistic_regression": "L2-penalised logistic regression",
    "linear_svm": "a linear support vector machine [@cortes1995]",
    "ridge": "ridge classification",
    "gradient_boosting": "gradient-boosted trees [@friedman2001]",
}
KINDS = {
    "linear": "Linear decoders of pixels",
    "cnn": "Convolutional networks",
    "cnn_rnn": "Recurrent networks on a CNN",
    "roi_rnn": "Recurrent networks on ROI signals",
    "roi_classical": "Classical decoders of ROI signals",
    "average": "Averages of decoders",
}
# Settings that the words of a kind are made of; others are listed where they are not the default.
_TRAINING = {"epochs", "batch_size", "max_lr", "frame_step", "seed"}
_RNN = {"rnn", "half_window", "hidden_size", "num_layers", "bidirectional", "dropout"}
_ROI = {"shift", "baseline", "normalise", "rois", "others", "labels", "half_window"}
SPOKEN = {
    "linear": {"model", "pixels", "C", "frame_step"},
    "cnn": _TRAINING | {"backbone", "pretrained"},
    "cnn_rnn": _TRAINING | _RNN | {"start_from", "cnn_weights", "run_length"},
    "roi_rnn": _TRAINING | _RNN | _ROI | {"label_smoothing", "schedule"},
    "roi_classical": _ROI | {"model", "C", "trees", "frame_step", "seed"},
    "importance_shap": {
        *("decoder", "method", "background", "background_from", "windows", "output", "seed")
    },
}
LONGEST_LIST = 8  # values of a list that are spelt out; the table of settings has them all


def blocks(
    config: Mapping[str, Any],
    *,
    cohort: pd.DataFrame,
    n_allocations: int,
    compared: bool,
    inferred: bool,
    versions: Mapping[str, str],
) -> list[tuple[str, str]]:
    """Return (heading, text) of every block that this study needs.

    `cohort` is the table of sessions; `compared` and `inferred` say whether there are tests as
    published and with mice as the unit. Raises KeyError if the config lacks defaults.
    """
    made = [
        ("Recordings", recordings(config, cohort)),
        ("Exclusions", exclusions(config)),
        ("Training, validation and test mice", allocations(config, n_allocations)),
        *decoders(config),
        ("Scores", scores()),
        ("Comparisons as published", comparisons() if compared else ""),
        ("Comparisons with mice as the unit", mice_as_unit(config) if inferred else ""),
        ("Chance", chance(config)),
        *[(f"Importance: {name}", importance(one)) for name, one in config["importance"].items()],
        ("Software", software(config, versions)),
    ]
    return [(heading, text) for heading, text in made if text]


def recordings(config: Mapping[str, Any], cohort: pd.DataFrame) -> str:
    """Return how many recordings there are, of what size, and whence the labels."""
    rates = ", ".join(f"{rate:g}" for rate in sorted(cohort["frame_rate"].unique()))
    low, high = (f"{n:,.0f}" for n in (cohort["n_frames"].min(), cohort["n_frames"].max()))
    frames = low if low == high else f"{low} to {high}"
    sizes = sorted({f"{h:g} × {w:g}" for h, w in zip(cohort.height, cohort.width, strict=True)})
    n = cohort["mouse"].nunique()
    text = (
        f"The study has {_count(len(cohort), 'recording')} of {n} {'mouse' if n == 1 else 'mice'}, "
        f"of {frames} frames each ({rates} frames/s; {', '.join(sizes)} px"
        f"{', resized when read' if config['image_size'] else ''}). "
    )
    if "simulate" in config:
        text += simulation(config["simulate"])
    else:
        threshold = config["recordings"]["speed_threshold"]
        text += (
            "In every frame the mouse either runs or rests, as its behaviour file says; where that "
            f"holds the speed only, it runs above {threshold:g} cm/s."
        )
    if config["recordings"]["roi_masks"]:
        text += " The signal of a region of interest (ROI) is the mean of its pixels."
    return text


def simulation(settings: Mapping[str, Any]) -> str:
    """Return what a simulated cohort is made of."""
    rois = _list(settings["signal_rois"])
    return (
        "The recordings are simulated: spontaneous cortical activity, noise of photons and camera, "
        "vessels and bleaching, and, while the mouse runs, a signal of "
        f"{100 * settings['run_signal']:g} % ΔF/F in ROIs {rois}, seen through the kinetics of "
        f"GCaMP6 [@chen2013] (seed {settings['seed']})."
    )


def exclusions(config: Mapping[str, Any]) -> str:
    """Return what was left out and why; empty if nothing was."""
    reasons = [f"{name} ({reason})" for name, reason in config.get("exclude", {}).items()]
    if not reasons:
        return ""
    return f"Left out of everything, training included: {'; '.join(reasons)}."


def allocations(config: Mapping[str, Any], n: int) -> str:
    """Return how mice are split among training, validation and test."""
    counts = config["allocation"]
    mice = studies.included(config["mice"], config.get("exclude", {}))
    choice = {
        "all": "every combination of the mice",
        "each_pair": "each pair of a validation and a test mouse once",
        "each_test": "each mouse as the test mouse once",
    }[counts["choose"]]
    return (
        f"A decoder was trained on {counts['train']}, tuned on {counts['valid']} and tested on "
        f"{counts['test']} of {len(mice)} mice, in {_count(n, 'allocation')} of mice to these "
        f"roles ({choice}), after Ajioka et al. [@ajioka2024]. No mouse has two roles in one "
        "allocation, and no model was fitted to a test mouse; what is normalised is normalised "
        "within its own recording, in test mice too."
    )


def decoders(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a block for every kind of decoder: the first in words, the others as differences."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, settings in config["decoders"].items():
        found.setdefault(studies.kind_of(settings), {})[name] = settings
    words = {
        "linear": linear,
        "cnn": cnn,
        "cnn_rnn": cnn_rnn,
        "roi_rnn": roi_rnn,
        "roi_classical": roi_classical,
    }
    made = []
    for kind, members in found.items():
        if kind == "average":
            texts = [average(name, settings) for name, settings in members.items()]
            made.append((KINDS[kind], " ".join(texts)))
            continue
        (name, first), *others = members.items()
        text = f"{name}: {words[kind](first)}{options(kind, first)}"
        if others:
            unlike = [f"{other} ({differences(first, one)})" for other, one in others]
            text += f" Unlike it: {'; '.join(unlike)}."
        made.append((KINDS[kind], text))
    return made


def linear(settings: Mapping[str, Any]) -> str:
    """Return the words for the linear baseline."""
    return (
        "L2-penalised logistic regression (scikit-learn [@pedregosa2011], C = "
        f"{settings['C']:g}) of the standardised pixels of single frames, averaged down to "
        f"{settings['pixels']} × {settings['pixels']} px at most, fitted to "
        f"{_every(settings, 'frame')}. {PIXELS}"
    )


PIXELS = (
    "A pixel is the difference from its mean over the recording, divided by the standard deviation "
    "of the whole recording."
)


def cnn(settings: Mapping[str, Any]) -> str:
    """Return the words for a convolutional network."""
    family = " [@tan2019]" if "efficientnet" in settings["backbone"] else ""
    first = settings["pretrained"].partition(":")[0]
    weights = {
        "imagenet": "ImageNet [@deng2009] weights",
        "lite0": "packaged ImageNet [@deng2009] weights",
        "file": f"the weights {settings['pretrained'].partition(':')[2]}",
        "none": "random weights",
    }[first]
    return (
        f"a convolutional network ({settings['backbone']}{family} of timm [@wightman2019]) with "
        "one output, whose image of frame t has the frames t − 1, t and t + 1 as channels; frames "
        f"without both neighbours are left out. {PIXELS} Starting from {weights}, it was "
        f"{_trained(settings, 'image')}"
    )


def cnn_rnn(settings: Mapping[str, Any]) -> str:
    """Return the words for a recurrent network on the features of a CNN."""
    w, start = settings["half_window"], settings["start_from"]
    how = {
        "finetuned": f"Both networks were trained together, from the trained {start}, in runs of "
        f"{_count(settings['run_length'], 'consecutive window')};",
        "frozen": f"The weights of {start} were left as they are;",
    }[settings["cnn_weights"]]
    return (
        f"the pooled features that {start} gives for the {2 * w + 1} images from t − {w} to "
        f"t + {w} are read by {_recurrent(settings)}. {how} the recurrent network was "
        f"{_trained(settings, 'window')}"
    )


def roi_rnn(settings: Mapping[str, Any]) -> str:
    """Return the words for a recurrent network on ROI signals."""
    return (
        f"{_signals(settings)}, read by {_recurrent(settings)}. It was "
        f"{_trained(settings, 'window')}{_labels(settings)}"
    )


def roi_classical(settings: Mapping[str, Any]) -> str:
    """Return the words for a classical decoder of ROI signals."""
    boosted = settings["model"] == "gradient_boosting"
    how = f"{settings['trees']} trees" if boosted else f"standardised, C = {settings['C']:g}"
    return (
        f"{_signals(settings)}, decoded by {CLASSICAL[settings['model']]} (scikit-learn "
        f"[@pedregosa2011]; {how}; seed {settings['seed']}), fitted to "
        f"{_every(settings, 'window')}.{_labels(settings)}"
    )


def average(name: str, settings: Mapping[str, Any]) -> str:
    """Return the words for a decoder that averages others."""
    return (
        f"{name}: the mean of the probabilities of {_list(settings['average_of'])}, frame by frame."
    )


def options(kind: str, settings: Mapping[str, Any]) -> str:
    """Return the settings that the words of the kind leave out, where they are not the default."""
    defaults = schema.defaults(kind)
    set_ = {
        key: value
        for key, value in settings.items()
        if key not in SPOKEN[kind] and key in defaults and value != defaults[key]
    }
    return f" Also set: {_settings(set_)}." if set_ else ""


def differences(first: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return the settings of `other` that are not those of `first`."""
    unlike = {key: item for key, item in other.items() if first.get(key) != item}
    return _settings(unlike) if unlike else "the same settings"


def scores() -> str:
    """Return what is scored, and how."""
    return (
        "The score is the area under the receiver operating characteristic curve (AUC) "
        "[@hanley1982]: the probability that a frame of running gets a higher output than one of "
        "rest, over all test frames of an allocation pooled; 0.5 is chance. Accuracy is at a "
        "probability of 0.5. Means and standard deviations (of a sample) are over allocations."
    )


def comparisons() -> str:
    """Return the published test."""
    return (
        "As in Ajioka et al. [@ajioka2024], all pairs of decoders of a family are compared over "
        "the allocations by two-sided Wilcoxon rank-sum tests [@wilcoxon1945] (normal "
        "approximation with corrections for ties and continuity), with p values corrected within "
        "the family by Holm's method [@holm1979]. These tests take allocations for independent, "
        "which they are not: they share mice."
    )


def mice_as_unit(config: Mapping[str, Any]) -> str:
    """Return the tests that know of the mice."""
    return (
        "The same pairs are compared by their differences in the same allocation: the mean over "
        "test mice with its 95 % confidence interval and t test, standardised as Hedges' g "
        "[@hedges1981]; the exact sign-flip test of the means of mice [@fisher1935]; Nadeau and "
        f"Bengio's corrected t test [@nadeau2003] with {_count(1, 'test mouse')} to "
        f"{config['allocation']['train']} training mice; a linear mixed model with crossed random "
        "effects of test and validation mouse [@baayen2008] (statsmodels [@seabold2010]); a "
        f"hierarchical bootstrap of {inference.DRAWS:,} draws [@saravanan2020] (seed "
        f"{inference.SEED}); the signed-rank test [@wilcoxon1945]; and the intraclass correlation "
        "by test mouse [@shrout1979] with the design effect [@kish1965] that follows. All p values "
        "are corrected within the family by Holm's method [@holm1979]."
    )


def chance(config: Mapping[str, Any]) -> str:
    """Return how decoders are compared with chance; empty if they are not."""
    text = ""
    null = [name for name, s in config["decoders"].items() if s.get("labels", "own") != "own"]
    if null:
        text += (
            f"{value(null)} {'was' if len(null) == 1 else 'were'} trained, tuned and tested on "
            "labels that were exchanged among the sessions of the same mouse. "
        )
    if config["circular_shifts"]:
        text += (
            "The labels of every test session were shifted in time, circularly, "
            f"{config['circular_shifts']:,} times against the predictions (seed "
            f"{inference.SEED}); such p values are too small where signals drift [@harris2020]. "
        )
    if text:
        text += "p = (r + 1) / (k + 1), r of k draws being as good or better [@phipson2010]."
    return text


def importance(settings: Mapping[str, Any]) -> str:
    """Return the words for an importance analysis: attributions, or areas hidden."""
    decoder = settings["decoder"]
    if "masks" in settings:
        rest = {key: item for key, item in settings.items() if key != "decoder"}
        return (
            f"Areas of the images of {decoder} were hidden one after another (occlusion "
            "[@zeiler2014]); the score of an area is the AUC of the whole images less that of the "
            f"images without it. Settings: {_settings(rest)}."
        )
    method = {
        "deep": "Deep SHAP [@lundberg2017; @shrikumar2017], with Shapley values for the products "
        "within recurrent units [@chen2022]",
        "gradient": "expected gradients [@erion2021]",
        "integrated": "integrated gradients [@sundararajan2017], averaged over the background",
    }[settings["method"]]
    mice = {"train": "training mice", "test": "test mouse"}[settings["background_from"]]
    return (
        f"The {settings['output']} of {decoder} was attributed to its inputs by {method}: up to "
        f"{settings['windows']:,} windows of each test mouse, evenly spaced, against a background "
        f"of up to {settings['background']:,} windows of the {mice}, drawn at random (seed "
        f"{settings['seed']}). Shown is the mean absolute value."
        f"{options('importance_shap', settings)}"
    )


def software(config: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """Return the software with its versions, as far as this study needs it."""
    kinds = {studies.kind_of(settings) for settings in config["decoders"].values()}
    used = [("mesodecode", ""), ("snakemake", "molder2021")]
    if kinds & {"cnn", "cnn_rnn", "roi_rnn"}:
        used.append(("torch", "paszke2019"))
    if "cnn" in kinds:
        used.append(("timm", "wightman2019"))
    if kinds & {"linear", "roi_classical"}:
        used.append(("scikit-learn", "pedregosa2011"))
    used.append(("scipy", "virtanen2020"))
    names = {"snakemake": "Snakemake", "torch": "PyTorch", "scipy": "SciPy"}
    listed = [
        f"{names.get(name, name)} {versions.get(name, '')}".strip() + (f" [@{key}]" if key else "")
        for name, key in used
    ]
    return f"Made with {_list(listed)}, in Python {versions.get('Python', '')}.".replace(" .", ".")


def seeds(config: Mapping[str, Any], inferred: bool) -> list[tuple[str, str, int]]:
    """Return (name, what it is, seed) of all that draws random numbers."""
    rows = []
    if "simulate" in config:
        rows.append(("simulation", "recordings", config["simulate"]["seed"]))
    for table, what in (("decoders", "decoder"), ("importance", "importance analysis")):
        rows += [(name, what, s["seed"]) for name, s in config[table].items() if "seed" in s]
    if inferred:
        rows.append(("bootstrap", "test with mice as the unit", inference.SEED))
    if config["circular_shifts"]:
        rows.append(("circular shifts", "comparison with chance", inference.SEED))
    return rows


def describe(settings: Mapping[str, Any]) -> str:
    """Return in a few words what a decoder is, for a reader who only knows its name."""
    kind = studies.kind_of(settings)
    if kind == "average":
        return f"mean of {_list(settings['average_of'])}"
    if kind == "linear":
        return f"logistic regression of {settings['pixels']} × {settings['pixels']} pixels"
    if kind == "cnn":
        return f"CNN ({settings['backbone']}) of 3 frames"
    window = f"±{_count(settings['half_window'], 'frame')}"
    if settings.get("shift"):
        where = "later" if settings["shift"] > 0 else "earlier"
        window += f" about {_count(abs(settings['shift']), 'frame')} {where}"
    if settings.get("labels", "own") != "own":
        window += ", labels of other sessions"
    rois = f"{len(settings['rois'])} ROIs" if settings.get("rois") else "all ROIs"
    if "baseline" in settings and not settings["baseline"]:
        rois += " (no baseline subtracted)"
    if kind == "roi_classical":
        return f"{settings['model'].replace('_', ' ')} of {rois}, {window}"
    cell = ("bidirectional " if settings["bidirectional"] else "") + settings["rnn"].upper()
    if kind == "roi_rnn":
        return f"{cell} on {rois}, {window}"
    how = "left as trained" if settings["cnn_weights"] == "frozen" else "fine-tuned"
    return f"{cell} on {settings['start_from']} ({how}), {window}"


def value(setting: Any) -> str:
    """Return a setting as the text has it; a long list as its length."""
    if isinstance(setting, bool):
        return "yes" if setting else "no"
    if setting is None:
        return "none"
    if isinstance(setting, float):
        return f"{setting:g}"
    if isinstance(setting, list | tuple):
        if len(setting) > LONGEST_LIST:
            return f"{len(setting)} of them"
        return _list([value(item) for item in setting]) or "all"
    return str(setting)


def _settings(settings: Mapping[str, Any]) -> str:
    parts = []
    for key, item in settings.items():
        work = WORKS_OF.get((key, item)) if isinstance(item, str | bool) else None
        cited = f" [@{work}]" if work else ""
        parts.append(f"{key.replace('_', ' ')}: {value(item)}{cited}")
    return ", ".join(parts)


def _list(items: Sequence[Any]) -> str:
    words = [str(item) for item in items]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _every(settings: Mapping[str, Any], noun: str) -> str:
    step = settings["frame_step"]
    return f"all training {noun}s" if step == 1 else f"every {_ordinal(step)} training {noun}"


def _ordinal(n: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{n}{'th' if n % 100 in (11, 12, 13) else endings.get(n % 10, 'th')}"


def _trained(settings: Mapping[str, Any], noun: str) -> str:
    """Return how a network was trained, as the end of a sentence."""
    cycle = settings.get("schedule", "one_cycle") == "one_cycle"
    rate = f"{settings['max_lr']:g}"
    rate = (
        f"a one-cycle learning rate [@smith2019] of at most {rate}"
        if cycle
        else (f"a learning rate of {rate}")
    )
    smoothing = settings.get("label_smoothing", 0)
    smooth = f" and label smoothing of {smoothing:g} [@szegedy2016]" if smoothing else ""
    return (
        f"trained for {_count(settings['epochs'], 'epoch')} on {_every(settings, noun)}, in "
        f"batches of {settings['batch_size']}, by Adam [@kingma2015] with {rate} on the "
        f"cross-entropy loss{smooth} (seed {settings['seed']}). The weights of the epoch with "
        "the lowest validation loss are the ones tested."
    )


def _recurrent(settings: Mapping[str, Any]) -> str:
    layers = settings["num_layers"]
    both = ", in both directions [@schuster1997]," if settings["bidirectional"] else ""
    dropout = f", dropout {settings['dropout']:g} between them" if layers > 1 else ""
    return (
        f"{_count(layers, 'layer')} of {settings['hidden_size']} {CELLS[settings['rnn']]}{both}"
        f"{dropout}, whose last state a linear layer turns into the output"
    )


def _signals(settings: Mapping[str, Any]) -> str:
    """Return what ROI signals a decoder reads, as the start of a sentence."""
    w, shift = settings["half_window"], settings["shift"]
    first, last = (f"t {'−' if n < 0 else '+'} {abs(n)}" for n in (shift - w, shift + w))
    chosen = settings["rois"]
    rois = f"ROIs {value(chosen)}" if 0 < len(chosen) <= LONGEST_LIST else "all ROIs"
    if len(chosen) > LONGEST_LIST:
        rois = f"{len(chosen)} ROIs"
    if chosen:
        others = {"zero": "set to zero", "drop": "left out"}[settings["others"]]
        rois += f" (the others {others})"
    base = settings["baseline"]
    baseline = f"less a moving mean of {base:,} frames" if base else "as recorded"
    scale = {
        "minmax": "scaled to 0 … 1",
        "zscore": "z-scored",
        "dff": "as ΔF/F",
        "none": "not scaled",
    }[settings["normalise"]]
    return (
        f"the signals of {rois} at the {2 * w + 1} frames from {first} to {last}, {baseline} and "
        f"{scale}, each ROI over its whole recording (those of test mice too)"
    )


def _labels(settings: Mapping[str, Any]) -> str:
    if settings["labels"] == "own":
        return ""
    return " Its labels are those of other sessions of the same mouse."
