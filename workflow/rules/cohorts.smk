"""How well decoders of one cohort of mice do in another, if the config names cohorts.

REQUIRED INPUTS: tables/auc.tsv, regression.tsv or states.tsv; tables/shift.tsv, for what goes with a loss
OUTPUTS: tables/cohorts.tsv, figures/cohorts.svg and .png; tables/cohort_shift.tsv
"""

if STUDY.config["cohorts"] and STUDY.decoders:
    SHOWN_TABLES += [RESULTS / "tables/cohorts.tsv"]
    SHOWN_FIGURES += [RESULTS / "figures/cohorts.svg"]

    rule cohorts:
        input:
            config=RESULTS / "config.json",
            auc=SCORE_TABLE,
        output:
            **svg_png("figures/cohorts", "Cohorts", "cohorts", kind="figure"),
            table=shown("tables/cohorts.tsv", "Cohorts", "cohorts", kind="table"),
        log:
            RESULTS / "logs/cohorts.log",
        localrule: True  # two seconds: not worth a submission
        resources:
            mem_mb=grows(1000),
            runtime=grows(10),
        params:
            prefix=RESULTS / "figures/cohorts",
            code=code_version("cohorts"),
        message:
            "Comparing cohorts"
        shell:
            "mesodecode cohorts --config {input.config} --auc {input.auc} --out {output.table} "
            "--figure {params.prefix} 2> {log}"

    if SHIFTED:
        SHOWN_TABLES += [RESULTS / "tables/cohort_shift.tsv"]

        rule cohort_shift:
            input:
                config=RESULTS / "config.json",
                shift=RESULTS / "tables/shift.tsv",
            output:
                shown(
                    "tables/cohort_shift.tsv",
                    "Cohorts",
                    "cohort_shift",
                    kind="what goes with a loss",
                ),
            log:
                RESULTS / "logs/cohort_shift.log",
            localrule: True
            resources:
                mem_mb=grows(1000),
                runtime=grows(10),
            params:
                code=code_version("cohort_shift"),
            message:
                "Ranking what goes with a loss across cohorts"
            shell:
                "mesodecode cohort-shift --config {input.config} --shift {input.shift} "
                "--out {output} 2> {log}"
