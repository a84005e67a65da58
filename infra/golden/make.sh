#!/usr/bin/env bash
# Makes the reference results that falloff analyze is held to, in warehouse/analysis/testdata/golden: inputs by a seeded program,
# results by R's survival, by programs in arbitrary precision (mpmath) and plain Python, and fits by the package lifetimes.
# Tests need none of these; they read the files. Run it as `make golden`.
set -euo pipefail
cd "$(dirname "$0")"
out=../../warehouse/analysis/testdata/golden
venv=../../.bin/golden

if ! command -v Rscript >/dev/null || ! Rscript -e 'library(survival)' >/dev/null 2>&1; then
  echo "golden: R with the package survival is needed: apt-get install r-base-core r-cran-survival" >&2
  exit 1
fi
if [ ! -x "$venv/bin/python" ]; then python3 -m venv "$venv"; fi
"$venv/bin/pip" install --quiet --requirement requirements.txt

mkdir -p "$out"
rm -f "$out"/*
"$venv/bin/python" inputs.py "$out"
"$venv/bin/python" plain.py "$out"
Rscript survival.R "$out"
"$venv/bin/python" bgnbd.py "$out"
{
  Rscript -e 'cat("R ", as.character(getRversion()), "\nsurvival ", as.character(packageVersion("survival")), "\n", sep = "")'
  "$venv/bin/python" -c 'import sys; print("Python", ".".join(map(str, sys.version_info[:3])))'
  "$venv/bin/pip" freeze
} > "$out/versions.txt"
