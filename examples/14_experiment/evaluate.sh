#!/usr/bin/env bash
# Evaluates the base and all trained models of experiment.yaml, without a judge first.
#   bash evaluate.sh        all prompts
#   bash evaluate.sh 20     at most 20 of each evaluation
set -euo pipefail
run=runs/experiment
subjects=(--subject base=smollm2-135m-instruct)
for name in sft dpo grpo grpo-people; do
    subjects+=(--subject "$name=$run/models/$name")
done
common=("${subjects[@]}" --config experiment.yaml --folder "$run/evaluation")
if [ $# -gt 0 ]; then common+=(--limit "$1"); fi
unseen=(--prompts unseen.jsonl.gz)
few=()
if [ $# -eq 0 ]; then few=(--limit 20); fi

cai evaluate tax "${common[@]}"
cai evaluate rewards reward-model "${common[@]}" "${unseen[@]}" --check labelled.jsonl.gz --max-length 192
cai evaluate refusal "${common[@]}" --cases xstest.csv --show 0
cai evaluate winrate "${common[@]}" "${unseen[@]}" --check labelled.jsonl.gz --check-limit 100
# Each answer is scored under each of 21 principles.
cai evaluate adherence "${common[@]}" "${unseen[@]}" "${few[@]}"
