#!/usr/bin/env bash
# Guess: a config file is data: `snakemake -n --configfile FILE` reads YAML.
# Happens: a YAML config with `__use_yte__: true` is a template of YTE, whose `?` expressions and `__definitions__` are
#   evaluated as Python when the command starts, before the Snakefile is read and in a dry run too. The key is then
#   taken out, so that the Snakefile cannot tell from `config` that it was there.
# Version: snakemake 9.27.1, yte 1.9.4.
# Source: snakemake/common/configfile.py, _load_configfile.
# Why it matters: a study's config comes by mail, from a colleague or a repository; to look at it by a dry run is to run it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1 yte==1.9.4
cat > Snakefile <<'EOF'
assert "__use_yte__" not in config
rule all:
    shell: "true"
EOF
cat > theirs.yaml <<'EOF'
__use_yte__: true
study: ?open("ran", "w").write("x")
EOF
venv/bin/snakemake -n --quiet all --configfile theirs.yaml
test -e ran && echo "the config of a dry run has written a file"
