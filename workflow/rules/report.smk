"""Figures and the report of a study.

REQUIRED INPUTS: tables/auc.tsv, tables/session_auc.tsv, tables/cohort.tsv, tables/comparisons.tsv,
tables/inference.tsv, tables/chance.tsv; models/{decoder}/{allocation}.history.tsv of networks;
tables/qc.tsv, figures/qc.svg, figures/qc/{session}.svg; tables/importance_{importance}_checks.tsv
and figures of importance analyses; benchmarks/, as far as it is there
OUTPUTS: figures/auc_{comparison}.svg and .png (auc_all where nothing is compared),
figures/loss_{decoder}.svg and .png of every network, figures/cohort.svg and .png,
tables/reproduction.tsv, figures/reproduction.svg and .png, report.html and references.bib; all figures of the report but for those of single decoders are the target `figures`
"""


include: "functions/report.smk"


# Networks are trained for epochs, of which there is a figure.
NETWORKS = [d.name for d in STUDY.decoders.values() if "epochs" in d.settings]
OWN = [name for name, c in COMPARISONS.items() if "source" not in c]
FIGURES = [*COMPARISONS, *(["all"] if STUDY.decoders and not OWN else [])]
REPRODUCTION = STUDY.config["reproduction"]


STUDY_FIGURES = [
    *([RESULTS / "figures/cohort.svg"] if STUDY.decoders else []),
    *expand(RESULTS / f"figures/{SCORED.table}_{{name}}.svg", name=FIGURES),
    *([RESULTS / "figures/reproduction.svg"] if REPRODUCTION else []),
    # the correlation is with run and rest
    *(
        [RESULTS / "figures/roi_correlation.svg"]
        if STUDY.roi_decoders and SCORED.name == "run"
        else []
    ),
]
SHOWN_TABLES += [
    RESULTS / "allocations.tsv",
    RESULTS / "tables/cohort.tsv",
    RESULTS / "tables/runtimes.tsv",
    *([RESULTS / "tables/reproduction.tsv"] if REPRODUCTION else []),
]
SHOWN_FIGURES += STUDY_FIGURES
SHOWN_FIGURES += expand(RESULTS / "figures/loss_{decoder}.svg", decoder=NETWORKS)


rule figure_auc:
    input:
        auc=auc_compared,
        comparisons=comparison_table,
    output:
        **svg_png(
            f"figures/{SCORED.table}_{{comparison}}",
            "AUC",
            "auc",
            comparison="{comparison}",
        ),
    log:
        RESULTS / "logs/figure_auc/{comparison}.log",
    localrule: True  # three seconds: not worth a submission
    resources:
        mem_mb=grows(1000),  # 0.2 GB
        runtime=grows(10),  # seconds
    params:
        prefix=str(RESULTS / f"figures/{SCORED.table}_{{comparison}}"),
        family=family_flags,
        setting=setting_flags,
        comparisons=lambda wildcards, input: flag_if("--comparisons", input.comparisons),
        held=held(auc_compared),
        code=code_version("figures"),
    message:
        "Drawing the AUCs of {wildcards.comparison}"
    shell:
        "mesodecode figures --auc {input.auc:q} {params.family} {params.setting} "
        "{params.comparisons} --out {params.prefix} 2> {log}"


rule figures:
    input:
        STUDY_FIGURES,


rule cohort_figure:
    input:
        cohort=RESULTS / "tables/cohort.tsv",
        recordings=lists_of(STUDY.mice),
    output:
        **svg_png("figures/cohort", "Cohort", "cohort_figure", figure="cohort"),
    log:
        RESULTS / "logs/cohort_figure.log",
    resources:
        mem_mb=grows(2000),
        runtime=grows(10),
    params:
        recordings=RESULTS / "recordings",
        prefix=RESULTS / "figures/cohort",
        order=list(STUDY.mice),
        code=code_version("cohort_figure"),
    message:
        "Drawing the cohort"
    shell:
        "mesodecode cohort-figure --cohort {input.cohort} --recordings {params.recordings} "
        "--out {params.prefix} 2> {log}"


rule reproduction:
    input:
        auc=RESULTS / "tables/auc.tsv",
        cohort=RESULTS / "tables/cohort.tsv",
    output:
        **svg_png(
            "figures/reproduction",
            "AUC",
            "reproduction",
            figure="beside the published AUC",
        ),
        table=RESULTS / "tables/reproduction.tsv",
    log:
        RESULTS / "logs/reproduction.log",
    resources:
        mem_mb=grows(2000),
        runtime=grows(10),
    params:
        pairs=reproduction_flags(),
        prefix=RESULTS / "figures/reproduction",
        code=code_version("reproduction", *published_files()),
    message:
        "Comparing the AUCs with the published ones"
    shell:
        "mesodecode reproduction --auc {input.auc} --cohort {input.cohort} {params.pairs} "
        "--out {output.table} --figure {params.prefix} 2> {log}"


rule figure_loss:
    input:
        allocations=RESULTS / "allocations.tsv",
        histories=expand(
            RESULTS / "models/{decoder}/{allocation}.history.tsv",
            decoder=NETWORKS,
            allocation=STUDY.allocations,
        ),
    output:
        *[
            shown(f"figures/loss_{decoder}.svg", "Training", "loss", decoder=decoder)
            for decoder in NETWORKS
        ],
        png=expand(RESULTS / "figures/loss_{decoder}.png", decoder=NETWORKS),
    log:
        RESULTS / "logs/figure_loss.log",
    resources:
        mem_mb=grows(1000),  # 0.2 GB
        runtime=grows(30),  # seconds a figure
    params:
        models=RESULTS / "models",
        decoders=NETWORKS,
        prefix=RESULTS / "figures/loss_",
        code=code_version("losses"),
    message:
        "Drawing the losses of {params.decoders}"
    shell:
        "mesodecode losses --models {params.models} --decoders {params.decoders} "
        "--allocations {input.allocations} --out {params.prefix} 2> {log}"


# All that is timed is behind what the report shows: maps, controls, ceilings and shift too.
BEFORE_RUNTIMES = [
    path
    for path in [*SHOWN_TABLES, *SHOWN_FIGURES]
    if path != RESULTS / "tables/runtimes.tsv"
]


rule report:
    input:
        config=RESULTS / "config.json",
        tables=SHOWN_TABLES,
        figures=SHOWN_FIGURES,
    output:
        html=RESULTS / "report.html",
        references=RESULTS / "references.bib",
    log:
        RESULTS / "logs/report.log",
    resources:
        mem_mb=grows(1000),  # 0.2 GB
        runtime=grows(10),  # seconds
    params:
        code=code_version("report", *report_files()),
    message:
        "Writing the report"
    shell:
        "mesodecode report --config {input.config} --tables {input.tables} "
        "--figures {input.figures} --out {output.html} --references {output.references} 2> {log}"


# What the ground-truth benchmark reads of a study of simulated mice; `mesodecode suite` puts the
# studies together (docs/benchmark-suite.md).
rule benchmark:
    input:
        RESULTS / "config.json",
        *[
            RESULTS / f"tables/{name}.tsv"
            for name, made in {
                "auc": STUDY.decoders,
                "calibration": CALIBRATED,
                "qc": STUDY.decoders,
                "chance": STUDY.nulls or SHIFTS,
                "shift": SHIFTED,
                "confounds": control_windows(),
                "ceilings_gaps": CEILINGS,
                "cohorts": STUDY.config["cohorts"],
            }.items()
            if made
        ],
        expand(RESULTS / "tables/importance_{name}.tsv", name=IMPORTANCE),
