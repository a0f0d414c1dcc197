#!/usr/bin/env bash
# Sets up .venv with everything the tests need and runs them. Arguments go to pytest:
#   ./test.sh                    all fast tests          ./test.sh -m slow          the slow ones
#   ./test.sh tests/codecs/test_audio.py
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
scripts/setup
if [ $# = 0 ]; then     # all of them: on up to four cores, each file in one process, whose torch adds no threads of its own
    cores=$(nproc)
    set -- -n "$((cores > 4 ? 4 : cores))" --dist loadfile
    export OMP_NUM_THREADS=1
fi
exec "${UNISONO_VENV:-.venv}/bin/python" -m pytest "$@"
