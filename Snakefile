"""mesodecode: decode behaviour from cortex-wide calcium imaging, across mice.

snakemake --cores 2 --configfile demo.yaml      the simulated cohort
snakemake --profile slurm                       the study of config.yaml on a cluster
"""


include: "workflow/Snakefile"


workflow.default_target = "all"  # a file that is included sets none
