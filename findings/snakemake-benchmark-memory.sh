#!/usr/bin/env bash
# Guess: max_rss of a benchmark file is the most memory that the job had, as /usr/bin/time and SLURM's MaxRSS mean it.
# Happens: it is the largest of samples: two a second for about the first quarter of a minute, and then one every 30 s. A job
#   that takes 300 MB from its 19th to its 26th second is said to have had less than 100.
# Version: snakemake 9.27.1.
# Source: run here; snakemake.benchmark, BENCHMARK_INTERVAL.
# Why it matters: the memory that jobs ask SLURM for is set by these files. Reading a movie, or writing one, is such a peak, and
#   the job that was "measured" is killed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1
cat > peak.py <<'EOF'
import resource
import time

time.sleep(19)
held = b"1" * 300_000_000
time.sleep(7)
del held
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)  # MiB, by the kernel
EOF
cat > Snakefile <<'EOF'
rule peak:
    output: "kernel.txt"
    benchmark: "benchmark.tsv"
    shell: "python3 peak.py > {output}"
EOF
venv/bin/snakemake --version
venv/bin/snakemake --cores 1 --quiet all -- kernel.txt
venv/bin/python - <<'EOF'
import csv

with open("benchmark.tsv") as file:
    sampled = float(next(csv.DictReader(file, delimiter="\t"))["max_rss"])
with open("kernel.txt") as file:
    kernel = float(file.read())
print(f"max_rss {sampled} MiB, the kernel's {kernel} MiB")
assert kernel > 280 and sampled < 100
EOF
