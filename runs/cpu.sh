#!/usr/bin/env bash
# From raw data to a network and its report, on a CPU. Every step resumes where it stopped; run it again after a break.
#   runs/cpu.sh SHARED            SHARED: folder with the recordings, pictures and texts (see the model card for sources)
#   CRUMB=1 runs/cpu.sh SHARED    the same path in minutes, with next to no training: does everything still fit together?
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
shared=${1:?name the folder with the raw data, e.g. runs/cpu.sh ../shared/data}
unisono=${UNISONO:-.venv/bin/unisono}
crumb=()
network=()
scale=()
if [ -n "${CRUMB:-}" ]; then
    export UNISONO_HOME="${UNISONO_HOME:-$HOME/.cache/unisono}/crumb"     # what is hardly trained must not be taken for what is
    crumb=(--set loop.num_steps=4 --set batch_size=2 --set loop.validate_every=4)
    scale=(--scale 0.002)
    network=(--set loop.num_steps=2 --set loader.batch_size=1 --set loop.validate_every=2 --set compile=false)
fi
"$unisono" data speech --shared "$shared" --workers 2 "${scale[@]}"
"$unisono" train audio-codec "${crumb[@]}"
"$unisono" train audio-encoder "${crumb[@]}"
"$unisono" train audio-decoder "${crumb[@]}"
"$unisono" train image-codec --shared "$shared" "${crumb[@]}"
"$unisono" data world --shared "$shared" --workers 2 "${scale[@]}"
"$unisono" data network --shared "$shared" "${scale[@]}"
"$unisono" train network --size nano "${network[@]}"
home=${UNISONO_HOME:-$HOME/.cache/unisono}
"$unisono" train moderation --model "$home/networks/nano"
"$unisono" bench quality --model "$home/networks/nano" --shared "$shared" ${CRUMB:+--samples 2 --records "$home/records"}
