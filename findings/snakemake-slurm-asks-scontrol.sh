#!/usr/bin/env bash
# Guess: an executor plugin that is installed and not chosen does nothing; SLURM is asked with --executor slurm alone.
# Happens: the plugin runs `scontrol show config` while snakemake sets up its command line, for a line of its help, where sinfo
#   and sacct or squeue are in PATH: in `--version`, `--help`, each dry run and each local run, and again in the process of every
#   job that has one of its own (run:, and what a cluster starts). It is waited for, up to 10 s by the plugin's limit.
#   `import snakemake` alone does not ask, nor does any start where there is no sinfo.
# Version: snakemake 9.27.1, snakemake-executor-plugin-slurm 2.8.0.
# Source: run here, with an scontrol that notes each call; get_min_job_age of the plugin.
# Why it matters: where the controller is slow or does not answer (a login node in maintenance, a compute node that may not
#   reach it), each start waits, and a study of a thousand short jobs waits a thousand times and asks as often.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1 snakemake-executor-plugin-slurm==2.8.0 \
    snakemake-executor-plugin-cluster-generic==1.0.9
export CALLS="$dir/calls" WAIT=0
mkdir slurm few
for tool in sinfo sacct squeue; do printf '#!/bin/sh\n' > slurm/$tool; done
# shellcheck disable=SC2016
printf '#!/bin/sh\necho "$*" >> "$CALLS"\nsleep "$WAIT"\n' > slurm/scontrol
chmod +x slurm/*
for tool in sh bash which sleep; do ln -s "$(command -v $tool)" few/$tool; done
cat > Snakefile <<'EOF'
rule of_shell:
    output: "shell.txt"
    shell: "touch {output}"


rule of_run:
    output: "run.txt"
    run:
        open(output[0], "w").close()
EOF
snakemake="$dir/venv/bin/snakemake"
with=$dir/slurm:$PATH

asked() { # asked CALLS LABEL COMMAND…: it runs, and asks as often as said
    local want=$1 label=$2 seen
    shift 2
    : > calls
    "$@" > out.txt 2>&1 || { cat out.txt; exit 1; }
    seen=$(grep -c '^show config$' calls || true)
    echo "$label: asked $seen times"
    [ "$want" = any ] && [ "$seen" -ge 2 ] || [ "$seen" = "$want" ]
}
"$snakemake" --version
asked 0 "import snakemake" env PATH="$with" venv/bin/python -c "import snakemake"
asked 1 "--version" env PATH="$with" "$snakemake" --version
asked 0 "--version without sinfo" env PATH="$dir/few" "$snakemake" --version
asked 1 "--help" env PATH="$with" "$snakemake" --help
asked 1 "dry run" env PATH="$with" "$snakemake" --executor local -n shell.txt
asked 1 "local, a job with shell:" env PATH="$with" "$snakemake" --executor local --cores 1 shell.txt
asked 2 "local, a job with run:" env PATH="$with" "$snakemake" --executor local --cores 1 run.txt
rm shell.txt
asked any "a cluster's job (handed to sh), not SLURM's" env PATH="$with" "$snakemake" --executor cluster-generic \
    --cluster-generic-submit-cmd sh --jobs 1 shell.txt
started() { date +%s%N; }
a=$(started); env PATH="$with" "$snakemake" --version > out.txt
b=$(started); env PATH="$with" WAIT=4 "$snakemake" --version > out.txt
c=$(started)
echo "--version: $(((b - a) / 1000000)) ms, with an scontrol that takes 4 s $(((c - b) / 1000000)) ms"
[ $((c - b)) -ge 4000000000 ]
