"""Ceilings: decoders trained on other sessions of the mouse that they are tested on.

REQUIRED INPUTS: recordings/{session}.h5; tables/session_auc.tsv, or that of another target
OUTPUTS: ceilings/{decoder}/{split}.h5, predictions of the session that a training has left out;
    tables/ceilings.tsv, tables/ceilings_gaps.tsv, figures/ceilings.svg and .png. Nothing of it is in
    predictions/ or tables/auc.tsv, whose decoders never saw their test mice
"""


include: "functions/ceilings.smk"


rule hold_out:
    input:
        first=first_weights,
        train=sessions_with("train"),
        valid=sessions_with("valid"),
        test=sessions_with("test"),
        dropped=dropped_rois_of,
    output:
        RESULTS / "ceilings/{decoder}/{split}.h5",
    log:
        RESULTS / "logs/hold_out/{decoder}/{split}.log",
    benchmark:
        RESULTS / "benchmarks/hold_out/{decoder}/{split}.tsv"
    wildcard_constraints:
        decoder=names_of(
            lambda d: d.name in CEILINGS and not KINDS[d.kind].image_network
        ),
        split=r"[a-z_]+\.test-[\w.-]+",
    threads: 1
    resources:
        mem_mb=grows(4000),
        runtime=grows(60),
        device="cpu",
    params:
        arm=lambda wildcards: split_of(wildcards).arm,
        valid=lambda wildcards, input: flag_if("--valid", input.valid),
        dropped=dropped_flag,
        settings=held_out_settings,
        order=sessions_with("train"),
        held=held(first_weights),
        code=code_version("hold_out"),
    message:
        "Training {wildcards.decoder} for {wildcards.split}"
    shell:
        "mesodecode hold-out --arm {params.arm} --train {input.train} {params.valid} "
        "--test {input.test} --decoder {wildcards.decoder} --settings {params.settings:q} "
        "{params.dropped} --device {resources.device} --threads {threads} --out {output} 2> {log}"


use rule hold_out as hold_out_images with:
    log:
        RESULTS / "logs/hold_out_images/{decoder}/{split}.log",
    benchmark:
        RESULTS / "benchmarks/hold_out_images/{decoder}/{split}.tsv"
    wildcard_constraints:
        decoder=names_of(lambda d: d.name in CEILINGS and KINDS[d.kind].image_network),
        split=r"[a-z_]+\.test-[\w.-]+",
    threads: STUDY.config["threads"]
    resources:
        **on_device(GPU),
        mem_mb=grows(16000),  # frames of a mouse's sessions, and a batch
        runtime=grows(240),


rule ceilings:
    input:
        config=RESULTS / "config.json",
        held_out=held_out_files(),
        sessions=RESULTS / f"tables/session_{SCORED.table}.tsv",
        dates=dates_table(),
    output:
        **svg_png("figures/ceilings", "Ceilings", "ceilings", kind="figure"),
        table=RESULTS / "tables/ceilings.tsv",
        gaps=shown("tables/ceilings_gaps.tsv", "Ceilings", "ceilings", kind="table"),
    log:
        RESULTS / "logs/ceilings.log",
    resources:
        mem_mb=grows(1000),
        runtime=grows(15),
    params:
        folder=RESULTS / "ceilings",
        prefix=RESULTS / "figures/ceilings",
        held=held(dates_table()),
        code=code_version("ceilings"),
    message:
        "Holding decoders of other mice against their ceilings"
    shell:
        "mesodecode ceilings --config {input.config} --held-out {params.folder} "
        "--session-auc {input.sessions} --out {output.table} --gaps {output.gaps} "
        "--figure {params.prefix} 2> {log}"


if CEILINGS:
    SHOWN_TABLES += expand(
        RESULTS / "tables/{name}.tsv", name=("ceilings", "ceilings_gaps")
    )
    SHOWN_FIGURES += [RESULTS / "figures/ceilings.svg"]
