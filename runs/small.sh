#!/usr/bin/env bash
# An LLM becomes the network that hears, sees, speaks and draws. Every step resumes where it stopped; run it again after a break.
#   runs/small.sh SHARED [options of unisono train network]
#                                 SHARED: folder with the recordings, pictures and texts (see the model card for sources)
#   BASE=DIR runs/small.sh SHARED another base than SmolLM2-135M-Instruct: see `unisono train --help`, --init
#   SIZE=nano                     the codecs: those of small (default), or of nano
#   WAYS="all lora layers" MINUTES=60 runs/small.sh SHARED
#                                 compares which weights should move, for so many minutes each; see docs/training.md
#   CRUMB=1 runs/small.sh SHARED  the same path in minutes, with next to no training: does everything still fit together?
#   START=DIR                     a finished network whose codecs are taken where none are trained under UNISONO_HOME yet
#                                 (runs/codecs.sh and `unisono train image-codec --size small` do that); nano by default
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
shared=${1:?name the folder with the raw data, e.g. runs/small.sh ../shared/data}
read -ra unisono <<< "${UNISONO:-.venv/bin/unisono}"
base=${BASE:-smollm2}
size=${SIZE:-small}
home=${UNISONO_HOME:-$HOME/.cache/unisono}
scale=()
network=()
start=()
if [ -n "${CRUMB:-}" ]; then
    scale=(--scale 0.002)
    crumb=$home/crumb-small     # what is hardly trained must not be taken for what is
    mkdir -p "$crumb" "$home/bases" "$home/sources"
    ln -sfn "$(realpath "$home/bases")" "$crumb/bases"
    ln -sfn "$(realpath "$home/sources")" "$crumb/sources"
    home=$crumb
    network=(--set loop.num_steps=2 --set loader.batch_size=1 --set loop.validate_every=2 --set compile=false)
fi
export UNISONO_HOME=$home
"${unisono[@]}" data speech --shared "$shared" --workers 2 "${scale[@]}"
"${unisono[@]}" data world --shared "$shared" --init "$base" --workers 2 "${scale[@]}"
[ -e "$home/runs/audio-voices/codec" ] || [ -e "$home/runs/audio-codec/codec" ] ||
    start=(--start "${START:-unisono/weights/nano}")
"${unisono[@]}" data network "${start[@]}" --shared "$shared" --size "$size" --init "$base" --workers 2 "${scale[@]}"
if [ -n "${WAYS:-}" ]; then
    for way in $WAYS; do
        "${unisono[@]}" train network --size "$size" --init "$base" --name "small-$way" --minutes "${MINUTES:-60}" \
            --set trainable="$way" "${network[@]}" "${@:2}"
        "${unisono[@]}" bench quality --model "$home/networks/small-$way" --shared "$shared" --records "$home/records" ${CRUMB:+--samples 2}
    done
    exit
fi
"${unisono[@]}" train network --size "$size" --init "$base" --name small "${network[@]}" "${@:2}"
[ -n "${CRUMB:-}" ] || "${unisono[@]}" train moderation --model "$home/networks/small"     # reads 3,637 phrases: minutes
records=$home/records
[ -n "${CRUMB:-}" ] || records=records
"${unisono[@]}" bench quality --model "$home/networks/small" --shared "$shared" --records "$records" ${CRUMB:+--samples 2}
