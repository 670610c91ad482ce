"""mesodecode: decode behaviour from cortex-wide calcium imaging, across mice.

snakemake --cores 2 --configfile demo.yaml      the simulated cohort
snakemake --profile slurm                       the study of config.yaml on a cluster
"""

from snakemake.utils import min_version

min_version("9.0")


report: "workflow/report/workflow.rst"


# --configfile replaces config.yaml: Snakemake would merge the two, mice and all.
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


include: "workflow/rules/setup.smk"


ENCODING = config.get("kind") == "encoding"

if ENCODING:

    include: "workflow/rules/encoding_common.smk"
    include: "workflow/rules/weights.smk"
    include: "workflow/rules/encoding.smk"

else:

    include: "workflow/rules/study.smk"
    include: "workflow/rules/recordings.smk"
    include: "workflow/rules/tune.smk"
    include: "workflow/rules/decoders.smk"
    include: "workflow/rules/weights.smk"
    include: "workflow/rules/applied.smk"
    include: "workflow/rules/explain.smk"
    include: "workflow/rules/scores.smk"
    include: "workflow/rules/quality.smk"
    include: "workflow/rules/confounds.smk"
    include: "workflow/rules/shift.smk"
    include: "workflow/rules/variants.smk"
    include: "workflow/rules/ceilings.smk"
    include: "workflow/rules/cohorts.smk"
    include: "workflow/rules/report.smk"
    include: "workflow/rules/export.smk"


rule all:
    default_target: True
    input:
        (
            RESULTS / "report.html"
            if ENCODING or STUDY.decoders
            else [*rules.tables.input, *rules.figures.input]
        ),
