#!/usr/bin/env bash
# Guess: add_file of two files of one name from two folders keeps both, or refuses the second.
# Happens: without dest_path a file's identifier is its bare name. The second takes the place of the first, in the metadata and
#   in what is written, without a word.
# Version: rocrate 0.16.0.
# Source: run here.
# Why it matters: results of a study are a folder a mouse with the same names in each: a crate of ten mice holds the last.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rocrate==0.16.0
venv/bin/python - <<'EOF'
import warnings
from importlib.metadata import version
from pathlib import Path

from rocrate.rocrate import ROCrate

warnings.simplefilter("error")
print("rocrate", version("rocrate"))
crate = ROCrate()
for mouse in ("a", "b"):
    Path(mouse).mkdir()
    Path(mouse, "auc.csv").write_text(mouse)
    crate.add_file(f"{mouse}/auc.csv", properties={"name": f"mouse {mouse}"})
crate.write("crate")
entities = [(entity.id, entity["name"]) for entity in crate.data_entities]
files = {path.name: path.read_text() for path in Path("crate").rglob("*.csv")}
print("entities", entities, "files", files)
assert entities == [("auc.csv", "mouse b")] and files == {"auc.csv": "b"}
EOF
