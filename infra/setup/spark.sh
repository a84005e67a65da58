#!/usr/bin/env bash
# Installs what `make interop` reads Iceberg tables with: Apache Spark in .bin/spark, a Java runtime, and the Iceberg
# runtime as .bin/jars. Versions are pinned, and what is downloaded is compared with its sha256. It does nothing where all is there.
set -euo pipefail
cd "$(dirname "$0")/../.."

spark=3.5.6
iceberg=1.10.1
say() { printf 'setup: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

apt_install() {
  have apt-get || { say "install by hand, then try again: $*"; exit 1; }
  say "installing $*"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# java runs although none is needed to build: /usr/bin/java of macOS is a stub that only asks for one.
java -version >/dev/null 2>&1 || apt_install openjdk-17-jre-headless
have mvn || apt_install maven
python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv

if ! .bin/spark/bin/python3 -c "import pyspark; assert pyspark.__version__ == '$spark'" 2>/dev/null; then
  say "installing Apache Spark $spark into .bin/spark"
  rm -rf .bin/spark
  python3 -m venv .bin/spark
  .bin/spark/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement infra/setup/spark.txt
fi

# jar NAME SHA256
jar() {
  local file=.bin/jars/$1-$iceberg.jar
  if [ ! -e "$file" ]; then
    say "downloading $1 $iceberg"
    mkdir -p .bin/jars
    mvn -q org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy -Dartifact="org.apache.iceberg:$1:$iceberg" -DoutputDirectory="$PWD/.bin/jars" -Dmdep.useBaseVersion=true
  fi
  echo "$2  $file" | sha256sum --check --quiet - || { rm -f "$file"; say "$file is not what it was when it was pinned"; exit 1; }
}
jar iceberg-spark-runtime-3.5_2.12 39ea09e6c03550a300b9d9ab498949836d2d434e441da4c12a943a086e396940
jar iceberg-aws-bundle 86bf20892ea5b4c17688f19b075399885f6aa5303f6b2dc9f491e76ceef9633b
