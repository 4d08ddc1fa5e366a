"""A Ray cluster of two nodes on this machine, and what is done there."""

import json
from collections import Counter
from contextlib import contextmanager, suppress

import psutil
import pytest

from support.projects import FOREIGN

QUICK = {
    # A node is given up after two seconds, not after half a minute.
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 4,
    # Ray gives way to whatever else runs: beside other tests its workers would get next to nothing.
    "worker_niceness": 0,
}


@contextmanager
def two_nodes(*homes, **system):
    """Run a cluster of two nodes, a process each, with a CPU each, which may have homes.

    ``system`` sets what Ray calls so.
    """
    from ray.cluster_utils import Cluster

    common = {"num_cpus": 1, "object_store_memory": 2**27}
    own = [{"env_vars": {"SIDEBYSIDE_HOME": str(home)}} for home in homes]
    first, second = own or ({}, {})
    with pytest.MonkeyPatch.context() as patch:
        for name in (*FOREIGN, "SIDEBYSIDE_HOME", "SIDEBYSIDE_ROOT", "RAY_ADDRESS"):
            patch.delenv(name, raising=False)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = common | first | {"include_dashboard": False, "_system_config": QUICK | system}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        cluster.add_node(**common, **second)
        try:
            yield cluster
        finally:
            cluster.shutdown()


def finished(home):
    """Return how often the training of each run has ended, by its key."""
    lines = (home / "runs" / "journal.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines if line]
    return Counter(key for e in entries if e["event"] == "finished" for key in e["keys"])


def workers():
    """Return the processes in which Ray trains runs on nodes that this process has started."""
    own = psutil.Process().children(recursive=True)  # another test's cluster has workers as well
    return [process for process in own if name_of(process).startswith("ray::RayWorker")]


def name_of(process):
    """Return what a process is called, nothing where it has ended since it was listed."""
    with suppress(psutil.NoSuchProcess):
        return process.name()
    return ""
