#!/usr/bin/env bash
# Sets up .venv with everything the tests need and runs them. Arguments go to pytest:
#   ./test.sh                    all fast tests          ./test.sh -m slow          the slow ones
#   ./test.sh tests/test_audio.py
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
venv=${UNISONO_VENV:-.venv}
missing=()
for program in espeak-ng flite; do command -v "$program" >/dev/null || missing+=("$program"); done
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing+=(chromium)
[ -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf ] || missing+=(fonts-noto-color-emoji)
if [ ${#missing[@]} -gt 0 ] && command -v apt-get >/dev/null; then
    echo "Installing ${missing[*]} ..." >&2
    root=(); [ "$(id -u)" = 0 ] || root=(sudo)
    { "${root[@]}" apt-get update -qq && "${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; } ||
        echo "They could not be installed; the tests that need them are skipped or fail." >&2
fi
stamp=$venv/.installed-dev
if [ ! -f "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
    echo "Setting up $venv for the tests (once) ..." >&2
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps resemblyzer==0.1.4     # the judge of voices: its weights only
    touch "$stamp"
    printf %s "$PWD" > "$venv/.installed"
fi
exec "$venv/bin/python" -m pytest "$@"
