#!/usr/bin/env bash
# Whether the base of the Dockerfile is there for this platform, and a warning where its tag has moved on: then there are
# newer packages of the system, and somebody should take the new digest.
set -euo pipefail
cd "$(dirname "$0")/../.."
base=$(sed -n 's/^FROM \(.*@sha256:[0-9a-f]*\) AS base$/\1/p' Dockerfile)
tag=${base%@*}
pinned=${base#*@}
docker buildx imagetools inspect --raw "$base" | grep -q '"architecture": *"amd64"' ||
  { echo "check_base.sh: $base has nothing for linux/amd64" >&2; exit 1; }
now=$(docker buildx imagetools inspect --format '{{json .Manifest}}' "$tag" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["digest"])')
if [ "$now" != "$pinned" ]; then
  echo "::warning file=Dockerfile::$tag is now $now: update the digest, it has newer packages of the system"
fi
