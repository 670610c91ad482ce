"""From predictions to AUC tables and tests.

REQUIRED INPUTS: predictions/{decoder}/{allocation}.h5, or the source of a comparison
OUTPUTS: config.json (all defaults filled in), allocations.tsv, tables/auc.tsv, tables/session_auc.tsv, tables/comparisons.tsv,
tables/inference.tsv, tables/chance.tsv; all of them is the target `tables`
"""


include: "functions/scores.smk"


COMPARISONS = STUDY.config["comparisons"]
SHIFTS = STUDY.config["circular_shifts"]
# Allocations with several test mice share some, for which there is no test.
INFERRED = [
    name
    for name, c in COMPARISONS.items()
    if "source" in c or STUDY.config["allocation"]["test"] == 1
]


wildcard_constraints:
    comparison="|".join([*COMPARISONS, "all"]),


rule resolved_config:
    output:
        RESULTS / "config.json",
    log:
        RESULTS / "logs/resolved_config.log",
    localrule: True
    conda:
        "../../envs/mesodecode.yaml"
    params:
        config=lambda wildcards: json.dumps(STUDY.config, indent=1),
    message:
        "Writing the config with all defaults filled in"
    shell:
        "printf '%s\\n' {params.config:q} > {output} 2> {log}"


# Of params and not of the config's file, which is written anew with every edit: what follows a
# job that is to run is not asked whether it has changed itself, not even behind `ancient`.
rule allocations:
    output:
        report(
            RESULTS / "allocations.tsv",
            category="Cohort",
            caption="../report/allocations.rst",
            labels={"table": "allocations"},
        ),
    log:
        RESULTS / "logs/allocations.log",
    localrule: True
    conda:
        "../../envs/mesodecode.yaml"
    params:
        table=STUDY.allocation_table(),
    message:
        "Listing the allocations"
    shell:
        "printf '%s\\n' {params.table:q} > {output} 2> {log}"


rule auc:
    input:
        allocations=RESULTS / "allocations.tsv",
        predictions=expand(
            RESULTS / "predictions/{decoder}/{allocation}.h5",
            decoder=STUDY.decoders,
            allocation=STUDY.allocations,
        ),
    output:
        auc=report(
            RESULTS / "tables/auc.tsv",
            category="AUC",
            caption="../report/auc_table.rst",
            labels={"table": "by allocation"},
        ),
        sessions=report(
            RESULTS / "tables/session_auc.tsv",
            category="AUC",
            caption="../report/session_auc.rst",
            labels={"table": "by session"},
        ),
    log:
        RESULTS / "logs/auc.log",
    conda:
        "../../envs/mesodecode.yaml"
    resources:
        mem_mb=grows(1000),  # 0.1 GB, a file at a time
        runtime=grows(30),  # 1 min for 980 files
    params:
        predictions=RESULTS / "predictions",
        decoders=list(STUDY.decoders),
        code=code_version("auc"),
    message:
        "Scoring {params.decoders}"
    shell:
        "mesodecode auc --predictions {params.predictions} --decoders {params.decoders} "
        "--allocations {input.allocations} --out {output.auc} --sessions {output.sessions} "
        "2> {log}"


rule compare:
    input:
        auc_compared,
    output:
        RESULTS / "tables/comparisons/{comparison}.tsv",
    log:
        RESULTS / "logs/compare/{comparison}.log",
    localrule: True  # two seconds: not worth a submission
    conda:
        "../../envs/mesodecode.yaml"
    resources:
        mem_mb=grows(1000),  # 0.2 GB
        runtime=grows(10),  # seconds
    params:
        family=family_flags,
        across=protocol_flags,
        tests=lambda wildcards: COMPARISONS[wildcards.comparison]["tests"],
        code=code_version("compare"),
    message:
        "Testing the decoders of {wildcards.comparison}"
    shell:
        "mesodecode compare --auc {input:q} {params.family} {params.across} "
        "--test {params.tests} "
        "--out {output} 2> {log}"


rule infer:
    input:
        auc=auc_compared,
        sessions=sessions_compared,
    output:
        RESULTS / "tables/inference/{comparison}.tsv",
    log:
        RESULTS / "logs/infer/{comparison}.log",
    localrule: True  # two seconds: not worth a submission
    conda:
        "../../envs/mesodecode.yaml"
    resources:
        mem_mb=grows(1000),  # 0.2 GB
        runtime=grows(10),  # seconds
    params:
        family=family_flags,
        across=protocol_flags,
        sessions=lambda wildcards, input: flag_if("--sessions", input.sessions),
        code=code_version("inference"),
    message:
        "Testing the decoders of {wildcards.comparison} with mice as the unit"
    shell:
        "mesodecode inference --auc {input.auc:q} {params.sessions} {params.family} "
        "{params.across} "
        "--out {output} 2> {log}"


rule chance:
    input:
        auc=RESULTS / "tables/auc.tsv",
        predictions=expand(
            RESULTS / "predictions/{decoder}/{allocation}.h5",
            decoder=STUDY.decoders if SHIFTS else [],
            allocation=STUDY.allocations,
        ),
    output:
        report(
            RESULTS / "tables/chance.tsv",
            category="Tests",
            caption="../report/chance.rst",
            labels={"table": "chance"},
        ),
    log:
        RESULTS / "logs/chance.log",
    conda:
        "../../envs/mesodecode.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        nulls=chance_flags(),
        code=code_version("chance"),
    message:
        "Comparing decoders with chance"
    shell:
        "mesodecode chance --auc {input.auc} {params.nulls} --out {output} 2> {log}"


rule comparisons:
    input:
        expand(
            RESULTS / "tables/comparisons/{comparison}.tsv",
            comparison=COMPARISONS,
        ),
    output:
        report(
            RESULTS / "tables/comparisons.tsv",
            category="Tests",
            caption="../report/comparisons.rst",
            labels={"table": "comparisons as published"},
        ),
    log:
        RESULTS / "logs/comparisons.log",
    localrule: True
    conda:
        "../../envs/mesodecode.yaml"
    message:
        "Joining the comparisons"
    shell:
        "awk 'FNR > 1 || NR == 1' {input} > {output} 2> {log}"


rule inference:
    input:
        expand(RESULTS / "tables/inference/{comparison}.tsv", comparison=INFERRED),
    output:
        report(
            RESULTS / "tables/inference.tsv",
            category="Tests",
            caption="../report/inference.rst",
            labels={"table": "comparisons with mice as the unit"},
        ),
    log:
        RESULTS / "logs/inference.log",
    localrule: True
    conda:
        "../../envs/mesodecode.yaml"
    message:
        "Joining the tests with mice as the unit"
    shell:
        "awk 'FNR > 1 || NR == 1' {input} > {output} 2> {log}"


STUDY_TABLES = [
    RESULTS / f"tables/{name}.tsv"
    for name, asked in {
        "auc": STUDY.decoders,
        "session_auc": STUDY.decoders,
        "comparisons": COMPARISONS,
        "inference": INFERRED,
        "chance": STUDY.nulls or (STUDY.decoders and SHIFTS),
    }.items()
    if asked
]
SHOWN_TABLES += STUDY_TABLES


rule tables:
    input:
        STUDY_TABLES,
