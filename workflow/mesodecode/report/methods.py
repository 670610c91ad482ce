"""The methods of a study in plain words, for its report: one function a block, numbers as set.

Each block is made of the resolved config, so that no number in it can differ from what was run.
Works are cited as `mesodecode.report.references` reads them: ``[@holm1979]``.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from mesodecode.base.files import counted
from mesodecode.confounds import control_verdicts
from mesodecode.report import (
    applied_words,
    decoder_words,
    importance_words,
    recordings_words,
    shift_words,
)
from mesodecode.report.decoder_words import listed, options
from mesodecode.report.phrases import every, joined, named
from mesodecode.scores import mouse_tests
from mesodecode.study import cohort_table, decoder_table, session_ids, targets
from mesodecode.study.kinds import KINDS

# What kinds of decoders are made with -> the work to cite.
LIBRARIES = {"torch": "paszke2019", "timm": "wightman2019", "scikit-learn": "pedregosa2011"}


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
        ("Recordings", recordings_words.recordings(config, cohort)),
        ("Corrections of the movies", recordings_words.corrections(config)),
        ("Variants of the study", variants(config)),
        ("Exclusions", exclusions(config)),
        ("Training, validation and test mice", allocations(config, n_allocations)),
        *decoders(config),
        ("Search for settings", searches(config)),
        ("Target", target_words(config)),
        ("Scores", scores(config)),
        ("Comparisons as published", comparisons(config) if compared else ""),
        ("Comparisons with mice as the unit", mice_as_unit(config) if inferred else ""),
        ("Chance", chance(config)),
        ("Confounds", confounds(config)),
        ("Ceilings", ceilings(config)),
        ("Shift of test mice", shift_words.shift(config)),
        *[
            (f"Importance: {name}", importance_words.importance(one, config["target"]))
            for name, one in config["importance"].items()
        ],
        ("Software", software(config, versions)),
    ]
    return [(heading, text) for heading, text in made if text]


def variants(config: Mapping[str, Any]) -> str:
    """Return in what each variant differs from the study; empty if there are none."""
    named = []
    for name, line in config["variants"].items():
        unlike = {k: v for k, v in line["corrections"].items() if config["corrections"][k] != v}
        if line["image_size"] != config["image_size"]:
            unlike["image_size"] = line["image_size"]
        named.append(f"{name} ({listed(unlike | line['settings'])})")
    if not named:
        return ""
    return (
        "The same sessions were also preprocessed, or decoded, in other ways, with everything else "
        f"as in the study: {'; '.join(named)}."
    )


def exclusions(config: Mapping[str, Any]) -> str:
    """Return what was left out and why; empty if nothing was."""
    reasons = [f"{name} ({reason})" for name, reason in config.get("exclude", {}).items()]
    if not reasons:
        return ""
    return f"Left out of everything, training included: {'; '.join(reasons)}."


def cohorts(config: Mapping[str, Any]) -> str:
    """Return which mice are of which cohort, and what is made of it; none without cohorts.

    A loss is of mice that their own cohort decoded too.
    """
    taken = session_ids.included(config)
    counts = {
        name: len([m for m in mice if m in taken]) for name, mice in config["cohorts"].items()
    }
    found = [f"{name} (n = {n} {'mouse' if n == 1 else 'mice'})" for name, n in counts.items()]
    if not found:
        return ""
    text = f" Mice are of {counted(len(found), 'cohort')}: {joined(found)}."
    axis = targets.kind_named(config["target"]).axis
    intervals = "with 95 % intervals of Student's t over mice"
    if config["allocation"]["cohorts"] in ("leave_out", "mixed"):
        scores = "AUCs" if axis == "AUC" else f"Scores ({axis})"
        return f"{text} {scores} of cohorts are means over their test mice, {intervals}."
    return (
        f"{text} What is lost between cohorts is the mean over test mice of their {axis} after "
        f"training in their own cohort less that after training in another, {intervals}."
    )


def allocations(config: Mapping[str, Any], n: int) -> str:
    """Return how mice are split among training, validation and test."""
    counts = config["allocation"]
    tuned = [name for name, one in config["decoders"].items() if one.get("few_shot")]
    few = f" Only {joined(tuned)} had a labelled part of it, which is not scored." if tuned else ""
    mice = session_ids.included(config)
    choice = {
        "all": "every combination of the mice",
        "each_pair": "each pair of a validation and a test mouse once",
        "shared_pairs": "each pair of a validation and a test mouse once, from as few sets of "
        "training mice as there are mice",
        "each_test": "each mouse as the test mouse once",
    }[counts["choose"]]
    choice += {
        "leave_out": "; each cohort tested by decoders trained and validated in the others",
        "across": "; trained and validated in one cohort, tested in the same and in each other one",
        "mixed": "; training mice of all cohorts, as evenly as their numbers allow",
        None: "",
    }[counts["cohorts"]]
    return (
        f"A decoder was trained on {counts['train']}, tuned on {counts['valid']} and tested on "
        f"{counts['test']} of {len(mice)} mice, in {counted(n, 'allocation')} of mice to these "
        f"roles ({choice}), after the published study [@ajioka2024]. No mouse has two roles in one "
        "allocation, and no model was fitted to a test mouse; what is normalised is normalised "
        f"within its own recording, in test mice too.{few}{cohorts(config)}"
    )


def decoders(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a block for every kind of decoder: the first in words, the others as differences."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, settings in config["decoders"].items():
        found.setdefault(decoder_table.kind_of(settings), {})[name] = settings
    made, scored = [], targets.kind_named(config["target"])
    for kind, members in found.items():
        if kind == "average":
            texts = [applied_words.average(name, one, scored) for name, one in members.items()]
            made.append((KINDS[kind].title, " ".join(texts)))
            continue
        (name, first), *others = members.items()
        text = f"{name}: {decoder_words.words(kind, first, scored)}{options(kind, first)}"
        if others:
            unlike = [f"{other} ({decoder_words.differences(first, one)})" for other, one in others]
            text += f" Unlike it: {'; '.join(unlike)}."
        if kind == "adapted" or any(one.get("causal") for one in members.values()):
            text += f" Protocols: {'; '.join(_protocols(config, members))}."
        made.append((KINDS[kind].title, text))
    return made


def _protocols(config: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Return "name, its protocol" of decoders."""
    lines = config["decoders"].items()
    table = {
        name: decoder_table.Decoder(name, decoder_table.kind_of(line), line) for name, line in lines
    }
    found = decoder_table.protocols_of(config, table)
    return [f"{name}, {found[name]}" for name in names]


