#!/usr/bin/env bash
# A whole study on this machine: cells, fit, figures. jobs/study.sh RANKS STUDY.yaml; called by `make study`.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# != 2 ]; then
    echo "jobs/study.sh: want RANKS STUDY.yaml" >&2
    exit 2
fi
ranks=$1 study=$2
program=${EQUISCALE:-build/opt/equiscale}
python=${PYTHON:-python3}
# The study's folder, as the program reads it: values are written as YAML has them.
keys=$("$program" keys "$study" -json -)
folder=$("$python" -c '
import json, sys
value = {k["key"]: k["value"] for k in json.loads(sys.argv[1])["keys"]}
print(*(v.startswith("\"") and json.loads(v) or v for v in (value["study.folder"], value["study.name"])), sep="/")' "$keys")
jobs/local.sh "$ranks" "$program" run "$study"
# The page has every figure; their files, and those that this study has no numbers for, are not listed.
"$python" analysis/report.py "$folder" | sed -e '/\/figures\//d' -e '/^no figure /d'
