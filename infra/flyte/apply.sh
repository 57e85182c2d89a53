#!/usr/bin/env bash
# Project, limits, quota, defaults and pod template of one environment, as they are in these files:
#
#   DATA=s3://BUCKET/assay infra/flyte/apply.sh dev|prod
#
# The same again changes nothing. DATA is where tasks keep what lasts. flytectl reads ENV.config.yaml, kubectl its current
# context, or that of KUBECTL_CONTEXT. FLYTE_PLATFORM_URL is asked instead of the endpoint of the file, if it is set.
set -euo pipefail
cd "$(dirname "$0")"

environment=${1:-}
case $environment in
  dev) domain=development ;;
  prod) domain=production ;;
  *) echo "apply.sh: name an environment, dev or prod" >&2; exit 2 ;;
esac
case ${DATA:-} in
  s3://?*[!/] | gs://?*[!/]) ;;
  *) echo "apply.sh: DATA is '${DATA:-}'. Set it to a place in an object store, such as s3://BUCKET/assay" >&2; exit 2 ;;
esac
for tool in flytectl kubectl; do
  command -v "$tool" >/dev/null || { echo "apply.sh: $tool is missing" >&2; exit 2; }
done

filled=$(mktemp -d)
trap 'rm -rf "$filled"' EXIT
admin=(--config "$environment.config.yaml")
if [ -n "${FLYTE_PLATFORM_URL:-}" ]; then admin+=(--admin.endpoint "dns:///$FLYTE_PLATFORM_URL"); fi

# Before a change flytectl shows the difference and asks; what the files say is meant.
change() { flytectl "${admin[@]}" "$@" <<< y; }

if flytectl "${admin[@]}" get project assay --output json | grep -Eq '"id": *"assay"'; then
  change update project --file project.yaml
else
  flytectl "${admin[@]}" create project --file project.yaml
fi
sed "s|\${DATA}|$DATA|" "$environment/execution.yaml" > "$filled/execution.yaml"
change update task-resource-attribute --attrFile "$environment/task-resources.yaml"
change update cluster-resource-attribute --attrFile "$environment/quota.yaml"
change update workflow-execution-config --attrFile "$filled/execution.yaml"

kube=(kubectl)
if [ -n "${KUBECTL_CONTEXT:-}" ]; then kube+=(--context "$KUBECTL_CONTEXT"); fi
# Flyte makes the namespace of a new project within minutes; until then it is made here, which Flyte takes as it is.
"${kube[@]}" get namespace "assay-$domain" >/dev/null 2>&1 || "${kube[@]}" create namespace "assay-$domain"
"${kube[@]}" apply --namespace "assay-$domain" --filename pod-template.yaml
