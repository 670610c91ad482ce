"""What all studies share: this checkout's package, and how its verbs are run. No rules here."""

import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

PACKAGE = Path(workflow.basedir) / "workflow"
sys.path.insert(0, str(PACKAGE))

from mesodecode.cohort import check_duplicate_keys
from mesodecode.files import UserError
from mesodecode.provenance import code_version


def checked(resolve):
    """The study of the config that `resolve` checks; what is wrong with it in one line."""
    try:
        for path in workflow.configfiles:
            check_duplicate_keys(path)
        return resolve(config)
    except UserError as error:
        raise WorkflowError(str(error)) from None


# `mesodecode` in a rule is this checkout's package, whether or not it is installed, run by the
# Python that runs Snakemake, or by that of the rule's conda environment under --sdm conda.
CONDA = any(str(m) == "conda" for m in workflow.deployment_settings.deployment_method)
PYTHON = "python" if CONDA else shlex.quote(sys.executable)
shell.prefix(  # Snakemake formats the prefix, so its braces are doubled once more
    f'mesodecode() {{{{ PYTHONPATH={shlex.quote(str(PACKAGE))} {PYTHON} -m mesodecode "$@"; }}}}; '
)
