"""Quality control of the recordings; `snakemake qc` makes it alone, before anything is trained.

REQUIRED INPUTS: recordings/{session}.h5, measures/{session}.h5
OUTPUTS: tables/qc.tsv, figures/qc.svg and .png of all sessions, figures/qc/{session}.svg and .png
"""

SHOWN_TABLES += [RESULTS / "tables/qc.tsv"]
SHOWN_FIGURES += [RESULTS / "figures/qc.svg"]
SHOWN_FIGURES += expand(RESULTS / "figures/qc/{session}.svg", session=STUDY.mouse_of)


rule qc:
    input:
        recordings=expand(RESULTS / "recordings/{session}.h5", session=STUDY.mouse_of),
        measures=expand(RESULTS / "measures/{session}.h5", session=STUDY.mouse_of),
    output:
        *[
            report(
                RESULTS / f"figures/qc/{session}.svg",
                category="Quality",
                caption="../report/qc.rst",
                labels={"session": session},
            )
            for session in STUDY.mouse_of
        ],
        table=RESULTS / "tables/qc.tsv",
        page=report(
            RESULTS / "figures/qc.svg",
            category="Quality",
            caption="../report/qc.rst",
            labels={"session": "all"},
        ),
        png=expand(
            RESULTS / "figures/{name}.png",
            name=["qc", *(f"qc/{session}" for session in STUDY.mouse_of)],
        ),
    log:
        RESULTS / "logs/qc.log",
    conda:
        "../../envs/mesodecode.yaml"
    resources:
        mem_mb=grows(2000),  # 0.6 GB
        runtime=grows(30),  # 1 min
    params:
        prefix=RESULTS / "figures/qc",
        settings=options.as_flags(STUDY.config["qc"], "qc"),
        code=code_version("qc"),
    message:
        "Checking the quality of the recordings"
    shell:
        "mesodecode qc --recordings {input.recordings} --measures {input.measures} "
        "--table {output.table} --out {params.prefix} {params.settings} 2> {log}"
