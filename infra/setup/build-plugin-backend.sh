#!/usr/bin/env bash
# Builds the Grafana plugin's backend into grafana-plugin/dist, without cgo: for this machine and for the Linux containers
# that compose starts, or for the platforms that are named (`build-plugin-backend.sh linux/arm64 windows/amd64`).
set -euo pipefail
cd "$(dirname "$0")/../.."

platforms=("$@")
if [ ${#platforms[@]} -eq 0 ]; then
  here="$(go env GOOS)/$(go env GOARCH)"
  platforms=("$here")
  container="linux/$(go env GOARCH)"
  [ "$here" = "$container" ] || platforms+=("$container")
fi

for platform in "${platforms[@]}"; do
  os=${platform%/*}
  arch=${platform#*/}
  binary="grafana-plugin/dist/gpx_falloff_${os}_${arch}"
  [ "$os" = windows ] && binary+=.exe
  # The repository's build tags are for the query server; this needs none.
  GOFLAGS=-buildvcs=false CGO_ENABLED=0 GOOS=$os GOARCH=$arch \
    go build -trimpath -ldflags '-s -w' -o "$binary" ./grafana-plugin/pkg
  echo "built $binary" >&2
done
