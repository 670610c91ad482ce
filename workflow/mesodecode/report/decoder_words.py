"""What decoders are, in plain words: one function a kind, numbers as set.

A decoder is given as its settings with all defaults. Works are cited as `references`
reads them: ``[@holm1979]``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mesodecode.base.files import counted
from mesodecode.report.applied_words import adapted, adaptive
from mesodecode.report.phrases import LONGEST_LIST, every, joined, value
from mesodecode.study import decoder_table, schema
from mesodecode.study.kinds import KINDS
from mesodecode.study.targets import RUN, Kind

# Works behind a setting of decoders that are told apart by it.
WORKS_OF = {
    ("rnn", "gru"): "cho2014",
    ("rnn", "lstm"): "hochreiter1997",
    ("rnn", "rnn"): "elman1990",
    ("rnn", "tcn"): "bai2018",
    ("bidirectional", True): "schuster1997",
    ("model", "linear_svm"): "cortes1995",
    ("model", "gradient_boosting"): "friedman2001",
}

CELLS = {
    "gru": "gated recurrent units (GRU) [@cho2014]",
    "lstm": "long short-term memory units (LSTM) [@hochreiter1997]",
    "rnn": "simple recurrent units (tanh) [@elman1990]",
    "tcn": "dilated temporal convolutions over three frames [@bai2018]",
}

CLASSICAL = {
    "logistic_regression": "L2-penalised logistic regression",
    "linear_svm": "a linear support vector machine [@cortes1995]",
    "ridge": "ridge classification",
    "gradient_boosting": "gradient-boosted trees [@friedman2001]",
}

# Loss of a kind of target -> what networks are trained on.
LOSSES = {
    "binary_cross_entropy": "cross-entropy loss",
    "cross_entropy": "cross-entropy loss over all states",
    "squared_error": "squared error",
}

# Settings that the words of a kind are made of; others are listed where they are not the default.
_TRAINING = {"epochs", "batch_size", "max_lr", "frame_step", "seed", "precision"}

_RNN = {"rnn", "half_window", "hidden_size", "num_layers", "bidirectional", "dropout"}

_CAUSAL = {"causal", "normalise_from", "warm_up"}

_ROI = _CAUSAL | {"shift", "baseline", "normalise", "rois", "others", "labels", "half_window"}

SPOKEN = {
    "linear": _CAUSAL | {"model", "pixels", "C", "frame_step", "labels", "baseline"},
    "cnn": _TRAINING | _CAUSAL | {"backbone", "pretrained", "labels", "baseline"},
    "cnn_rnn": _TRAINING | _RNN | {"start_from", "cnn_weights", "run_length", "labels", "causal"},
    "roi_rnn": _TRAINING | _RNN | _ROI | {"label_smoothing", "schedule"},
    "roi_classical": _ROI | {"model", "C", "trees", "frame_step", "seed"},
    "adapted": {
        *("normalise", "warm_up", "register", "batch_norm", "coral", "first_unlabelled"),
        *("few_shot", "finetune", "passes", "max_lr", "C", "seed", "adapted_from"),
    },
    "importance_shap": {
        *("decoder", "method", "background", "background_from", "windows", "output", "seed")
    },
}

# In what a network multiplies, by its precision; see `mesodecode.decoders.device.computing`.
PRODUCTS = {
    "float32": "Where a GPU computed, convolutions and recurrent layers multiplied in TF32.",
    "mixed": "Where a GPU computed, it multiplied in bfloat16 (float16 if it has none), in "
    "recurrent layers in TF32, and summed in float32; results there repeat within the spread "
    "of seeds, not to the bit.",
}


REGRESSIONS = {
    "logistic_regression": "L2-penalised logistic regression",
    "ridge": "ridge regression, with a penalty of 1/C",
}


def linear(settings: Mapping[str, Any]) -> str:
    """Return the words for the linear baseline."""
    return (
        f"{REGRESSIONS[settings['model']]} (scikit-learn [@pedregosa2011], C = "
        f"{settings['C']:g}) of the standardised pixels of single frames, averaged down to "
        f"{settings['pixels']} × {settings['pixels']} px at most, fitted to "
        f"{every(settings, 'frame')}. {_pixels(settings)}{_labels(settings)}"
    )


def cnn(settings: Mapping[str, Any], scored: Kind = RUN.kind) -> str:
    """Return the words for a convolutional network."""
    outputs = "one output for each state" if scored.name == "states" else "one output"
    family = " [@tan2019]" if "efficientnet" in settings["backbone"] else ""
    first = settings["pretrained"].partition(":")[0]
    weights = {
        "imagenet": "ImageNet [@deng2009] weights",
        "lite0": "packaged ImageNet [@deng2009] weights",
        "file": f"the weights {settings['pretrained'].partition(':')[2]}",
        "none": "random weights",
    }[first]
    frames = "t − 2, t − 1 and t" if settings["causal"] else "t − 1, t and t + 1"
    return (
        f"a convolutional network ({settings['backbone']}{family} of timm [@wightman2019]) with "
        f"{outputs}, whose image of frame t has the frames {frames} as channels; frames "
        f"without both others are left out. {_pixels(settings)} Starting from {weights}, it "
        f"was {_trained(settings, 'image', scored)}{_labels(settings)}"
    )


def cnn_rnn(settings: Mapping[str, Any], scored: Kind = RUN.kind) -> str:
    """Return the words for a recurrent network on the features of a CNN."""
    w, start = settings["half_window"], settings["start_from"]
    how = {
        "finetuned": f"Both networks were trained together, from the trained {start}, in runs of "
        f"{counted(settings['run_length'], 'consecutive window')};",
        "frozen": f"The weights of {start} were left as they are;",
    }[settings["cnn_weights"]]
    return (
        f"the pooled features that {start} gives for the {2 * w + 1} images {_span(w, settings)} "
        f"are read by {_recurrent(settings)}. {how} the recurrent network was "
        f"{_trained(settings, 'window', scored)}{_labels(settings)}"
    )


def roi_rnn(settings: Mapping[str, Any], scored: Kind = RUN.kind) -> str:
    """Return the words for a recurrent network on ROI signals."""
    return (
        f"{_signals(settings)}, read by {_recurrent(settings)}. It was "
        f"{_trained(settings, 'window', scored)}{_labels(settings)}"
    )


def roi_classical(settings: Mapping[str, Any], scored: Kind = RUN.kind) -> str:
    """Return the words for a classical decoder of ROI signals."""
    boosted = settings["model"] == "gradient_boosting"
    model = CLASSICAL.get(settings["model"], settings["model"].replace("_", " "))
    if scored.name == "regression":
        model = model.replace("classification", "regression")
    how = f"{settings['trees']} trees" if boosted else f"standardised, C = {settings['C']:g}"
    return (
        f"{_signals(settings)}, decoded by {model} (scikit-learn "
        f"[@pedregosa2011]; {how}; seed {settings['seed']}), fitted to "
        f"{every(settings, 'window')}.{_labels(settings)}"
    )


# Settings that matter with others alone: whether they do by all settings, and which they are.
MATTER: tuple[tuple[Callable[[Mapping[str, Any]], bool], tuple[str, ...]], ...] = (
    (lambda s: s.get("causal", True), ("normalise_from",)),
    (lambda s: _warms_up(s), ("warm_up",)),
    (lambda s: s.get("few_shot", True), ("finetune", "passes", "max_lr", "C", "seed")),
    (lambda s: s.get("num_layers", 2) > 1, ("dropout",)),
    (lambda s: s.get("cnn_weights", "finetuned") == "finetuned", ("run_length",)),
    (lambda s: s.get("by", "recording") == "recording", ("margin",)),
    (lambda s: s.get("rois", True), ("others",)),
    (lambda s: s.get("model") != "gradient_boosting", ("C",)),
    (lambda s: s.get("model") == "gradient_boosting", ("trees",)),
)

WORDS = {"linear": linear, "adapted": adapted}
OF_TARGET = {  # those whose words hang on what is decoded
    "cnn": cnn,
    "cnn_rnn": cnn_rnn,
    "roi_rnn": roi_rnn,
    "roi_classical": roi_classical,
    "adaptive": adaptive,
}


def words(kind: str, settings: Mapping[str, Any], scored: Kind = RUN.kind) -> str:
    """Return the words for a decoder of a kind; those of the table of kinds where it has no own."""
    if kind in OF_TARGET:
        return OF_TARGET[kind](settings, scored)
    return WORDS[kind](settings) if kind in WORDS else f"{KINDS[kind].words}."


def options(kind: str, settings: Mapping[str, Any]) -> str:
    """Return the settings that the words of the kind leave out, where they are not the default."""
    defaults = schema.defaults(kind)
    set_ = {
        key: value
        for key, value in settings.items()
        if key not in SPOKEN.get(kind, ()) and key in defaults and value != defaults[key]
    }
    return f" Also set: {listed(set_)}." if set_ else ""


def differences(first: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return the settings of `other` that are not those of `first`, as far as they matter.

    Those that only `other` makes something of are told too: the words of `first` leave them out.
    """
    unlike = {key for key, item in other.items() if first.get(key) != item}
    for matter, keys in MATTER:
        if not matter(other):
            unlike -= {*keys}
        elif not matter(first):
            unlike |= {*keys}
    told = {key: item for key, item in other.items() if key in unlike}
    return listed(told) if told else "the same settings"


