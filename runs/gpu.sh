#!/usr/bin/env bash
# One piece of training on one CUDA GPU: at most MINUTES (8), then it stops cleanly; call it again to go on.
#   runs/gpu.sh audio-codec | audio-decoder | audio-encoder | image-codec | network [SIZE [options of unisono train]]
# The inputs are what `unisono data` left under UNISONO_HOME (speech for the codec, shards for the network).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
what=${1:?audio-codec, audio-decoder, audio-encoder, image-codec or network}
size=${2:-small}
unisono=${UNISONO:-.venv/bin/unisono}
"$unisono" train "$what" --size "$size" --minutes "${MINUTES:-8}" "${@:3}"
