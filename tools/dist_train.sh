#!/usr/bin/env bash
# Train in several processes, one for each GPU, or on the CPU where there is
# none.
set -euo pipefail

if [ $# -lt 2 ]; then
    cat >&2 <<USAGE
usage: $0 CONFIG PROCESSES [ARGUMENT OF train.py]...

PROCESSES is the number of processes on this node. Environment: NNODES,
NODE_RANK, MASTER_ADDR and PORT for several nodes or another port (by default
1, 0, 127.0.0.1 and 29500), MAX_RESTARTS after failures (0), PYTHON for
another interpreter.
USAGE
    exit 2
fi

config=$1
processes=$2
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

export PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}"
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$processes" \
    --max_restarts="${MAX_RESTARTS:-0}" \
    "$tools/train.py" "$config" --launcher pytorch "${@:3}"