def describe(settings: Mapping[str, Any]) -> str:
    """Return in a few words what a decoder is, for a reader who only knows its name."""
    kind = decoder_table.kind_of(settings)
    if kind == "average":
        return f"mean of {joined(settings['average_of'])}"
    if kind == "adaptive":
        return f"for each test mouse one of {joined(settings['adaptive_of'])}"
    if kind not in {*WORDS, *OF_TARGET}:
        return KINDS[kind].words
    if kind == "adapted":
        set_ = {k: v for k, v in settings.items() if v != schema.defaults("adapted").get(k)}
        set_.pop("adapted_from")
        return f"{settings['adapted_from']}, applied with {listed(set_) or 'nothing else'}"
    null = "" if settings.get("labels", "own") == "own" else ", labels of other sessions"
    base = settings.get("baseline")
    moving = f", less a moving mean of {base:,} frames" if base else ""
    causal = settings.get("causal")
    only = ", of the past only (causal)" if causal else ""
    if kind == "linear":
        pixels = f"{settings['pixels']} × {settings['pixels']} pixels"
        model = settings["model"].replace("_", " ").replace("ridge", "ridge regression")
        return f"{model} of {pixels}{moving}{only}{null}"
    if kind == "cnn":
        return f"CNN ({settings['backbone']}) of 3 frames{moving}{only}{null}"
    window = f"±{counted(settings['half_window'], 'frame')}"
    if causal:
        window = f"the last {counted(2 * settings['half_window'] + 1, 'frame')} (causal)"
    if settings.get("shift"):
        where = "later" if settings["shift"] > 0 else "earlier"
        window += f" about {counted(abs(settings['shift']), 'frame')} {where}"
    window += null
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


