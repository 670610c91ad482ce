"""What decoders look at.

REQUIRED INPUTS: recordings/{session}.h5 with ROI signals, models/{decoder}/{allocation}.pt
OUTPUTS: importance/{importance}/{allocation}.h5, tables/importance_{importance}.tsv,
    figures/importance_{importance}.svg and .png
"""


wildcard_constraints:
    importance="|".join(IMPORTANCE) or "no importance",


rule shap:
    input:
        weights=weights_explained,
        test=recordings_of("test"),
        background=background_recordings,
    output:
        RESULTS / "importance/{importance}/{allocation}.h5",
    log:
        RESULTS / "logs/shap/{importance}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/shap/{importance}/{allocation}.tsv"
    conda:
        "../../envs/mesodecode.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=240,
        device=STUDY.config["device"],
    params:
        background=lambda wildcards, input: flag_if(
            "--background-recordings", input.background
        ),
        decoder=lambda wildcards: IMPORTANCE[wildcards.importance]["decoder"],
        settings=importance_flags,
        code=code_version("shap"),
    message:
        "Explaining {params.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode shap --weights {input.weights} --recordings {input.test} "
        "{params.background} --decoder {params.decoder} {params.settings} "
        "--device {resources.device} --threads {threads} --out {output} 2> {log}"


rule shap_summary:
    input:
        lambda wildcards: expand(
            RESULTS / "importance/{importance}/{allocation}.h5",
            importance=wildcards.importance,
            allocation=STUDY.allocations,
        ),
    output:
        table=RESULTS / "tables/importance_{importance}.tsv",
        svg=report(
            RESULTS / "figures/importance_{importance}.svg",
            category="Importance",
            caption="../report/importance.rst",
            labels={"importance": "{importance}"},
        ),
        png=RESULTS / "figures/importance_{importance}.png",
    log:
        RESULTS / "logs/shap_summary/{importance}.log",
    conda:
        "../../envs/mesodecode.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        prefix=str(RESULTS / "figures/importance_{importance}"),
        code=code_version("shap_summary"),
    message:
        "Summarising the importance {wildcards.importance}"
    shell:
        "mesodecode shap-summary --maps {input} --name {wildcards.importance} "
        "--out {output.table} --figure {params.prefix} 2> {log}"
