#!/usr/bin/env bash
# A workflow that is used as a module loses its onstart, onsuccess and onerror handlers.
#
# One would guess: `module lab: snakefile: …` with `use rule * from lab` runs the workflow as it runs alone, and
#   what it does before the first job (a lock, a check, a message) and after a failure is done as well.
# What happens: its rules are taken, its handlers are not, and nothing is said; only those of the outer
#   Snakefile run. `include:` of the same file keeps them.
# Version: snakemake 9.27.1. Source: run here.
# Why it matters: deployment by module is what the workflow catalogue recommends; checks that guard a study
#   (one run at a time, files that changed) belong into rules or the parse, not into onstart.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check snakemake==9.27.1
cd "$folder"
cat > lab.smk <<'SMK'
onstart:
    shell("touch started")
onsuccess:
    shell("touch ended")
rule all:
    output: "made"
    shell: "touch {output}"
SMK
echo 'include: "lab.smk"' > include.smk
printf 'module lab:\n    snakefile: "lab.smk"\nuse rule * from lab\n' > module.smk
"$folder/env/bin/snakemake" --version
for way in include module; do
    rm -f made started ended
    "$folder/env/bin/snakemake" --snakefile $way.smk --cores 1 all > log 2>&1 || { cat log; exit 1; }
    echo "$way: $(ls made started ended 2> /dev/null | xargs)"
    test -e made
    test "$way" = include -o ! -e started -a ! -e ended
    test "$way" = module -o -e started -a -e ended
done
echo "as described"