def listed(settings: Mapping[str, Any]) -> str:
    """Return settings with their values, and the works behind them."""
    parts = []
    for key, item in settings.items():
        work = WORKS_OF.get((key, item)) if isinstance(item, str | bool) else None
        cited = f" [@{work}]" if work else ""
        said = value(item, empty="all" if key == "rois" else "none")
        parts.append(f"{key.replace('_', ' ')}: {said}{cited}")
    return ", ".join(parts)


def _trained(settings: Mapping[str, Any], noun: str, scored: Kind) -> str:
    """Return how a network was trained, as the end of a sentence."""
    rate = f"a learning rate of {settings['max_lr']:g}"
    if settings.get("schedule", "one_cycle") == "one_cycle":
        rate = f"a one-cycle learning rate [@smith2019] of at most {settings['max_lr']:g}"
    # a trace has no labels to smooth
    smoothing = 0 if scored.name == "regression" else settings.get("label_smoothing", 0)
    smooth = f" and label smoothing of {smoothing:g} [@szegedy2016]" if smoothing else ""
    return (
        f"trained for {counted(settings['epochs'], 'epoch')} on {every(settings, noun)}, in "
        f"batches of {settings['batch_size']}, by Adam [@kingma2015] with {rate} on the "
        f"{LOSSES[scored.loss]}{smooth} (seed {settings['seed']}). The weights of the epoch with "
        f"the lowest validation loss are the ones tested. {PRODUCTS[settings['precision']]}"
    )


