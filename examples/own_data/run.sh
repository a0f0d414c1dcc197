#!/bin/sh
# Teaches the network in the package ten facts, a voice and pictures of houses, and measures before and after.
# In a new folder: sh run.sh FOLDER [MINUTES]
set -eu
here=$(dirname "$0")
data=${1:?name a new folder}
minutes=${2:-15}
: "${UNISONO_HOME:=$data/home}"
export UNISONO_HOME

python "$here/make.py" "$data/raw"
unisono data add facts "$data/raw/facts.jsonl" --licence own
unisono data add awb "$data/raw/voice" --licence own
unisono data add houses "$data/raw/houses" --licence own
unisono train network --data facts awb houses --name mine --minutes "$minutes" --set loader.row_length=256
python "$here/measure.py" "$UNISONO_HOME" "${RECORDS:-records}"
