#!/usr/bin/env bash
# A whole study on this machine: cells, fit, figures. jobs/study.sh RANKS STUDY.yaml; called by `make study`.
set -euo pipefail
cd "$(dirname "$0")/.."
ranks=$1 study=$2
program=${EQUISCALE:-build/opt/equiscale}
python=${PYTHON:-python3}
folder=$(sed -nE 's/^ +folder: *([^ #]+).*/\1/p' "$study" | head -n 1)
folder=${folder:-runs}/$(sed -nE 's/^ +name: *([^ #]+).*/\1/p' "$study" | head -n 1)
jobs/local.sh "$ranks" "$program" run "$study"
# The page has every figure; their files, and those that this study has no numbers for, are not listed.
"$python" analysis/report.py "$folder" | sed -e '/\/figures\//d' -e '/^no figure /d'
