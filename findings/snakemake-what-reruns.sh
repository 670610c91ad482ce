#!/usr/bin/env bash
# Guess: `touch input` makes a job run again; so does another file in its place, whatever its date; targets may follow
#   --configfile.
# Happens: a touched input of less than 1 MB runs nothing (its checksum is the same), one of 2 MB does. Another
#   file with an older date in its place runs nothing, small or large: the checksum is looked at only when the file is
#   newer. A target after --configfile is read as a second config file (FileNotFoundError).
# Version: snakemake 9.27.1.
# Source: run here.
# Why it matters: movies copied with their dates kept (rsync -a, cp -p) do not replace the results of the old ones.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1
cat > Snakefile <<'EOF'
rule sum:
    input: "movie.bin"
    output: "sum.txt"
    shell: "cksum < {input} > {output}"
EOF
snakemake() { PATH="$dir/venv/bin:$PATH" XDG_CACHE_HOME="$dir" venv/bin/snakemake --cores 1 "$@" 2>&1; }
echo "snakemake $(venv/bin/snakemake --version)"
again() { if snakemake --dry-run | grep -q 'Nothing to be done'; then echo no; else echo yes; fi; }
for size in 1000 2000000; do
    rm -rf sum.txt .snakemake
    head -c "$size" /dev/zero > movie.bin
    snakemake --quiet all > log
    sleep 1
    touch movie.bin
    touched=$(again)
    snakemake --quiet all > log
    head -c "$size" /dev/zero | tr '\0' x > other
    touch -d '2 days ago' other
    mv other movie.bin
    replaced=$(again)
    echo "$size bytes: run again when touched: $touched, when replaced by an older file: $replaced"
    [ "$replaced" = no ]
    if [ "$size" = 1000 ]; then [ "$touched" = no ]; else [ "$touched" = yes ]; fi
done
echo 'key: 1' > config.yaml
rm sum.txt
if snakemake --dry-run --configfile config.yaml sum.txt > log; then exit 1; fi
grep 'FileNotFoundError.*sum.txt' log
snakemake --dry-run sum.txt --configfile config.yaml > log
