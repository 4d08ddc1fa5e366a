"""The nodes of a cluster: what they have room for, and whether they share the driver's home."""

from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import ActorUnschedulableError, RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sidebyside.config.launchers import Ray
from sidebyside.config.schema import Store, Tracking
from sidebyside.errors import UserError
from sidebyside.execution.executors.ray_core.actor import Driver, Place, actor_class

_MIB = 2**20
_ASKED_WITHIN = 60  # seconds for all nodes to say where they are
_SETTINGS = {"CPU": "cpus", "GPU": "gpus", "memory": "memory"}  # by what Ray calls them


def needs(settings: Ray, gpu: bool) -> dict[str, float]:
    """Return what a worker needs of its node, in Ray's words; memory is in bytes.

    Raises
    ------
    UserError
        If it is to have a GPU, and the settings give it none.
    """
    if gpu and not settings.gpus:
        raise UserError(
            f"hydra.launcher.gpus={settings.gpus} gives runs no GPU, and training.device=gpu needs "
            "one: set it to 1, or to a share of one."
        )
    wanted = {
        "CPU": settings.cpus,
        "GPU": settings.gpus if gpu else 0,
        "memory": (settings.memory or 0) * _MIB,
    }
    return {name: amount for name, amount in wanted.items() if amount}


def room(settings: Ray, gpu: bool) -> int:
    """Return how many workers the nodes have room for that are there, if they do nothing else.

    Raises
    ------
    UserError
        If no node has room for one.
    """
    wanted = needs(settings, gpu)
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    fitting = sum(min(int(node.get(k, 0) // wanted[k]) for k in wanted) for node in nodes)
    if fitting:
        return fitting
    most = {k: max((node.get(k, 0) for node in nodes), default=0) for k in wanted}
    raise UserError(
        f"No node of the Ray cluster has room for a run with {_told(wanted)}: the most that one "
        f"has is {_told(most)}. Ask for less by hydra.launcher."
        f"{', hydra.launcher.'.join(_SETTINGS[k] for k in wanted)}, or let larger nodes join."
    )


def _told(amounts: dict[str, float]) -> str:
    return ", ".join(
        f"{_SETTINGS[k]}={amount // _MIB if k == 'memory' else amount:g}"
        for k, amount in amounts.items()
    )


def places(driver: Driver) -> list[Place]:
    """Ask all nodes where they are, whatever else they do.

    One that dies meanwhile is left out: it gets no run.

    Raises
    ------
    UserError
        If a node that is there doesn't answer.
    """
    nodes = {n["NodeID"]: n["NodeManagerAddress"] for n in ray.nodes() if n["Alive"]}
    actors = [
        actor_class(
            num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
        ).remote()
        for node in nodes
    ]
    asked: list[Any] = [actor.settle.remote(driver) for actor in actors]
    told, silent = ray.wait(asked, num_returns=len(asked), timeout=_ASKED_WITHIN)
    if silent:
        addresses = dict(zip(asked, nodes.values(), strict=True))
        raise UserError(
            f"Of {len(nodes)} nodes of the Ray cluster some say nothing for {_ASKED_WITHIN} s: "
            f"{', '.join(addresses[own] for own in silent)}. Let them leave the cluster (ray stop "
            "there), or see what they do (ray status), and launch again."
        )
    found: list[Place] = []
    for own in told:
        with suppress(RayActorError, ActorUnschedulableError):
            found.append(ray.get(own))
    return found


def check_place(place: Place, tracking: Tracking | None, shared: Store | None) -> None:
    """Raise a UserError if a node's runs would be lost to the driver.

    Where it shares no home with the driver, they come by way of a shared store.
    """
    if place.is_shared:
        return
    if tracking is not None and not (tracking.uri or "").startswith(("http:", "https:", "postgre")):
        raise UserError(
            f"tracking.uri={tracking.uri or 'null'} is a file of this machine, which node "
            f"{place.node} doesn't share: set tracking.uri to a server, as http://host:5000."
        )
    if shared is not None and shared.uri is not None:
        return
    raise UserError(
        f"Node {place.node} of the Ray cluster doesn't share this home (its own is {place.home}), "
        "so its runs wouldn't come here: set SIDEBYSIDE_HOME to a folder that all nodes share, or "
        "store.uri to a store that all can reach."
    )
