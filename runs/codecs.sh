#!/usr/bin/env bash
# The codec of 25 ids a second, from raw data: voices and states, teacher, student, decoder. Every step resumes where it stopped.
#   runs/codecs.sh SHARED           SHARED: folder with the recordings and texts (docs/codecs.md says what else must be installed)
#   FROM=DIR runs/codecs.sh SHARED  goes on from kept weights: DIR/teacher and, where they are there, DIR/encoder and DIR/codec
#   CRUMB=1 runs/codecs.sh SHARED   the same path in minutes, with next to no training: does everything still fit together?
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
shared=${1:?name the folder with the raw data, e.g. runs/codecs.sh ../shared/data}
unisono=${UNISONO:-.venv/bin/unisono}
crumb=()
scale=()
student=()
voices=()
export UNISONO_HOME="${UNISONO_HOME:-$HOME/.cache/unisono}"
if [ -n "${CRUMB:-}" ]; then
    export UNISONO_HOME="$UNISONO_HOME/crumb-codecs"     # what is hardly trained must not be taken for what is
    crumb=(--set loop.num_steps=2 --set batch_size=2 --set loop.validate_every=2)
    scale=(--scale 0.001)
fi
if [ -n "${FROM:-}" ]; then
    student=(--set teacher="$FROM/teacher")
    [ ! -e "$FROM/encoder" ] || student+=(--set start_from="$FROM/encoder")
    voices=(--set teacher="$FROM/teacher")
    [ ! -e "$FROM/codec" ] || voices+=(--set start_from="$FROM/codec")
fi
"$unisono" data speech --shared "$shared" --workers 2 "${scale[@]}"
"$unisono" data states --shared "$shared" "${scale[@]}"
[ -n "${FROM:-}" ] || "$unisono" train audio-teacher "${crumb[@]}"
"$unisono" train audio-student "${student[@]}" "${crumb[@]}"
"$unisono" train audio-voices "${voices[@]}" "${crumb[@]}"
# The last stage goes on from the one before, against discriminators.
voices+=(--set start_from="$UNISONO_HOME/runs/audio-voices/codec" --set adversarial=true --set loop.learning_rate=5e-4)
"$unisono" train audio-voices --name adversarial "${voices[@]}" "${crumb[@]}"
[ -n "${CRUMB:-}" ] || "$unisono" bench codec --reader --codec "$UNISONO_HOME/runs/audio-voices-adversarial/codec"
