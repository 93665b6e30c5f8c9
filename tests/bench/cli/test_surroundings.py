"""What notebooks, queues and launchers leave in the environment reaches no run."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lipbench.bench.cli.surroundings import leave_surroundings

LEFT = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONWARNINGS": "error",
    **dict.fromkeys(("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"), "3"),
    **dict.fromkeys(("SLURM_PROCID", "SLURM_NTASKS", "SLURM_JOB_NAME", "SLURM_LOCALID", "OMPI_COMM_WORLD_RANK"), "3"),
    **dict.fromkeys(("PMI_RANK", "LSB_JOBID", "TORCHELASTIC_RUN_ID", "PL_TRAINER_DEVICES"), "3"),
    "MASTER_ADDR": "nowhere",
    "MASTER_PORT": "1",
    "OMP_NUM_THREADS": "many",
    "MKL_NUM_THREADS": "-1",
}
KEPT = {"SLURM_CONF": "/etc/slurm.conf", "OPENBLAS_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": "0", "FRANKRANK": "1"}


def test_variables_of_others_go_and_the_users_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", LEFT | KEPT)
    leave_surroundings()
    assert os.environ == KEPT | {"MPLBACKEND": "Agg"}


SUITE = """
objectives: [minimax]
datasets: [8gaussians]
architectures: [{name: mlp, width: 8, depth: 1}]
recipe: {lr: 1e-3, n_critic: 1, batch: 8}
steps: 4
seeds: 1
evaluation: {count: 1, points: 50, mode_points: 100, repeats: 0}
"""
# The umask hides what is written from all others.
PROGRAM = """
import os, sys
os.umask(0o077)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from lipbench.bench.cli import main
main(sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="affinity is Linux's")
def test_a_sweep_in_bad_surroundings_makes_the_numbers_of_one_in_good_ones(
    lipbench: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "file").write_text("")
    plain = {k: v for k, v in os.environ.items() if k not in ("HOME", "LIPBENCH_CACHE")}
    bad = LEFT | {"LC_ALL": "tr_TR.nowhere", "LANG": "C", "HOME": str(tmp_path / "file"), "TZ": "nonsense"}
    sweep = ["run", "suite.yaml", "--jobs", "1", "--out"]
    command = [sys.executable, "-c", PROGRAM, *sweep, "bad"]
    ended = subprocess.run(command, cwd=tmp_path, env=plain | bad, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    lipbench(*sweep, "good")
    for name in ("summary.csv", "summary.md"):
        assert (tmp_path / "good" / name).read_bytes() == (tmp_path / "bad" / name).read_bytes()
