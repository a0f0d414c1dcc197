#!/usr/bin/env bash
# Sets everything up in .venv and opens the page where you talk with the network that ships in the package.
# Arguments go to `unisono`:   ./unisono.sh chat --image photo.png "What is this?"     ./unisono.sh --help
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${UNISONO_VENV:-$here/.venv}
stamp=$venv/.installed
if [ ! -f "$stamp" ] || [ "$here/pyproject.toml" -nt "$stamp" ]; then
    echo "Setting up $venv (once; about two minutes) ..." >&2
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$here/constraints.txt" -e "$here[serve]"
    touch "$stamp"
fi
[ $# -gt 0 ] || set -- serve --open
exec "$venv/bin/unisono" "$@"
