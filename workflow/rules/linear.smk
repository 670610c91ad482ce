"""The linear baseline: logistic regression on pixels.

REQUIRED INPUTS: recordings/{mouse}.txt
OUTPUTS: models/{decoder}/{allocation}.npz, predictions/{decoder}/{allocation}.h5,
    validation/{decoder}/{allocation}.h5
"""


rule fit_linear:
    input:
        train=recordings_of("train"),
        valid=recordings_of("valid"),
        test=recordings_of("test"),
        tuned=tuned_for,
    output:
        weights=RESULTS / "models/{decoder}/{allocation}.npz",
        predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
        validation=RESULTS / "validation/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/fit_linear/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/fit_linear/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names("linear"),
    conda:
        "../../envs/mesodecode.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),  # 0.7 GB
        runtime=grows(60),  # 1 min on simulated sessions; real ones converge later
    params:
        labels=labels_of("train", "valid", "test"),
        settings=settings_flags,
        tuned=tuned_flag,
        code=code_version("fit_linear"),
    message:
        "Fitting {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode fit-linear --train {input.train} --valid {input.valid} --test {input.test} "
        "{params.labels} --decoder {wildcards.decoder} {params.settings} {params.tuned} "
        "--weights {output.weights} --out {output.predictions} "
        "--validation {output.validation} 2> {log}"
