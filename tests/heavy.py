"""What the fork server of `fresh` imports: libraries of the verbs, and Snakemake with its plugins.

The package itself is not kept: each process imports it anew, some of them from a copy.
"""

import gc
import importlib
import sys

from mesodecode.running import warm

SNAKEMAKE = ("snakemake.cli", "snakemake.storage", "smart_open")  # all that a dry-run imports

for name in (*warm.HEAVY, "seaborn", "statsmodels.api", "jsonschema", *SNAKEMAKE):
    importlib.import_module(name)
sys.modules["snakemake.cli"].get_argument_parser()  # imports all plugins
for name in [name for name in sys.modules if name.split(".")[0] == "mesodecode"]:
    del sys.modules[name]
gc.freeze()  # what is imported stays, and need not be looked through in each process
