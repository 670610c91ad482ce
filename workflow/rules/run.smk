"""The run itself, of every study: its config as resolved, and run times.

REQUIRED INPUTS: what the rules before name in BEFORE_RUNTIMES, made by the jobs that are timed
OUTPUTS: config.json (all defaults filled in), tables/runtimes.tsv
"""

import base64
import json

RESOLVED = json.dumps(STUDY.config, indent=1)


def warn_of_no_records():
    """Say so where an edit of the config would be passed over.

    What files were made with is in .snakemake/, beside results/. Where these were moved without it,
    Snakemake goes by dates alone.
    """
    made, records = RESULTS / "config.json", Path(".snakemake")
    name = base64.urlsafe_b64encode(str(made).encode()).decode()  # as Snakemake has it
    kept = [records / "metadata" / name, records / "metadata.db"]
    known = any(path.exists() for path in kept)
    if made.exists() and not known and made.read_text() != f"{RESOLVED}\n":
        print(
            f"{made}: the config was another, and .snakemake/ has no record of it, so that what was "
            "edited is NOT made again; bring .snakemake/ along from where results/ were made, or "
            "run once with --forceall",
            file=sys.stderr,
        )


if workflow.is_main_process:
    warn_of_no_records()


rule resolved_config:
    output:
        RESULTS / "config.json",
    log:
        RESULTS / "logs/resolved_config.log",
    localrule: True
    params:
        config=lambda wildcards: RESOLVED,
    message:
        "Writing the config with all defaults filled in"
    shell:
        "printf '%s\\n' {params.config:q} > {output} 2> {log}"


# Benchmark files are no inputs: a missing one must not train a network again. What the jobs made is
# an input, so that the times follow every run.
rule runtimes:
    input:
        config=RESULTS / "config.json",
        after=BEFORE_RUNTIMES,
    output:
        shown("tables/runtimes.tsv", "Run", "runtimes", table="run times"),
    log:
        RESULTS / "logs/runtimes.log",
    localrule: True
    params:
        benchmarks=RESULTS / "benchmarks",
        code=code_version("runtimes"),
    message:
        "Summing up run times"
    shell:
        "mesodecode runtimes --config {input.config} --benchmarks {params.benchmarks} "
        "--out {output} 2> {log}"
