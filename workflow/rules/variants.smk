"""Variants of the study side by side.

REQUIRED INPUTS: tables/auc.tsv, regression.tsv or states.tsv; tables/qc.tsv, recordings and measures of variants; tables/shift.tsv
    and adaptive/{decoder}.tsv where they are made
OUTPUTS: variants/{variant}/qc.tsv, tables/variants.tsv, figures/variants.svg and .png
"""

ADAPTIVE = [d.name for d in STUDY.decoders.values() if d.kind == "adaptive"]


if STUDY.config["variants"]:
    SHOWN_TABLES += [RESULTS / "tables/variants.tsv"]
    SHOWN_FIGURES += [RESULTS / "figures/variants.svg"]

    rule qc_variant:
        input:
            recordings=expand(
                RESULTS / "variants/{{variant}}/recordings/{session}.h5",
                session=STUDY.mouse_of,
            ),
            measures=expand(
                RESULTS / "variants/{{variant}}/measures/{session}.h5",
                session=STUDY.mouse_of,
            ),
        output:
            RESULTS / "variants/{variant}/qc.tsv",
        log:
            RESULTS / "logs/qc_variant/{variant}.log",
        resources:
            mem_mb=grows(2000),
            runtime=grows(30),
        params:
            prefix=str(RESULTS / "variants/{variant}/qc"),
            settings=options.as_flags(STUDY.config["qc"], "qc"),
            order=list(STUDY.mouse_of),
            code=code_version("qc"),
        message:
            "Checking the quality of the recordings of {wildcards.variant}"
        shell:
            "mesodecode qc --recordings {input.recordings} --measures {input.measures} "
            "--table {output} --out {params.prefix} {params.settings} 2> {log}"

    rule variants:
        input:
            config=RESULTS / "config.json",
            auc=SCORE_TABLE,
            qc=RESULTS / "tables/qc.tsv",
            variants=expand(
                RESULTS / "variants/{variant}/qc.tsv", variant=STUDY.variants
            ),
            shift=[RESULTS / "tables/shift.tsv"] if SHIFTED else [],
            adaptive=expand(RESULTS / "adaptive/{decoder}.tsv", decoder=ADAPTIVE),
        output:
            **svg_png("figures/variants", "Variants", "variants", kind="figure"),
            table=shown("tables/variants.tsv", "Variants", "variants", kind="table"),
        log:
            RESULTS / "logs/variants.log",
        resources:
            mem_mb=grows(2000),
            runtime=grows(10),
        params:
            qc=lambda wildcards, input: [
                f"{name}={path}"
                for name, path in zip(STUDY.variants, input.variants, strict=True)
            ],
            shift=lambda wildcards, input: flag_if("--shift", input.shift),
            adaptive=lambda wildcards, input: flag_if(
                "--adaptive", map("=".join, zip(ADAPTIVE, input.adaptive, strict=True))
            ),
            prefix=RESULTS / "figures/variants",
            code=code_version("variants"),
        message:
            "Putting variants side by side"
        shell:
            "mesodecode variants --config {input.config} --auc {input.auc} "
            "--qc {input.qc} {params.qc} {params.shift} {params.adaptive} "
            "--out {output.table} --figure {params.prefix} 2> {log}"
