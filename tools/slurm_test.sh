#!/usr/bin/env bash
# Test as a job of Slurm.
set -euo pipefail

if [ $# -lt 4 ]; then
    cat >&2 <<USAGE
usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT [ARGUMENT OF test.py]...

Environment: GPUS in all (4), GPUS_PER_NODE (4), CPUS_PER_TASK (5), SRUN_ARGS
for further options of srun, PYTHON for another interpreter.
USAGE
    exit 2
fi

partition=$1
job_name=$2
config=$3
checkpoint=$4
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
per_node=${GPUS_PER_NODE:-4}
read -r -a srun_args <<<"${SRUN_ARGS:-}"

export PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}"
exec srun --partition="$partition" \
    --job-name="$job_name" \
    --gres="gpu:$per_node" \
    --ntasks="${GPUS:-4}" \
    --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${srun_args[@]+"${srun_args[@]}"} \
    "${PYTHON:-python}" -u "$tools/test.py" "$config" "$checkpoint" \
    --launcher slurm "${@:5}"
