#!/usr/bin/env bash
# One piece of training on one CUDA GPU: at most MINUTES (8), then it stops cleanly; call it again to go on.
#   runs/gpu.sh                                        the chain: the first stage that is not finished, then the next
#   BASE=smollm2 runs/gpu.sh                           the same; the network begins from this LLM (see runs/small.sh)
#   runs/gpu.sh STAGE [SIZE [options of unisono train]]   one stage, by its name in unisono train
# The inputs lie under UNISONO_HOME. The chain needs little: the picture codec of a size draws its own pictures, the network's shards are
# made once, beside the speech, with that codec. To carry them where 64 MB fit, keep 39 for the codecs of small that lie beside them:
#   unisono data network --shared DIR --size small --max-mb 20
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
read -ra unisono <<< "${UNISONO:-.venv/bin/unisono}"     # or "python3 -m unisono.cli", where nothing is installed
minutes=${MINUTES:-8}
size=${2:-${SIZE:-small}}
home=${UNISONO_HOME:-$HOME/.cache/unisono}
piece() {   # of one stage, with what is left of the time
    left=$(awk -v all="$minutes" -v gone="$SECONDS" 'BEGIN { left = all - gone / 60; print (left > 0.0001 ? left : 0.0001) }')
    "${unisono[@]}" train "$1" --size "$size" --minutes "$left" "${@:2}"
}
if [ $# -gt 0 ]; then
    piece "$1" "${@:3}"
    exit
fi
codec=image-codec-$size
[ "$size" = small ] || codec=image-codec
finished() { compgen -G "$home/runs/$1/train-*.json" > /dev/null; }
finished "$codec" || piece image-codec
if ! finished "$codec"; then echo "gpu.sh: the picture codec goes on next time" >&2; exit; fi
if [ ! -f "$home/shards/$size/train/manifest.json" ]; then
    echo "gpu.sh: the picture codec is finished; now make the shards: unisono data network --shared DIR --size $size --max-mb 20${BASE:+ --init $BASE}" >&2; exit
fi
finished "network-$size" || piece network ${BASE:+--init "$BASE"}