def searches(config: Mapping[str, Any]) -> str:
    """Return the words for settings that were searched for; none where none were."""
    made = [
        f"Of {name}, {', '.join(line['search'])} were chosen among "
        f"{line['trials']} settings (seed {line['seed']})"
        for name, line in config["tune"].items()
    ]
    if not made:
        return ""
    score = targets.kind_named(config["target"]).axis
    return (
        f"{'. '.join(made)}. First tried are the settings above, where the search holds them; "
        "the others come from a tree-structured Parzen estimator [@bergstra2011] of Optuna "
        "[@akiba2019], and those below the median are stopped early. Each test mouse has a search "
        f"of its own, scored by the mean {score} of the validation mice of its allocations: no "
        "choice saw the mouse that it is tested on [@varma2006]."
    )


def decoded(config: Mapping[str, Any]) -> str:
    """Return what is decoded, in a few words."""
    if config["target"] == "run":
        return "run or rest"
    if config["target"] == "states":
        tables = cohort_table.all_tables(config)  # the same states in all
        names, _ = targets.read_states(tables[0]["recordings"]["target_states"])
        return ", ".join(names[:-1]) + f" or {names[-1]}"
    return config["target"]


def target_words(config: Mapping[str, Any]) -> str:
    """Return what is decoded where it is not run and rest; else nothing."""
    kind = targets.kind_of(config["target"])
    if kind == "run":
        return ""
    if kind == "states":
        return (
            f"Decoded is which of these states a frame is of: {decoded(config)}. Networks learn by "
            "the cross-entropy over all of them."
        )
    return (
        f"Decoded is {decoded(config)}, a value a frame, brought onto the frames (means of faster "
        "samples, linear interpolation of others). Networks learn it by the squared error, "
        "standardised by its mean and standard deviation in the training mice."
    )


