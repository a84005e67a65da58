#!/usr/bin/env bash
# Measures a build of the models beside dbt with its DuckDB adapter, which runs the same statements over the same files: whole
# processes, in turn, in one run. Run it as `make bench-dbt`.
set -euo pipefail
cd "$(dirname "$0")"
venv=$(realpath ../../.bin)/dbt
if [ ! -x "$venv/bin/python" ]; then python3 -m venv "$venv"; fi
"$venv/bin/pip" install --quiet --requirement requirements.txt
"$venv/bin/pip" freeze | grep -E '^(dbt-core|dbt-duckdb|duckdb)=='
cd ../..
FALLOFF_DBT="$venv/bin/dbt" go test -tags duckdb_arrow,dbt -run '^$' -bench BesideDBT -benchtime "${1:-3x}" -timeout 60m ./warehouse/models/
