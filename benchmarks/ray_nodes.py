"""A Ray cluster on this machine, as many machines would be: for measuring, and for tests."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PATIENCE_S = 600
STORE_BYTES = 80_000_000  # what Ray asks for at least; results are names


@contextlib.contextmanager
def nodes_here(number: int, gpus: int = 0) -> Iterator:
    """A head without CPUs, and so many nodes with one and with GPUs that need not be there; gives
    the `ray.cluster_utils.Cluster`. Nothing of it is found by who asks for no address."""
    from ray.cluster_utils import Cluster

    with _own_folder():
        cluster = Cluster()
        try:
            cluster.add_node(
                False, num_cpus=0, include_dashboard=False, object_store_memory=STORE_BYTES
            )
            for _ in range(number):
                add_node(cluster, gpus)
            cluster.wait_for_nodes(PATIENCE_S)
            yield cluster
        finally:
            cluster.shutdown()


def add_node(cluster, gpus: int = 0, **environment: str):
    """One more node with one CPU, whose workers have these variables of the environment; it may
    take a while until it is there."""
    return cluster.add_node(
        False, num_cpus=1, num_gpus=gpus, object_store_memory=STORE_BYTES, env_vars=environment
    )


@contextlib.contextmanager
def _own_folder() -> Iterator[None]:
    """Where Ray keeps sockets, logs, and the address of the cluster that was started last."""
    before = os.environ.get("RAY_TMPDIR")
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # names of sockets must be short
    os.environ["RAY_TMPDIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["RAY_TMPDIR"]
        else:
            os.environ["RAY_TMPDIR"] = before
        shutil.rmtree(folder, ignore_errors=True)
