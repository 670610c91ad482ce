"""What the fork server of `fresh` imports: libraries of the verbs, and Snakemake with its plugins.

The package itself is not kept: each process imports it anew, some of them from a copy.
"""

import functools
import gc
import importlib
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

from mesodecode.running import warm

SNAKEMAKE = ("snakemake.cli", "snakemake.storage", "smart_open")  # all that a dry-run imports

for name in (*warm.HEAVY, "seaborn", "statsmodels.api", "jsonschema", *SNAKEMAKE):
    importlib.import_module(name)
sys.modules["snakemake.cli"].get_argument_parser()  # imports all plugins
for name in [name for name in sys.modules if name.split(".")[0] == "mesodecode"]:
    del sys.modules[name]

# Files of rules are parsed and compiled here, once: a third of what a plan takes.
RULES = Path(__file__).parents[1] / "workflow/rules"
workflow = sys.modules["snakemake.workflow"]
workflow.compile = functools.cache(compile)
parse = workflow.parse
parsed = {}
for file in map(str, RULES.rglob("*.smk")):
    source, lines = sys.modules["snakemake.sourcecache"].LocalSourceFile(file), {}
    text = Path(file).read_text()
    files = SimpleNamespace(open=lambda _, text=text: StringIO(text))
    parsed[file] = text, parse(source, SimpleNamespace(sourcecache=files), lines), lines
    workflow.compile(parsed[file][1][0], file, "exec")


def parse_once(source, workflow, linemap, rulecount=0):
    """Return what Snakemake's `parse` does, of a text that was parsed already."""
    path = source.get_path_or_uri(secret_free=True)
    if path not in parsed or Path(path).read_text() != parsed[path][0]:
        return parse(source, workflow, linemap, rulecount=rulecount)
    _, (code, rules), lines = parsed[path]
    linemap |= lines
    return code, rulecount + rules


workflow.parse = parse_once
gc.freeze()  # what is imported stays, and need not be looked through in each process
