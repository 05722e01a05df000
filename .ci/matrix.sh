#!/usr/bin/env bash
# Run the tests with several sets of packages, each in an environment of its
# own, and print a table. Takes an hour or more; not for every change.
#
#   .ci/matrix.sh [LANE]...        lite full onedl oldest; by default all
#
# Environment: PYTHON (python3), OLDEST_PYTHON for the last lane (PYTHON;
# python3.9 is the oldest, from 3.12 on PyTorch 1.13 cannot be installed),
# MMCV_WHEEL for the lane `full`, ARGS of pytest, TABLE, the file that the
# rows are added to (work_dirs/matrix/table.md).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
python=${PYTHON:-python3}
table=${TABLE:-work_dirs/matrix/table.md}
constraints=.ci/constraints.txt
read -r -a pytest_args <<<"${ARGS:-}"

# Packages of each lane. Called in a condition, where bash does not stop at an
# error: the commands are chained.
install() {
    local lane=$1 pip="$2/bin/python -m pip install -q"
    # The headless build stands in for the one that needs a desktop.
    local opencv
    opencv=$(grep '^opencv-python-headless' $constraints)
    case $lane in
    lite)
        $pip -c $constraints setuptools &&
            $pip -c $constraints --no-build-isolation -e '.[openmmlab,dev]' &&
            $pip --no-deps --force-reinstall "$opencv"
        ;;
    full)
        $pip -c $constraints setuptools &&
            $pip -c $constraints \
                "${MMCV_WHEEL:?the path of a wheel of mmcv}" \
                mmengine mmpretrain mmsegmentation &&
            $pip -c $constraints --no-build-isolation -e '.[dev]' &&
            $pip --no-deps --force-reinstall "$opencv"
        ;;
    onedl)
        # The newest forks; what they stand on is that of the other lanes.
        $pip -c $constraints setuptools onedl-mmengine onedl-mmcv \
            onedl-mmsegmentation onedl-mmpretrain &&
            $pip -c $constraints --no-build-isolation \
                -e '.[dev,onnx,coco]' &&
            $pip --no-deps --force-reinstall "$opencv"
        ;;
    oldest)
        # mmsegmentation 1.2.0 is published without a file that it reads when
        # it is imported. setuptools as mmengine of that time needs it.
        $pip 'setuptools>=64,<81' wheel &&
            $pip 'torch==1.13.1' 'torchvision==0.14.1' 'mmengine==0.10.1' \
                'mmcv-lite==2.0.1' 'mmsegmentation==1.2.1' \
                'mmpretrain==1.0.2' 'numpy==1.23.5' &&
            $pip --no-build-isolation -e '.[dev]' 'numpy==1.23.5' &&
            $pip --no-deps --force-reinstall 'opencv-python-headless<4.12'
        ;;
    *)
        echo "no lane '$lane'; there are lite, full, onedl and oldest" >&2
        return 2
        ;;
    esac
}

versions() {
    "$1/bin/python" - <<'PYTHON'
import platform

import rml_mmseg  # noqa: F401  (makes the others importable)
import mmcv
import mmengine
import mmpretrain
import mmseg
import numpy
import torch

packages = (torch, numpy, mmengine, mmcv, mmseg, mmpretrain)
print(
    f'Python {platform.python_version()}',
    *(f'{m.__name__} {m.__version__}' for m in packages), sep=', ',
)
PYTHON
}

mkdir -p "$(dirname "$table")"
[ -s "$table" ] || printf '%s\n' '| lane | versions | tests | minutes |' \
    '| --- | --- | --- | ---: |' >"$table"
failed=0
for lane in "${@:-lite full onedl oldest}"; do
    for name in $lane; do
        venv=.venv-matrix-$name
        start=$python
        [ "$name" = oldest ] && start=${OLDEST_PYTHON:-$python}
        log=$(dirname "$table")/$name.log
        began=$SECONDS
        result='cannot be installed'
        found=''
        if "$start" -m venv --clear "$venv" &&
            install "$name" "$venv" >"$log" 2>&1; then
            found=$(versions "$venv" 2>>"$log" || true)
            "$venv/bin/python" -m pytest -q tests \
                ${pytest_args[@]+"${pytest_args[@]}"} >>"$log" 2>&1 ||
                failed=1
            result=$(grep -E '(passed|failed|error)' "$log" | tail -n 1 || true)
        else
            failed=1
        fi
        minutes=$(((SECONDS - began + 30) / 60))
        printf '| %s | %s | %s | %s |\n' "$name" "$found" "$result" \
            "$minutes" | tee -a "$table"
    done
done
exit $failed
