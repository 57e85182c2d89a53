#!/usr/bin/env bash
# Project, limits, quota, defaults and pod template of one environment, as they are in these files:
#
#   infra/flyte/apply.sh dev|prod
#
# The same again changes nothing. flytectl reads ENV.config.yaml (FLYTE_PLATFORM_URL is asked instead of its endpoint, if it is
# set); kubectl's context is called like the cluster, assay-ENV, or KUBECTL_CONTEXT.
set -euo pipefail
cd "$(dirname "$0")"

environment=${1:-}
case $environment in
  dev) domain=development ;;
  prod) domain=production ;;
  *) echo "apply.sh: name an environment, dev or prod" >&2; exit 2 ;;
esac
for tool in flytectl kubectl; do
  command -v "$tool" >/dev/null || { echo "apply.sh: $tool is missing" >&2; exit 2; }
done

admin=(--config "$environment.config.yaml")
if [ -n "${FLYTE_PLATFORM_URL:-}" ]; then admin+=(--admin.endpoint "dns:///$FLYTE_PLATFORM_URL"); fi
kube=(--context "${KUBECTL_CONTEXT:-assay-$environment}")
namespace="assay-$domain"

# Before a change flytectl shows the difference and asks; what the files say is meant.
change() { flytectl "${admin[@]}" update "$@" <<< y; }

projects=$(flytectl "${admin[@]}" get project assay --output json)
if grep -Eq '"id": *"assay"' <<< "$projects"; then
  change project --file project.yaml
else
  flytectl "${admin[@]}" create project --file project.yaml
fi
change task-resource-attribute --attrFile "$environment/task-resources.yaml"
change cluster-resource-attribute --attrFile "$environment/quota.yaml"
change workflow-execution-config --attrFile "$environment/execution.yaml"

# Flyte makes the namespace of a new project within minutes; an existing one stays as it is.
kubectl "${kube[@]}" get namespace "$namespace" >/dev/null 2>&1 || kubectl "${kube[@]}" create namespace "$namespace"
kubectl "${kube[@]}" apply --namespace "$namespace" --filename pod-template.yaml
