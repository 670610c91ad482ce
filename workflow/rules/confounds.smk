"""Controls: running decoded from what is none of neurons, held against decoders.

REQUIRED INPUTS: recordings/{session}.h5; masks of the brain, where the config names some (of a
    simulated cohort simulated/{session}_truth.h5); tables/auc.tsv, or that of another target
OUTPUTS: confounds/signals/{mouse}.h5, confounds/{allocation}.tsv, tables/confounds.tsv,
    figures/confounds.svg and .png
"""


include: "functions/confounds.smk"


from mesodecode.study import control_table

# Masks that controls need, as keys of `confounds` and as flags.
CONTROL_MASKS = ("brain_mask", "vessel_mask")


# A job a mouse and a job an allocation, for all controls: few files for Snakemake to look at.
rule control_signals:
    input:
        unpack(control_inputs),
    output:
        RESULTS / "confounds/signals/{mouse}.h5",
    log:
        RESULTS / "logs/control_signals/{mouse}.log",
    benchmark:
        RESULTS / "benchmarks/control_signals/{mouse}.tsv"
    wildcard_constraints:
        mouse="|".join(STUDY.mice) or "no mouse",
    resources:
        mem_mb=grows(2000),
        runtime=grows(120),
    params:
        masks=lambda wildcards, input: " ".join(
            flag_if(f"--{kind.replace('_', '-')}", input.get(kind))
            for kind in CONTROL_MASKS
        ),
        held=held(control_inputs),
        order=lambda wildcards: STUDY.mice[wildcards.mouse],
        code=code_version("control_signals"),
    message:
        "Taking control signals from the recordings of mouse {wildcards.mouse}"
    shell:
        "mesodecode control-signals --recordings {input.recordings} {params.masks} "
        "--out {output} 2> {log}"


rule decode_controls:
    input:
        lambda wildcards: [
            f"{RESULTS}/confounds/signals/{mouse}.h5"
            for role in ("train", "valid", "test")
            for mouse in getattr(STUDY.allocations[wildcards.allocation], role)
        ],
    output:
        RESULTS / "confounds/{allocation}.tsv",
    log:
        RESULTS / "logs/decode_controls/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/decode_controls/{allocation}.tsv"
    resources:
        mem_mb=grows(8000),
        runtime=grows(120),
    params:
        train=mice_with("train"),
        valid=mice_with("valid"),
        test=mice_with("test"),
        windows=control_windows(),
        settings=options.as_flags(STUDY.config["confounds"], "confounds"),
        code=code_version("decode_controls"),
    message:
        "Decoding controls on {wildcards.allocation}"
    shell:
        "mesodecode decode-controls --signals {input} --train-mice {params.train} "
        "--valid-mice {params.valid} --test-mice {params.test} --windows {params.windows} "
        "{params.settings} --out {output} 2> {log}"


if control_windows():
    SHOWN_TABLES += [RESULTS / "tables/confounds.tsv"]
    SHOWN_FIGURES += [RESULTS / "figures/confounds.svg"]


rule confounds:
    input:
        controls=expand(
            RESULTS / "confounds/{allocation}.tsv", allocation=STUDY.allocations
        ),
        auc=SCORE_TABLE,
    output:
        **svg_png("figures/confounds", "Confounds", "confounds", kind="figure"),
        table=shown("tables/confounds.tsv", "Confounds", "confounds", kind="table"),
    log:
        RESULTS / "logs/confounds.log",
    resources:
        mem_mb=grows(2000),
        runtime=grows(10),
    params:
        prefix=RESULTS / "figures/confounds",
        code=code_version("confounds"),
    message:
        "Holding controls against decoders"
    shell:
        "mesodecode confounds --controls {input.controls} --auc {input.auc} "
        "--out {output.table} --figure {params.prefix} 2> {log}"
