#!/usr/bin/env bash
# Guess: a job whose inputs stand in another order runs again, as its command is another; so does one whose shell command
#   changes, which is a trigger of its own.
# Happens: inputs are compared in sorted order and commands as they are written in the rule, with {input} unfilled. Inputs in
#   another order, and two named inputs that exchange their files, run nothing; one less does, and so does one that is named twice.
# Version: snakemake 9.27.1.
# Source: run here; `input_changed` and `_input` of snakemake/persistence.
# Why it matters: sessions in another order are a network trained on other batches, and `minus: signal, reference` exchanged is a
#   correction the wrong way round: "nothing to be done". A list in params keeps its order and is compared.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1
echo "snakemake $(venv/bin/snakemake --version)"
cat > Snakefile <<'EOF'
sessions = config.get("sessions", "s1 s2 s3").split()
signal, reference = config.get("colours", "blue violet").split()
rule all:
    input: "joined", "divided", "told"
rule joined:
    input: sessions
    output: "joined"
    shell: "cat {input} > {output}"
rule divided:
    input: signal=signal, reference=reference
    output: "divided"
    shell: "cat {input.signal} {input.reference} > {output}"
rule told:
    input: sessions
    output: "told"
    params: order=sessions
    shell: "cat {input} > {output}"
EOF
for name in s1 s2 s3 blue violet; do echo $name > $name; done
venv/bin/snakemake --cores 1 --quiet all
runs() {
  local said
  said=$(venv/bin/snakemake --cores 1 --dry-run --config "$@" 2>&1)
  echo "$said" | sed -n '/^rule all:/d; s/^rule \(.*\):$/\1/p' | sort | paste -sd' '
}
order=$(runs sessions="s3 s1 s2")
twice=$(runs sessions="s1 s2 s3 s1")
fewer=$(runs sessions="s1 s2")
colours=$(runs colours="violet blue")
echo "in another order: runs '$order'; one twice: '$twice'; one less: '$fewer'; two exchanged: '$colours'"
[ "$order" = told ] && [ "$twice" = "joined told" ] && [ "$fewer" = "joined told" ] && [ -z "$colours" ]
