#!/usr/bin/env bash
# Sets up .venv with everything the tests need and runs them. Arguments go to pytest:
#   ./test.sh                    all fast tests          ./test.sh -m slow          the slow ones
#   ./test.sh tests/codecs/test_audio.py
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
scripts/setup
exec "${UNISONO_VENV:-.venv}/bin/python" -m pytest "$@"
