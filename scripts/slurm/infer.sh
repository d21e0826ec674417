#!/usr/bin/env bash
#SBATCH --job-name=lego-arta-infer
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=18
#SBATCH --gpus=1
#SBATCH --partition=gpu
#SBATCH --time=15:00:00
set -euo pipefail

if [ $# -eq 0 ] || [ "$1" = --help ]; then
    cat <<'HELP'
usage: sbatch scripts/slurm/infer.sh COMMAND...

A command on one GPU, 15 hours at most (the thesis' job for inference); started where sbatch was.

    sbatch scripts/slurm/infer.sh lego-arta evaluate run lego-arta --config all \
        --model Qwen/Qwen2.5-VL-7B-Instruct --attention flash_attention_2 --batch-size 3

VENV=DIR       virtual environment (.venv)
MODULES="..."  modules of the cluster that are loaded first
Options of sbatch before the script go before its own: sbatch --partition=NAME --time=1:00:00 ...
HELP
    exit 0
fi
for name in ${MODULES:-}; do module load "$name"; done
source "${VENV:-.venv}/bin/activate"
exec "$@"
