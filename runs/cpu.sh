#!/usr/bin/env bash
# From raw data to a network and its report, on a CPU. Every step resumes where it stopped; run it again after a break.
#   runs/cpu.sh SHARED            SHARED: folder with the recordings, pictures and texts (see the model card for sources)
#   START=unisono/weights/nano runs/cpu.sh SHARED [options of unisono train network]
#                                 the finished network goes on, with its codecs; what comes of it is called mine. A task of your own
#                                 has the least share of the training: give it more with --set task_shares.NAME=0.1
#   CRUMB=1 runs/cpu.sh SHARED    the same path in minutes, with next to no training: does everything still fit together?
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
shared=${1:?name the folder with the raw data, e.g. runs/cpu.sh ../shared/data}
unisono=${UNISONO:-.venv/bin/unisono}
crumb=()
network=()
scale=()
start=()
name=nano
if [ -n "${START:-}" ]; then
    name=mine
    start=(--start "$START")
    # Nearly half of the weights before, so that what is not taught enough again is not lost (dev/LOG.md, 2026-11-28).
    network=(--set start_from="$START" --set start_share=0.45 --set loop.learning_rate=1.2e-3 --set loop.warmup_steps=60 --set loop.num_steps=5000)
fi
if [ -n "${CRUMB:-}" ]; then
    export UNISONO_HOME="${UNISONO_HOME:-$HOME/.cache/unisono}/crumb${START:+-start}"     # what is hardly trained must not be taken for what is
    crumb=(--set loop.num_steps=4 --set batch_size=2 --set loop.validate_every=4)
    scale=(--scale 0.002)
    network+=(--set loop.num_steps=2 --set loader.batch_size=1 --set loop.validate_every=2 --set compile=false)
fi
"$unisono" data speech --shared "$shared" --workers 2 "${scale[@]}"
if [ -z "${START:-}" ]; then
    "$unisono" train audio-codec "${crumb[@]}"
    "$unisono" train audio-encoder "${crumb[@]}"
    "$unisono" train audio-decoder "${crumb[@]}"
    "$unisono" train image-codec --shared "$shared" "${crumb[@]}"
fi
"$unisono" data world --shared "$shared" --workers 2 "${scale[@]}"
"$unisono" data network --shared "$shared" --workers 2 "${start[@]}" "${scale[@]}"
"$unisono" train network --size nano --name "$name" "${network[@]}" "${@:2}"
home=${UNISONO_HOME:-$HOME/.cache/unisono}
"$unisono" train moderation --model "$home/networks/$name"
records=$home/records
[ -n "${CRUMB:-}${START:-}" ] || records=records
"$unisono" bench quality --model "$home/networks/$name" --shared "$shared" --records "$records" ${CRUMB:+--samples 2}
