#!/usr/bin/env bash
# .venv from the lock: by uv where it can be had (20 seconds), else by pip (4 minutes). Run by `make setup`.
#
# Dependencies stay on. The lock names no nvidia packages, because the CPU build of torch has none; where an index
# offers the CUDA build, torch brings its own along. PIP_FIND_LINKS is where a CPU build may be offered.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3.11}
command -v "$python" >/dev/null || { echo "$python is missing: install Python 3.11, or set PYTHON" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
  { echo "$python is not Python 3.11: set PYTHON to one that is" >&2; exit 1; }

rm -rf .venv
"$python" -m venv .venv
if .venv/bin/pip install --quiet --disable-pip-version-check "uv>=0.9,<1" 2>/dev/null; then
  UV_FIND_LINKS="${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}" .venv/bin/uv pip install --python .venv/bin/python -r requirements.lock
else
  echo "uv cannot be installed here; pip takes some minutes" >&2
  # Without the hashes: pip wants one for every package or for none, and torch has none (see `make lock`).
  .venv/bin/pip install --disable-pip-version-check -r <(sed '/^ /d; s/ \\$//' requirements.lock)
fi

# The command `assay`, for people: it runs the code of this folder, which is never installed.
cat > .venv/bin/assay <<EOF
#!/bin/sh
PYTHONPATH="$PWD\${PYTHONPATH:+:\$PYTHONPATH}" exec "$PWD/.venv/bin/python" -m assay "\$@"
EOF
chmod +x .venv/bin/assay
touch .venv/installed
