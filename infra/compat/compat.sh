#!/usr/bin/env bash
# Lakes of an earlier state of this program, and the way back to it.
#
#   infra/compat/compat.sh lakes REF   has the program of the git ref REF make the lakes that the tests keep
#                                      (pipeline/cmd/falloff/testdata/earlier)
#   infra/compat/compat.sh back REF    has this program write to copies of those lakes, and the program of REF read what it wrote
#
# Both build the program of REF. EARLIER and PRESENT name programs that are built already, by their whole paths.
set -euo pipefail
verb=${1:?lakes or back} ref=${2:?a git ref}
cd "$(dirname "$0")/../.."
root=$PWD kept=$PWD/pipeline/cmd/falloff/testdata/earlier
export GOFLAGS=-tags=duckdb_arrow
work=$(mktemp -d)
trap 'git -C "$root" worktree remove --force "$work/source" 2>/dev/null || true; rm -rf "$work"' EXIT

program() { # OUT DIR: builds the program of a checkout
  (cd "$2" && go build -trimpath -o "$1" ./pipeline/cmd/falloff)
}
if [ -z "${EARLIER:-}" ]; then
  EARLIER=$work/earlier
  git worktree add --quiet --detach "$work/source" "$ref"
  program "$EARLIER" "$work/source"
fi
if [ "$verb" = back ] && [ -z "${PRESENT:-}" ]; then
  PRESENT=$work/present
  program "$PRESENT" "$root"
fi
# What runs here finds nothing of the person who runs it, and leaves nothing with them.
export HOME=$work/home FALLOFF_ACTOR='Tess Tester'
mkdir "$HOME"
cd "$work"

on() { # CLINIC PROGRAM COMMAND...: a command about one of the two clinics, each of which has a lake of its name
  local clinic=$1 at=(--lake "$1" --clinic "$1" --config-dir keys)
  shift
  [ "$clinic" = sealed ] || at+=(--unencrypted)
  "$@" "${at[@]}"
}

first_leak() { # CLINIC PROGRAM CATEGORY
  on "$1" "$2" sql --format csv -c "select leak_id from marts.leak_ledger where category = '$3' order by all limit 1" | tail -n 1
}

said() { # PROGRAM FOLDER: what a program says of both lakes
  mkdir -p "$2"
  local clinic
  for clinic in sealed open; do
    on $clinic "$1" leaks --format csv > "$2/leaks-$clinic.csv"
    on $clinic "$1" sql --format csv < "$root/infra/compat/totals.sql" > "$2/totals-$clinic.csv"
    on $clinic "$1" close --list > "$2/closed-$clinic.txt"
  done
}

case $verb in
lakes)
  "$EARLIER" simclinic export -q --seed 7 --patients 50 --from 2025-10-01 --out reports --truth truth.csv
  for clinic in sealed open; do
    on $clinic "$EARLIER" import -q --covers 2025-10-01..2025-12-31 reports
    on $clinic "$EARLIER" build -q
    on $clinic "$EARLIER" leaks assign --to 'Avery Stone' "$(first_leak $clinic "$EARLIER" claim_never_sent)" > /dev/null
    on $clinic "$EARLIER" build -q
    on $clinic "$EARLIER" close --month 2025-10 > /dev/null
    on $clinic "$EARLIER" build -q
    on $clinic "$EARLIER" lake verify --all > /dev/null
  done
  said "$EARLIER" said
  cp "$root/infra/compat/totals.sql" said/
  mkdir -p "$kept"
  tar --sort=name --owner=0 --group=0 --numeric-owner --exclude .tmp --exclude '*.lock' -cf - sealed open keys said | gzip -9n > "$kept/lakes.tar.gz"
  ls -l "$kept/lakes.tar.gz"
  ;;
back)
  tar xzf "$kept/lakes.tar.gz"
  cat > appointments.csv <<'CSV'
id,location_name,start_at,end_at,patient_guid,treatment_name,staff_member_name,state,booked_at,arrived_at,cancelled_at
900001,Harbour Street,2026-01-12 09:00:00,2026-01-12 10:00:00,0d9c1c6e-58a2-4a53-9b0e-3f2b6f0f7a11,Physiotherapy Treatment,Avery Stone,arrived,2025-12-20 09:00:00,2026-01-12 09:00:00,
CSV
  for clinic in sealed open; do
    on $clinic "$PRESENT" import -q --observed-on 2026-01-12 --covers 2026-01-01..2026-01-12 appointments.csv
    on $clinic "$PRESENT" build -q --full
    leak=$(first_leak $clinic "$PRESENT" claim_rejected)
    on $clinic "$PRESENT" leaks assign --to 'Avery Stone' "$leak" > /dev/null
    on $clinic "$PRESENT" leaks contact --note left_message "$leak" > /dev/null
    on $clinic "$PRESENT" build -q
    on $clinic "$PRESENT" close --month 2025-11 > /dev/null
    on $clinic "$PRESENT" build -q
    on $clinic "$PRESENT" backup -q --to backup > /dev/null
    # These leave records in the audit log of which an earlier program may not know.
    on $clinic "$PRESENT" backup rehearse -q --from backup > /dev/null
    on $clinic "$PRESENT" report -q --month 2025-11 > /dev/null
  done
  said "$PRESENT" present
  said "$EARLIER" earlier
  diff -r present earlier
  echo "leaks, totals and closed months: both programs say the same"
  for clinic in sealed open; do
    printf '\n== %s, by the earlier program\n' $clinic
    on $clinic "$EARLIER" status
    on $clinic "$EARLIER" lake verify --all
    "$EARLIER" audit verify --lake $clinic --config-dir keys
    "$EARLIER" audit search --lake $clinic --config-dir keys | tail -n 4
    on $clinic "$EARLIER" build --full
    on $clinic "$EARLIER" leaks contact --note no_answer "$(first_leak $clinic "$EARLIER" claim_never_sent)"
    "$EARLIER" restore -q --from backup --lake restored --clinic $clinic --config-dir keys --unencrypted
    "$EARLIER" lake verify --lake restored --clinic $clinic --config-dir keys --all --unencrypted
  done
  # And this one goes on with what the earlier one wrote after it.
  for clinic in sealed open; do
    on $clinic "$PRESENT" lake verify --all
    on $clinic "$PRESENT" build
    "$PRESENT" audit verify --lake $clinic --config-dir keys
  done
  ;;
*)
  echo "compat: $verb is neither lakes nor back" >&2
  exit 2
  ;;
esac
