#!/usr/bin/env bash
# Opens the tunnel that ENV.config.yaml goes through, for as long as a command runs; without one, until Ctrl-C:
#
#   infra/flyte/tunnel.sh dev|prod [COMMAND…]
#
# AWS_REGION and credentials are the shell's; the context of kubectl is made anew, and called like the cluster: assay-ENV.
set -euo pipefail
environment=${1:-}
case $environment in
  dev) port=8089 ;;
  prod) port=8099 ;;
  *) echo "tunnel.sh: name an environment, dev or prod" >&2; exit 2 ;;
esac
shift
cluster="assay-$environment"
log=$(mktemp)
aws eks update-kubeconfig --name "$cluster" --alias "$cluster" >/dev/null
kubectl --context "$cluster" --namespace flyte port-forward service/flyte-binary-grpc "$port:8089" >"$log" 2>&1 &
tunnel=$!
trap 'kill "$tunnel" 2>/dev/null || true; wait "$tunnel" 2>/dev/null || true; rm -f "$log"' EXIT
# What answers on the port might be another's: only its own word counts.
for _ in $(seq 120); do
  if grep -q '^Forwarding from' "$log"; then open=yes; break; fi
  kill -0 "$tunnel" 2>/dev/null || break
  sleep 0.25
done
if [ -z "${open:-}" ]; then echo "tunnel.sh: no tunnel to $cluster: $(tail -n 1 "$log")" >&2; exit 1; fi
if [ $# -gt 0 ]; then "$@"; else echo "flyte of $cluster is on port $port"; wait "$tunnel"; fi
