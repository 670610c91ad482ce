"""Figures and the report of a study.

REQUIRED INPUTS: tables/auc.tsv, tables/session_auc.tsv, tables/comparisons.tsv, tables/cohort.tsv
OUTPUTS: figures/auc_{comparison}.svg and .png (auc_all where nothing is compared), report.html
"""


rule figure_auc:
    input:
        auc=RESULTS / "tables/auc.tsv",
        comparisons=comparison_table,
    output:
        svg=report(
            RESULTS / "figures/auc_{comparison}.svg",
            category="AUC",
            caption="../report/auc.rst",
            labels={"comparison": "{comparison}"},
        ),
        png=RESULTS / "figures/auc_{comparison}.png",
    log:
        RESULTS / "logs/figure_auc/{comparison}.log",
    conda:
        "../../envs/mesodecode.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        prefix=str(RESULTS / "figures/auc_{comparison}"),
        decoders=decoders_compared,
        comparisons=lambda wildcards, input: flag_if("--comparisons", input.comparisons),
        code=code_version("figures"),
    message:
        "Drawing the AUCs of {wildcards.comparison}"
    shell:
        "mesodecode figures --auc {input.auc} --only {params.decoders} {params.comparisons} "
        "--name {wildcards.comparison} --out {params.prefix} 2> {log}"


rule report:
    input:
        config=RESULTS / "config.json",
        allocations=RESULTS / "allocations.tsv",
        cohort=RESULTS / "tables/cohort.tsv",
        auc=RESULTS / "tables/auc.tsv",
        sessions=RESULTS / "tables/session_auc.tsv",
        comparisons=all_comparisons(),
        figures=report_figures(),
    output:
        RESULTS / "report.html",
    log:
        RESULTS / "logs/report.log",
    conda:
        "../../envs/mesodecode.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        comparisons=lambda wildcards, input: flag_if("--comparisons", input.comparisons),
        code=code_version("report", "templates/report.html.j2"),
    message:
        "Writing the report"
    shell:
        "mesodecode report --config {input.config} --allocations {input.allocations} "
        "--cohort {input.cohort} --auc {input.auc} --sessions {input.sessions} "
        "{params.comparisons} --figure {input.figures} --out {output} 2> {log}"
