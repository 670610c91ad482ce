"""From predictions to AUC tables and tests.

REQUIRED INPUTS: predictions/{decoder}/{allocation}.h5, or the source of a comparison
OUTPUTS: allocations.tsv, predicted/{decoder}.txt (when all its
predictions were there), tables/auc.tsv, tables/session_auc.tsv, tables/comparisons.tsv,
tables/inference.tsv, tables/chance.tsv; of another target tables/regression.tsv or tables/states.tsv
in the place of auc.tsv, with session_… and figures/target_….svg, and tables/confusion.tsv; all of them is the target `tables`
"""


include: "functions/scores.smk"


from mesodecode.study import targets

SCORED = targets.kind_named(STUDY.config["target"])
SCORE_TABLE = RESULTS / f"tables/{SCORED.table}.tsv"
CONFUSION = [RESULTS / "tables/confusion.tsv"] if SCORED.name == "states" else []
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


# Of params and not of the config's file, which is written anew with every edit: what follows a
# job that is to run is not asked whether it has changed itself, not even behind `ancient`.
rule allocations:
    output:
        shown("allocations.tsv", "Cohort", "allocations", table="allocations"),
    log:
        RESULTS / "logs/allocations.log",
    localrule: True
    params:
        table=STUDY.allocation_table(),
    message:
        "Listing the allocations"
    shell:
        "printf '%s\\n' {params.table:q} > {output} 2> {log}"


rule predictions_of_decoder:
    input:
        lambda wildcards: predictions_listed(wildcards.decoder),
    output:
        RESULTS / "predicted/{decoder}.txt",
    log:
        RESULTS / "logs/predictions_of_decoder/{decoder}.log",
    wildcard_constraints:
        decoder="|".join(STUDY.decoders) or "no decoder",
    localrule: True
    params:
        time=TIME,
    message:
        "All predictions of {wildcards.decoder} are there"
    shell:
        # nothing reads their names, which of thousands of allocations no command can hold
        "{params.time} > {output} 2> {log}"


rule auc:
    input:
        allocations=RESULTS / "allocations.tsv",
        predictions=predicted_by(STUDY.decoders),
    output:
        auc=shown("tables/auc.tsv", "AUC", "auc_table", table="by allocation"),
        sessions=shown(
            "tables/session_auc.tsv", "AUC", "session_auc", table="by session"
        ),
    log:
        RESULTS / "logs/auc.log",
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


if SCORED.name != "run":

    # In the place of rule auc: R² of a trace, macro AUC of named states.
    rule score:
        input:
            allocations=RESULTS / "allocations.tsv",
            predictions=predicted_by(STUDY.decoders),
        output:
            **svg_png(
                f"figures/target_{SCORED.table}", "Scores", "scores", table="figure"
            ),
            table=shown(
                f"tables/{SCORED.table}.tsv", "Scores", "scores", table="by allocation"
            ),
            sessions=RESULTS / f"tables/session_{SCORED.table}.tsv",
            confusion=CONFUSION,
        log:
            RESULTS / "logs/score.log",
        resources:
            mem_mb=grows(1000),
            runtime=grows(30),
        params:
            predictions=RESULTS / "predictions",
            decoders=list(STUDY.decoders),
            prefix=RESULTS / f"figures/target_{SCORED.table}",
            confusion=flag_if("--confusion", list(map(str, CONFUSION))),
            shifts=f"--shifts {SHIFTS}" if SHIFTS else "",
            code=code_version("score"),
        message:
            "Scoring {params.decoders}"
        shell:
            "mesodecode score --predictions {params.predictions} --decoders {params.decoders} "
            "--allocations {input.allocations} {params.shifts} {params.confusion} "
            "--out {output.table} --sessions {output.sessions} --figure {params.prefix} 2> {log}"


rule compare:
    input:
        auc_compared,
    output:
        RESULTS / "tables/comparisons/{comparison}.tsv",
    log:
        RESULTS / "logs/compare/{comparison}.log",
    localrule: True  # two seconds: not worth a submission
    resources:
        mem_mb=grows(1000),  # 0.2 GB
        runtime=grows(10),  # seconds
    params:
        family=family_flags,
        across=protocol_flags,
        tests=lambda wildcards: COMPARISONS[wildcards.comparison]["tests"],
        held=held(auc_compared),
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
    resources:
        mem_mb=grows(1000),  # 0.2 GB
        runtime=grows(10),  # seconds
    params:
        family=family_flags,
        across=protocol_flags,
        sessions=lambda wildcards, input: flag_if("--sessions", input.sessions),
        held=held(auc_compared),
        code=code_version("inference"),
    message:
        "Testing the decoders of {wildcards.comparison} with mice as the unit"
    shell:
        "mesodecode inference --auc {input.auc:q} {params.sessions} {params.family} "
        "{params.across} "
        "--out {output} 2> {log}"


rule chance:
    input:
        auc=SCORE_TABLE,
        predictions=predicted_by(STUDY.decoders if SHIFTS else []),
    output:
        shown("tables/chance.tsv", "Tests", "chance", table="chance"),
    log:
        RESULTS / "logs/chance.log",
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
        shown(
            "tables/comparisons.tsv",
            "Tests",
            "comparisons",
            table="comparisons as published",
        ),
    log:
        RESULTS / "logs/comparisons.log",
    localrule: True
    params:
        order=list(COMPARISONS),
    message:
        "Joining the comparisons"
    shell:
        "awk 'FNR > 1 || NR == 1' {input} > {output} 2> {log}"


rule inference:
    input:
        expand(RESULTS / "tables/inference/{comparison}.tsv", comparison=INFERRED),
    output:
        shown(
            "tables/inference.tsv",
            "Tests",
            "inference",
            table="comparisons with mice as the unit",
        ),
    log:
        RESULTS / "logs/inference.log",
    localrule: True
    params:
        order=list(INFERRED),
    message:
        "Joining the tests with mice as the unit"
    shell:
        "awk 'FNR > 1 || NR == 1' {input} > {output} 2> {log}"


STUDY_TABLES = [
    RESULTS / f"tables/{name}.tsv"
    for name, asked in {
        SCORED.table: STUDY.decoders,
        f"session_{SCORED.table}": STUDY.decoders,
        "comparisons": COMPARISONS,
        "inference": INFERRED,
        "chance": SCORED.name == "run" and (STUDY.nulls or (STUDY.decoders and SHIFTS)),
    }.items()
    if asked
]
SHOWN_TABLES += STUDY_TABLES
if SCORED.name != "run":
    SHOWN_FIGURES += [RESULTS / f"figures/target_{SCORED.table}.svg"]


rule tables:
    input:
        STUDY_TABLES,
