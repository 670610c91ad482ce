"""From predictions to AUC tables and tests.

REQUIRED INPUTS: predictions/{decoder}/{allocation}.h5
OUTPUTS: allocations.tsv, tables/auc.tsv, tables/session_auc.tsv, tables/comparisons.tsv
"""


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


rule allocations:
    input:
        RESULTS / "config.json",
    output:
        RESULTS / "allocations.tsv",
    log:
        RESULTS / "logs/allocations.log",
    localrule: True
    conda:
        "../../envs/mesodecode.yaml"
    params:
        code=code_version("allocations"),
    message:
        "Listing the allocations"
    shell:
        "mesodecode allocations --config {input} --out {output} 2> {log}"


rule auc:
    input:
        allocations=RESULTS / "allocations.tsv",
        predictions=expand(
            RESULTS / "predictions/{decoder}/{allocation}.h5",
            decoder=STUDY.decoders,
            allocation=STUDY.allocations,
        ),
    output:
        auc=RESULTS / "tables/auc.tsv",
        sessions=RESULTS / "tables/session_auc.tsv",
    log:
        RESULTS / "logs/auc.log",
    conda:
        "../../envs/mesodecode.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
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
        RESULTS / "tables/auc.tsv",
    output:
        RESULTS / "tables/comparisons/{comparison}.tsv",
    log:
        RESULTS / "logs/compare/{comparison}.log",
    conda:
        "../../envs/mesodecode.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        decoders=lambda wildcards: STUDY.config["comparisons"][wildcards.comparison][
            "decoders"
        ],
        tests=lambda wildcards: STUDY.config["comparisons"][wildcards.comparison][
            "tests"
        ],
        code=code_version("compare"),
    message:
        "Testing the decoders of {wildcards.comparison}"
    shell:
        "mesodecode compare --auc {input} --by decoder --only {params.decoders} "
        "--name {wildcards.comparison} --test {params.tests} --out {output} 2> {log}"


rule comparisons:
    input:
        expand(
            RESULTS / "tables/comparisons/{comparison}.tsv",
            comparison=STUDY.config["comparisons"],
        ),
    output:
        RESULTS / "tables/comparisons.tsv",
    log:
        RESULTS / "logs/comparisons.log",
    localrule: True
    conda:
        "../../envs/mesodecode.yaml"
    message:
        "Joining the comparisons"
    shell:
        "awk 'FNR > 1 || NR == 1' {input} > {output} 2> {log}"
