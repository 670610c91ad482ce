"""Averages of decoders, frame by frame.

REQUIRED INPUTS: predictions/{member}/{allocation}.h5 and validation/{member}/{allocation}.h5 of the
    decoders in `average_of`
OUTPUTS: predictions/{decoder}/{allocation}.h5, validation/{decoder}/{allocation}.h5
"""


rule average:
    input:
        unpack(files_of_members),
    output:
        predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
        validation=RESULTS / "validation/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/average/{decoder}/{allocation}.log",
    wildcard_constraints:
        decoder=names("average"),
    conda:
        "../../envs/mesodecode.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code_version("average"),
    message:
        "Averaging into {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode average --predictions {input.predictions} --of-validation {input.validation} "
        "--decoder {wildcards.decoder} --out {output.predictions} "
        "--validation {output.validation} 2> {log}"