def scores(config: Mapping[str, Any]) -> str:
    """Return what is scored, and how."""
    kind = targets.kind_of(config["target"])
    k = config["circular_shifts"] or targets.SHIFTS
    shifted = (
        "Chance is what comes of test values shifted in time, circularly, against the predictions; "
        "p = (r + 1) / (k + 1), r of k shifts being as good or better [@phipson2010] "
        f"(k = {k:,}, seed {mouse_tests.SEED}), is too small where signals drift "
        "[@harris2020]. Means and standard deviations (of a sample) are over allocations."
    )
    if kind == "regression":
        return (
            "The score is R², 1 less the squared error over the squared difference from the mean "
            "of all test frames of an allocation pooled; 0 is no better than that mean. Pearson's "
            "correlation stands beside it, and the ceiling of R² that noise of the trace itself "
            "sets: 1 less the share of its variance that has no memory from one frame to the next, "
            f"by its autocorrelation at one and two frames. {shifted}"
        )
    if kind == "states":
        return (
            "The score is the macro AUC: the area under the receiver operating characteristic "
            "curve [@hanley1982] of each state against all others, over all test frames of an "
            "allocation pooled, and the mean over the states that are there; 0.5 is chance. "
            f"Accuracy is that of the likeliest state. {shifted}"
        )
    return (
        "The score is the area under the receiver operating characteristic curve (AUC) "
        "[@hanley1982]: the probability that a frame of running gets a higher output than one of "
        "rest, over all test frames of an allocation pooled; 0.5 is chance. Accuracy is at a "
        "probability of 0.5. Means and standard deviations (of a sample) are over allocations."
    )


def comparisons(config: Mapping[str, Any]) -> str:
    """Return the published test."""
    asked = {test for line in config["comparisons"].values() for test in line["tests"]}
    how = {
        "rank_sum": "normal approximation with corrections for ties and continuity",
        "rank_sum_exact": "exact p values",
    }
    how = [words for test, words in how.items() if test in asked] or [how["rank_sum"]]
    return (
        "As in the published study [@ajioka2024], all pairs of decoders of a family are compared "
        "over the allocations by two-sided Wilcoxon rank-sum tests [@wilcoxon1945] "
        f"({', and '.join(how)}), with p values corrected within the family by Holm's method "
        "[@holm1979]. These tests take allocations for independent, which they are not: they share "
        "mice."
    )


def mice_as_unit(config: Mapping[str, Any]) -> str:
    """Return the tests that know of the mice."""
    train = config["allocation"]["train"]
    return (
        "The same pairs are compared by their differences in the same allocation: the mean over "
        "test mice with its 95 % confidence interval and t test, standardised as Hedges' g "
        "[@hedges1981]; the exact sign-flip test of the means of mice [@fisher1935]; Nadeau and "
        "Bengio's corrected t test [@nadeau2003] with 1 test mouse to "
        f"{train} training {'mouse' if train == 1 else 'mice'}; a linear mixed model with crossed "
        "random effects of test and validation mouse [@baayen2008] (statsmodels [@seabold2010]); a "
        f"hierarchical bootstrap of {mouse_tests.DRAWS:,} draws [@saravanan2020] (seed "
        f"{mouse_tests.SEED}); the signed-rank test [@wilcoxon1945]; and the intraclass "
        "correlation "
        "by test mouse [@shrout1979] with the design effect [@kish1965] that follows. All p values "
        "are corrected within the family by Holm's method [@holm1979]."
    )


def chance(config: Mapping[str, Any]) -> str:
    """Return how decoders are compared with chance; empty if they are not."""
    text, shifts = "", config["target"] == "run" and config["circular_shifts"]
    null = [name for name, s in config["decoders"].items() if s.get("labels", "own") != "own"]
    if null:
        text += (
            f"{named(null)} {'was' if len(null) == 1 else 'were'} trained, tuned and tested on "
            "labels that were exchanged among the sessions of the same mouse. "
        )
    if free := [name for name in null if config["decoders"][name]["labels"] == "published"]:
        text += f"Of {named(free)} any permutation was drawn, fixed points allowed. "
    if shifts:
        text += (
            "The labels of every test session were shifted in time, circularly, "
            f"{config['circular_shifts']:,} times against the predictions (seed "
            f"{mouse_tests.SEED}); such p values are too small where signals drift [@harris2020]. "
        )
    if text and config["target"] == "run":  # of others there is no table of chance
        text += "p = (r + 1) / (k + 1), r of k draws being as good or better [@phipson2010]."
    return text.rstrip()


