"""The run itself, of every study: its config as resolved, and run times.

REQUIRED INPUTS: what the rules before name in BEFORE_RUNTIMES, made by the jobs that are timed
OUTPUTS: config.json (all defaults filled in), tables/runtimes.tsv
"""

import json


include: "functions/run.smk"


RESOLVED = json.dumps(STUDY.config, indent=1)


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
