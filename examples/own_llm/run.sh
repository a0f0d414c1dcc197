#!/bin/sh
# Another LLM, a Llama, Qwen2 or Qwen3, becomes a network that also hears, sees, speaks and draws, and learns facts.
# In a new folder: sh run.sh SOURCE FOLDER [OPTIONS OF TRAIN]      SOURCE: a Hugging Face folder, a GGUF file, smollm2
set -eu
here=$(dirname "$0")
source=${1:?name the LLM} folder=${2:?name a new folder}
shift 2
: "${UNISONO_HOME:=$folder/home}"
export UNISONO_HOME

unisono data add facts "$here/facts.jsonl" --licence own --init "$source"
unisono train network --init "$source" --data facts --name mine "$@"
unisono bench quality --data facts --model "$UNISONO_HOME/networks/mine" --samples 3 --records "$folder/records"
unisono chat "Who keeps the lighthouse of Orla?" --model "$UNISONO_HOME/networks/mine" --quiet
