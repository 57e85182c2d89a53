#!/usr/bin/env bash
# What runs in the cluster that terraform made: autoscaler, GPU operator, Prometheus, Kubeflow's training operator, Flyte.
# May be run again at any time: it changes what differs, and nothing else.
#
#   infra/install.sh dev             install or upgrade
#   infra/install.sh dev --render    only write values and kustomizations to work/dev
#
# Needs an initialised infra/terraform with the state of that environment.
set -euo pipefail
cd "$(dirname "$0")/.."

# Pinned: what was installed yesterday is installed tomorrow. docs/operations.md says how they are raised.
AUTOSCALER=9.59.0
# Of the minor version of flytekit in the locks. Before 1.16 there was no limit of concurrent runs for launch plans.
FLYTE=v1.16.8
GPU_OPERATOR=v25.10.1
PROMETHEUS=83.6.0

fail() { echo "install.sh: $1" >&2; exit 1; }
say() { echo "== $1" >&2; }

environment=${1:-}
case $environment in
  dev | prod) ;;
  *) fail "say which environment: infra/install.sh dev, or prod" ;;
esac
case ${2:-} in
  "") needed="terraform aws kubectl helm python3" ;;
  --render) needed="terraform python3" ;;
  *) fail "${2} is unknown: only --render may follow the environment" ;;
esac
for tool in $needed; do
  command -v "$tool" >/dev/null || fail "$tool is missing: install it first (all of them: $needed)"
done

terraform=${TERRAFORM_DIR:-infra/terraform}
place=work/$environment
mkdir -p "$place"
umask 077
terraform -chdir="$terraform" output -json >"$place/outputs.json" ||
  fail "terraform has no outputs: run terraform init and apply in $terraform first"

# One value, or every value of a map into a file of its own.
output() {
  python3 - "$place/outputs.json" "$@" <<'PYTHON'
import json, pathlib, sys

outputs = json.load(open(sys.argv[1]))
name, *pattern = sys.argv[2:]
if name not in outputs:
    sys.exit(f"install.sh: terraform has no output {name}: run terraform apply")
value = outputs[name]["value"]
if not pattern:
    print(value)
for key in value if pattern else []:
    path = pathlib.Path(pattern[0].format(key))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value[key])
PYTHON
}

made_for=$(output environment)
[ "$made_for" = "$environment" ] ||
  fail "terraform's state is that of $made_for: run terraform init -reconfigure -backend-config=backend.$environment.hcl in $terraform"
output helm_values "$place/{}.values.yaml"
output kustomizations "$place/{}/kustomization.yaml"
say "values and kustomizations are in $place"
[ "${2:-}" = "--render" ] && exit

cluster=$(output cluster_name)
region=$(output region)
context=$cluster
aws eks update-kubeconfig --name "$cluster" --region "$region" --alias "$context" >/dev/null ||
  fail "the cluster $cluster cannot be found: is this the right AWS account? (aws sts get-caller-identity)"
kubectl() { command kubectl --context "$context" "$@"; }
kubectl get --raw /readyz >/dev/null ||
  fail "the Kubernetes API does not answer: is this address in cluster_public_cidrs, and this role in cluster_admin_arns?"

namespace() { kubectl create namespace "$1" --dry-run=client -o yaml | kubectl apply -f - >/dev/null; }

# release, namespace, repository, chart, version. Of the values' file only the place is told: no value is a secret.
release() {
  say "$1 $5"
  helm upgrade --install "$1" "$4" --repo "$3" --version "$5" --kube-context "$context" --namespace "$2" \
    --create-namespace --values "$place/$1.values.yaml" --atomic --timeout 15m >/dev/null ||
    fail "$1 could not be installed, and what was there before is back: kubectl -n $2 get pods, kubectl -n $2 get events"
}

say "storage class"
kubectl apply -f infra/platform/storageclass.yaml >/dev/null

say "passwords"
# Made once; a second run leaves it alone.
namespace monitoring
kubectl -n monitoring get secret grafana-admin >/dev/null 2>&1 ||
  kubectl -n monitoring create secret generic grafana-admin --from-literal=user=admin \
    --from-file=password=<(python3 -c 'import secrets; print(secrets.token_urlsafe(24), end="")') >/dev/null

namespace flyte
secret=$(output database_secret_arn)
password=$(aws secretsmanager get-secret-value --secret-id "$secret" --region "$region" --query SecretString --output text) ||
  fail "the database's password cannot be read: may this role read $secret, and decrypt with its key?"
# Through a file descriptor: an argument could be read by everybody on this machine.
kubectl -n flyte create secret generic flyte-database --dry-run=client -o yaml \
  --from-file=200-database-password.yaml=<(printf 'database:\n  postgres:\n    password: "%s"\n' "$password") |
  kubectl apply -f - >/dev/null

# Monitors of the others need Prometheus' kinds of objects, so it comes first.
release kube-prometheus-stack monitoring https://prometheus-community.github.io/helm-charts kube-prometheus-stack "$PROMETHEUS"
release cluster-autoscaler kube-system https://kubernetes.github.io/autoscaler cluster-autoscaler "$AUTOSCALER"
release gpu-operator gpu-operator https://helm.ngc.nvidia.com/nvidia gpu-operator "$GPU_OPERATOR"

say "training operator"
kubectl apply --server-side --force-conflicts -k "$place/training-operator" >/dev/null
kubectl -n kubeflow rollout status deployment/training-operator --timeout=5m >/dev/null

release flyte-binary flyte https://flyteorg.github.io/flyte flyte-binary "$FLYTE"
# Flyte reads its configuration when it starts: another password, or other values, want a new pod.
checksum=$({ kubectl -n flyte get secret flyte-database -o jsonpath='{.data}'; cat "$place/flyte-binary.values.yaml"; } | python3 -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest()[:16])')
kubectl -n flyte patch deployment flyte-binary --type merge \
  --patch "{\"spec\": {\"template\": {\"metadata\": {\"annotations\": {\"assay/configuration\": \"$checksum\"}}}}}" >/dev/null
kubectl -n flyte rollout status deployment/flyte-binary --timeout=10m >/dev/null ||
  fail "Flyte does not become ready: kubectl -n flyte logs deployment/flyte-binary"

say "dashboard and monitor of the service"
kubectl -n monitoring create configmap assay-dashboard --from-file=infra/monitoring/dashboard.json --dry-run=client -o yaml |
  kubectl label --local -f - grafana_dashboard=1 -o yaml | kubectl apply --server-side --force-conflicts -f - >/dev/null
serving=$(output serving_namespace)
namespace "$serving"
kubectl -n "$serving" apply -f infra/monitoring/servicemonitor.yaml >/dev/null

cat >&2 <<NEXT
== done. Next:
Flyte's console   kubectl --context $context -n flyte port-forward service/flyte-binary-http 8088
Flyte's API       kubectl --context $context -n flyte port-forward service/flyte-binary-grpc 8089
Grafana           kubectl --context $context -n monitoring port-forward service/kube-prometheus-stack-grafana 3001:80
the service       kubectl --context $context apply -k $place/serving, then assay deploy --target kubernetes
NEXT
