#!/usr/bin/env bash
# Guess: a job runs again when one of its params has another value.
# Happens: the values of a rule's params are kept as a sorted list without names and compared as sets. Two params that exchange
#   their values run nothing, nor does one of three that takes a value which another has and leaves one which another has: with
#   flags of True and False, most changes of one flag. Params given by a function of `input` are not compared at all.
# Version: snakemake 9.27.1.
# Source: run here; `params_changed` and `_params` of snakemake/persistence.
# Why it matters: the axes (rows, columns) of a movie exchanged, or detrending switched on beside two other flags, is "nothing to
#   be done". One param with all settings as text (or a list, which keeps its order) is compared as a whole.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1
echo "snakemake $(venv/bin/snakemake --version)"
cat > Snakefile <<'EOF'
get = config.get
rule all:
    input: "named", "flags", "listed", "derived"
rule named:
    output: "named"
    params: rows=get("rows", 64), columns=get("columns", 128)
    shell: "echo {params} > {output}"
rule flags:
    output: "flags"
    params: detrend=get("detrend", False), smooth=get("smooth", True), mask=get("mask", False)
    shell: "echo {params} > {output}"
rule listed:
    output: "listed"
    params: shape=[get("rows", 64), get("columns", 128)]
    shell: "echo {params} > {output}"
rule derived:
    input: "Snakefile"
    output: "derived"
    params: rate=lambda wildcards, input: get("rate", 30)
    shell: "echo {params} > {output}"
EOF
venv/bin/snakemake --cores 1 --quiet all
runs() {
  local said
  said=$(venv/bin/snakemake --cores 1 --dry-run --config "$@" 2>&1)
  echo "$said" | sed -n '/^rule all:/d; s/^rule \(.*\):$/\1/p' | sort | paste -sd' '
}
exchanged=$(runs rows=128 columns=64)
flag=$(runs detrend=True)
other=$(runs rows=32)
rate=$(runs rate=50)
echo "rows and columns exchanged runs: $exchanged"
echo "detrend False -> True runs: $flag"
echo "rows 64 -> 32 runs: $other"
echo "rate 30 -> 50, of a function of input, runs: $rate"
[ "$exchanged" = listed ] && [ -z "$flag" ] && [ "$other" = "listed named" ] && [ -z "$rate" ]
