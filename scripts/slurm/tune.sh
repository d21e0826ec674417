#!/usr/bin/env bash
#SBATCH --job-name=lego-arta-tune
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=36
#SBATCH --gpus=2
#SBATCH --partition=gpu
#SBATCH --time=18:00:00
# One task, for torchrun and accelerate start a process a GPU themselves.
set -euo pipefail

if [ $# -eq 0 ] || [ "$1" = --help ]; then
    cat <<'HELP'
usage: sbatch scripts/slurm/tune.sh COMMAND...

A command on two GPUs, 18 hours at most (the thesis' job for tuning); started where sbatch was.
Scripts of exports take their number from GPUS, which is set.

    sbatch scripts/slurm/tune.sh bash data/swift/train.sh
    sbatch scripts/slurm/tune.sh python -m accelerate.commands.launch --num_processes 2 \
        scripts/train/sft.py lego-arta --out tuned/sft --deepspeed scripts/train/zero2.json

VENV=DIR       virtual environment (.venv)
MODULES="..."  modules of the cluster that are loaded first
Options of sbatch before the script go before its own: sbatch --partition=NAME --time=1:00:00 ...
HELP
    exit 0
fi
for name in ${MODULES:-}; do module load "$name"; done
source "${VENV:-.venv}/bin/activate"
export GPUS="${SLURM_GPUS_ON_NODE:-2}"
exec "$@"
