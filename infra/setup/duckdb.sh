#!/usr/bin/env bash
# Installs into .bin/duckdb what `make interop` reads a lake in S3 with: a DuckDB that is not ours, with the extensions it takes for
# that, all from PyPI. It does nothing where all is there.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=1.5.5
python3 -c 'import ensurepip, venv' 2>/dev/null || { echo "setup: install python3-venv by hand, then try again" >&2; exit 1; }
if ! .bin/duckdb/bin/python3 -c "import duckdb, duckdb_extension_aws, duckdb_extension_httpfs; assert duckdb.__version__ == '$version'" 2>/dev/null; then
  echo "setup: installing DuckDB $version into .bin/duckdb" >&2
  rm -rf .bin/duckdb
  python3 -m venv .bin/duckdb
  .bin/duckdb/bin/pip install --quiet --disable-pip-version-check "duckdb==$version" "duckdb-extensions==$version" "duckdb-extension-httpfs==$version" "duckdb-extension-aws==$version"
fi