def _recurrent(settings: Mapping[str, Any]) -> str:
    layers = settings["num_layers"]
    both = ", in both directions [@schuster1997]" if settings["bidirectional"] else ""
    dropout = f", dropout {settings['dropout']:g} between them" if layers > 1 else ""
    if settings["rnn"] == "tcn":
        return (
            f"{counted(layers, 'residual layer')} of {settings['hidden_size']} {CELLS['tcn']}, "
            f"1, 2, 4 … frames apart{dropout}, whose output at the decoded frame and mean over the "
            "window a linear layer turns into the output"
        )
    return (
        f"{counted(layers, 'layer')} of {settings['hidden_size']} {CELLS[settings['rnn']]}{both}"
        f"{dropout}, whose last state a linear layer turns into the output"
    )


def _pixels(settings: Mapping[str, Any]) -> str:
    """Return what the pixels of an image decoder are, as a sentence."""
    base = settings["baseline"]
    if settings["causal"]:
        return _past_pixels(settings)
    of = "its mean over the recording"
    if base:
        of = f"its moving mean over {base:,} frames (of its segment, where there are segments)"
    return (
        f"A pixel is the difference from {of}, divided by the standard deviation of the whole "
        "recording."
    )


def _past_pixels(settings: Mapping[str, Any]) -> str:
    """Return what the pixels of a causal image decoder are, as sentences."""
    base = settings["baseline"]
    known = "the first session of the mouse, which is not decoded"
    reference = settings["normalise_from"] == "reference"
    before = "all frames before the second that it lies in"
    of = f"its mean over {known if reference else before}"
    if base:
        of = f"its mean over the {base:,} frames before (in blocks of a second at most)"
    sd = known if reference else before
    warm = "" if reference and not base else f" {_warm_up(settings)}"
    return (
        f"The decoder is causal: it reads no later frame. A pixel is the difference from {of}, "
        f"divided by the standard deviation of {sd}.{warm}"
    )


def _warms_up(settings: Mapping[str, Any]) -> bool:
    """Return whether a decoder leaves out the first seconds of recordings."""
    if not settings.get("causal"):
        return settings.get("normalise") == "past"
    return settings.get("normalise_from") == "past" or bool(settings.get("baseline"))


def _warm_up(settings: Mapping[str, Any]) -> str:
    return (
        f"The first {settings['warm_up']:g} s of each recording are not decoded, nor are frames "
        "whose window reaches into them or beyond the start of a segment."
    )


def _span(w: int, settings: Mapping[str, Any], shift: int = 0) -> str:
    """Return from where to where a window of half-width w is."""
    first, last = (-2 * w, 0) if settings["causal"] else (shift - w, shift + w)
    start, stop = (f"t {'−' if n < 0 else '+'} {abs(n)}" for n in (first, last))
    return f"from {start} to {'t' if settings['causal'] else stop}"


def _signals(settings: Mapping[str, Any]) -> str:
    """Return what ROI signals a decoder reads, as the start of a sentence."""
    w, shift = settings["half_window"], settings["shift"]
    chosen = settings["rois"]
    rois = f"ROIs {value(chosen)}" if 0 < len(chosen) <= LONGEST_LIST else "all ROIs"
    if len(chosen) > LONGEST_LIST:
        rois = f"{len(chosen)} ROIs"
    if chosen:
        others = {"zero": "set to zero", "drop": "left out"}[settings["others"]]
        rois += f" (the others {others})"
    base = settings["baseline"]
    baseline = f"less a moving mean of {base:,} frames" if base else "as recorded"
    over = "its whole recording (those of test mice too)"
    if settings["causal"]:
        over = "the frames up to each"
        if settings["normalise_from"] == "reference":
            over = "the first session of the mouse, which is not decoded"
        over += " (the decoder is causal: it reads no later frame)"
        if base or settings["normalise_from"] == "past":
            over += f"; the first {settings['warm_up']:g} s of each recording are not decoded"
        baseline = baseline.replace("a moving mean of", "the mean of the last")
    scale = {
        "minmax": "scaled to 0 … 1",
        "zscore": "z-scored",
        "dff": "as ΔF/F",
        "none": "not scaled",
    }[settings["normalise"]]
    return (
        f"the signals of {rois} at the {2 * w + 1} frames {_span(w, settings, shift)}, {baseline} "
        f"and {scale}, each ROI over {over}"
    )


def _labels(settings: Mapping[str, Any]) -> str:
    labels = settings.get("labels", "own")
    if labels == "own":
        return ""
    own = ", or its own by chance" if labels == "published" else ""
    return f" A session has the labels of another one of its mouse{own}."
