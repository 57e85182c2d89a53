#!/usr/bin/env bash
# Known faults of the locked packages by pip-audit, and their lists in CycloneDX's form (SBOM). Run by `make audit`.
#
# Status 1 if a package has a known fault. Where no database of faults can be reached, nothing is known: that is printed, and
# the status is 0.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?the folder for the results is missing} uvx=${UVX:-.venv/bin/uvx}
mkdir -p "$out"
for lock in requirements-cpu requirements-gpu; do
  "$uvx" --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements "$lock.lock" --output-reproducible \
    --output-format JSON --output-file "$out/sbom-$lock.json" || echo "audit: no SBOM of $lock.lock could be made" >&2
done
rm -f "$out/audit.json"
# Without the hashes: pip-audit wants one for every package or for none, and torch has none (see `make lock`).
sed '/^ /d; s/ \\$//' requirements.lock > "$out/requirements.txt"
"$uvx" --quiet pip-audit==2.10.1 --requirement "$out/requirements.txt" --no-deps --disable-pip --progress-spinner off \
  --format json --output "$out/audit.json" || true
.venv/bin/python - "$out/audit.json" <<'EOF'
import json
import pathlib
import sys

file = pathlib.Path(sys.argv[1])
if not file.is_file():
    sys.exit(print("audit: no database of faults can be reached, so nothing is known"))
packages = json.loads(file.read_text(encoding="utf-8"))["dependencies"]
unknown = [each["name"] for each in packages if "skip_reason" in each]
bad = [each for each in packages if each.get("vulns")]
for each in bad:
    for fault in each["vulns"]:
        fixed = ", ".join(fault.get("fix_versions", [])) or "none yet"
        print(f"audit: {each['name']} {each['version']}: {fault['id']}; without it: {fixed}")
print(f"audit: {len(packages)} packages, {len(bad)} with known faults, {len(unknown)} that the database does not know")
sys.exit(1 if bad else 0)
EOF
