"""What the report is given. No rules."""

from mesodecode.study import published


def comparison_table(wildcards):
    """The tests of a comparison; none if the config compares nothing."""
    tables = expand(
        RESULTS / "tables/comparisons/{name}.tsv", name=wildcards.comparison
    )
    return tables if wildcards.comparison in COMPARISONS else []


def setting_flags(wildcards):
    """The number that the decoders of a comparison differ by, if there is one."""
    name = wildcards.comparison
    found = STUDY.ordered_by(name) if name in COMPARISONS else None
    if not found:
        return ""
    setting, values = found
    numbers = [f"{value:g}" for value in values]
    rate = cohort_table.decoded_rate(STUDY.config)
    known = "" if "source" in COMPARISONS[name] else f" --frame-rate {rate}"
    return f"{shlex.join(['--setting', setting, '--values', *numbers])}{known}"


def reproduction_flags():
    """Which published decoder is whose."""
    words = [
        ["--decoder", name, *(f"{key}={value}" for key, value in where.items())]
        for name, where in REPRODUCTION.items()
    ]
    return " ".join(map(shlex.join, words))


def published_files():
    """The published figures, which lie beside the package."""
    return list(map(str, sorted(published.FOLDER.glob("*.csv"))))
