"""What tables and tests read. No rules."""


def auc_compared(wildcards):
    """The AUCs that a comparison reads: the study's own, or those of its source."""
    comparison = COMPARISONS.get(wildcards.comparison, {})
    return comparison.get("source", SCORE_TABLE)


def sessions_compared(wildcards):
    """The AUCs of the sessions of a comparison; none where its source is a table."""
    own = "source" not in COMPARISONS[wildcards.comparison]
    return [RESULTS / f"tables/session_{SCORED.table}.tsv"] if own else []


def family_flags(wildcards):
    """Which rows of the AUCs a comparison takes, and under which name.

    All decoders where the config compares nothing.
    """
    everything = {"decoders": STUDY.decoders}
    comparison = COMPARISONS.get(wildcards.comparison, everything)
    chosen = [f"{key}={value}" for key, value in comparison.get("where", {}).items()]
    words = ["--by", comparison.get("by", "decoder"), "--only", *comparison["decoders"]]
    if SCORED.metric != "auc" and "source" not in comparison:
        words += ["--metric", SCORED.metric]
    return f"{shlex.join(words)} {flag_if('--where', chosen)} --name {wildcards.comparison}"


def protocol_flags(wildcards):
    """Whether a comparison is of decoders that have different things of their test mice."""
    across = COMPARISONS[wildcards.comparison]["across_protocols"]
    return "--across-protocols" if across else ""


def chance_flags():
    """What `mesodecode chance` compares decoders with."""
    nulls = [f"{null}={name}" for name, made in STUDY.nulls.items() for null in made]
    shifts = f"--shifts {SHIFTS} --predictions {RESULTS / 'predictions'}"
    return f"{flag_if('--null', nulls)} {shifts if SHIFTS else ''}"
