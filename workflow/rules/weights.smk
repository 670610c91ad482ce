"""First weights of networks, for decoders and encoding models alike.

REQUIRED INPUTS: internet once for `pretrained: imagenet`
OUTPUTS: results/weights/{backbone}.pt and .pt.sha256, of ImageNet, shared by studies
"""


# On the machine that runs Snakemake: compute nodes often have no internet. No `code` in params:
# an edit must not download again.
rule fetch_weights:
    output:
        weights=WEIGHTS / "{backbone}.pt",
        checksum=WEIGHTS / "{backbone}.pt.sha256",
    log:
        RESULTS / "logs/fetch_weights/{backbone}.log",
    wildcard_constraints:
        backbone="|".join(map(re.escape, FETCHED)) or "no backbone",
    localrule: True
    message:
        "Fetching the ImageNet weights of {wildcards.backbone}"
    shell:
        "mesodecode fetch-weights --backbone {wildcards.backbone} --out {output.weights} 2> {log}"
