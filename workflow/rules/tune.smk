"""Settings of decoders, searched for without the test mouse.

REQUIRED INPUTS: recordings/{mouse}.txt of the mice that train and validate beside the test mice
OUTPUTS: tune/{decoder}/config.json, tune/{decoder}/test-{test}.json (the best settings) and .tsv (all
    trials)
"""


# What a search reads of the config, in a file of its own: config.json is another with every edit.
rule tune_config:
    output:
        RESULTS / "tune/{decoder}/config.json",
    log:
        RESULTS / "logs/tune/{decoder}/config.log",
    localrule: True
    params:
        config=searched_config,
    message:
        "Writing what the search of {wildcards.decoder} is about"
    shell:
        "printf '%s\\n' {params.config:q} > {output} 2> {log}"


rule tune:
    input:
        config=RESULTS / "tune/{decoder}/config.json",
        first=first_weights,
        recordings=lambda wildcards: lists_of(
            mice_beside(wildcards.test), wildcards.decoder
        ),
    output:
        best=RESULTS / "tune/{decoder}/test-{test}.json",
        trials=RESULTS / "tune/{decoder}/test-{test}.tsv",
    log:
        RESULTS / "logs/tune/{decoder}/test-{test}.log",
    benchmark:
        RESULTS / "benchmarks/tune/{decoder}/test-{test}.tsv"
    wildcard_constraints:
        decoder="|".join(STUDY.config["tune"]) or "no decoder",
        test=r"[\w+-]+",
    threads: STUDY.config["threads"]
    resources:
        **on_device(GPU),
        mem_mb=grows(48000),
        runtime=grows(1440),
    params:
        first=lambda wildcards, input: flag_if("--pretrained", input.first[:1]),
        mice=lambda wildcards: split_ids(wildcards.test),
        storage=str(RESULTS / "checkpoints/tune/{decoder}/test-{test}.journal"),
        held=held(first_weights),
        code=code_version("tune"),
    message:
        "Searching settings of {wildcards.decoder} for test mouse {wildcards.test}"
    shell:
        "mesodecode tune --config {input.config} --decoder {wildcards.decoder} "
        "--test-mice {params.mice} --recordings {input.recordings} {params.first} "
        "--device {resources.device} --threads {threads} --storage {params.storage} "
        "--out {output.best} --trials-table {output.trials} 2> {log}"
