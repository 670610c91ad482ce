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


include: "workflow/rules/package.smk"


ENCODING = config.get("kind") == "encoding"

if ENCODING:

    include: "workflow/rules/encoding_common.smk"
    include: "workflow/rules/weights.smk"
    include: "workflow/rules/encoding.smk"

else:

    include: "workflow/rules/common.smk"
    include: "workflow/rules/recordings.smk"
    include: "workflow/rules/qc.smk"
    include: "workflow/rules/tune.smk"
    include: "workflow/rules/linear.smk"
    include: "workflow/rules/weights.smk"
    include: "workflow/rules/cnn.smk"
    include: "workflow/rules/rnn.smk"
    include: "workflow/rules/roi.smk"
    include: "workflow/rules/importance.smk"
    include: "workflow/rules/average.smk"
    include: "workflow/rules/adapt.smk"
    include: "workflow/rules/evaluate.smk"
    include: "workflow/rules/quality.smk"
    include: "workflow/rules/confounds.smk"
    include: "workflow/rules/shift.smk"
    include: "workflow/rules/report.smk"
    include: "workflow/rules/export.smk"
    include: "workflow/rules/suite.smk"


rule all:
    default_target: True
    input:
        (
            RESULTS / "report.html"
            if ENCODING or STUDY.decoders
            else [*rules.tables.input, *rules.figures.input]
        ),
