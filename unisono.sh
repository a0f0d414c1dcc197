#!/usr/bin/env bash
# Sets everything up in .venv and opens the page where you talk with the network that ships in the package.
# Arguments go to `unisono`:   ./unisono.sh chat --image photo.png "What is this?"     ./unisono.sh --help
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${UNISONO_VENV:-$here/.venv}
stamp=$venv/.installed
python=${PYTHON:-python3}
# The stamp holds the place: what was moved is installed again, for its scripts name their folder.
if [ "$(cat "$stamp" 2>/dev/null)" != "$here" ] || [ "$here/pyproject.toml" -nt "$stamp" ]; then
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed; name one: PYTHON=python3.12 $0" >&2; exit 1; }
    echo "Setting up $venv (once; about two minutes) ..." >&2
    "$python" -m venv "$venv"
    if "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$here/constraints.txt" -e "$here[serve]"; then
        printf %s "$here" > "$stamp"
    elif [ -f "$stamp" ]; then
        echo "The update failed (no network?); going on with what is installed." >&2
    else
        exit 1
    fi
fi
[ $# -gt 0 ] || set -- serve --open
exec "$venv/bin/unisono" "$@"