def confounds(config: Mapping[str, Any]) -> str:
    """Return how decoders are held against controls; empty if they are not."""
    settings, kind = config["confounds"], targets.kind_named(config["target"])
    if not settings["decoders"]:
        return ""
    beside = "".join(f", or the same of the {name}" for name in kind.beside)
    model = settings["model"].replace("_", " ").replace("ridge", "ridge regression")
    baseline = settings["baseline"]
    less = f"a moving mean of {counted(baseline, 'frame')}" if baseline else "its mean"
    return (
        f"To see whether {named(settings['decoders'])} may have read something else than neurons, "
        f"{kind.decoded} was decoded in the same allocations from control signals alone, in "
        "windows as wide as those of each decoder: the mean brightness of the image; the pixels "
        "outside the brain; the vessels (where no mask gave them, the tenth of the brain's pixels "
        "darkest against a Gaussian surround of the mean image) relative to the tissue beside "
        "them; the rigid movement of the brain, by phase correlation with the mean image "
        f"[@guizar2008]; and a reference channel where there is one. Each signal, less {less} and "
        f"z-scored in its session, was decoded by {model} (scikit-learn [@pedregosa2011]), fitted "
        f"to {every(settings, 'window')}. A control comes up to a decoder if the 95 % "
        f"interval of its {kind.axis} over test mice lies above {kind.chance:g} and that of the "
        f"difference holds 0, or if it reaches {control_verdicts.REACHES:.0%} of the decoder's "
        f"{kind.axis} above {kind.chance:g}{beside}."
    )


def ceilings(config: Mapping[str, Any]) -> str:
    """Return how decoders are held against their ceilings; empty if they are not."""
    names = config["ceilings"].get("decoders", [])
    if not names:
        return ""
    networks = [n for n in names if KINDS[decoder_table.kind_of(config["decoders"][n])].network]
    epoch = (
        f" The epoch of {named(networks)} was chosen by one session: in the first by the mouse's "
        "next one, in the others by one of a mouse that neither trains nor tests."
        if networks
        else ""
    )
    scored = targets.kind_named(config["target"])
    beside = "".join(f", and of the {name}," for name in scored.beside)
    return (
        f"How good {named(names)} could be was measured by training on the other sessions of the "
        "test mouse, one session left out at a time as a whole, and tested. As many sessions of "
        "other mice, spread evenly over these and about as far in days or places, trained another "
        "decoder for the same session. Where dates of sessions are known, both were also trained "
        "on the half of the own training sessions nearest to the tested one in days and on the "
        "farthest half, other mice on as "
        f"many sessions from as many days away as they have.{epoch} No session has two roles, and "
        f"in decoders of other mice no mouse. Differences of {scored.axis}{beside} are averaged "
        "over the sessions of a mouse; 95 % intervals are Student's t over mice."
    )


def software(config: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """Return the software with its versions, as far as this study needs it."""
    found = [KINDS[decoder_table.kind_of(settings)] for settings in config["decoders"].values()]
    libraries = {name for kind in found for name in kind.libraries}
    used = [("mesodecode", ""), ("snakemake", "molder2021")]
    used += [(name, work) for name, work in LIBRARIES.items() if name in libraries]
    used.append(("scipy", "virtanen2020"))
    if any(table["corrections"]["motion"] for table in cohort_table.all_tables(config)):
        used.append(("scikit-image", "vanderwalt2014"))
    names = {"snakemake": "Snakemake", "torch": "PyTorch", "scipy": "SciPy"}
    listed = [
        f"{names.get(name, name)} {versions.get(name, '')}".strip() + (f" [@{key}]" if key else "")
        for name, key in used
    ]
    return f"Made with {joined(listed)}, in Python {versions.get('Python', '')}.".replace(" .", ".")
