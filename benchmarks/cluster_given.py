"""What a simulated cluster is given: sizes, times, laws of chance, and the runs of a study."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import gamma
from pathlib import Path

import numpy as np

from sidebyside.execution.executors.tasks import Task

HOUR = 3600.0
_SHAPE = 0.7  # of Weibull's law


@dataclass(frozen=True)
class Cluster:
    """What is given; times are in seconds, sizes in bytes.

    Attributes
    ----------
    workers, runs, seeds : int
        ``seeds`` runs share a variant, and with it a graph and an expected time.
    run_seconds, spread, noise : float
        A run's mean time of pure training; the standard deviations of the logarithms of a
        variant's expected time, which the scheduler knows, and of a run's about that.
    factors : tuple of tuple of float
        Instead of ``spread`` and ``noise``: times of a variant's runs over the mean of all.
    epochs : int
    lifetime : float or None
        A node's mean; None is for ever.
    law : {"exponential", "weibull", "bathtub"}
    replaced, start, detected : float
        From a node's end until another is there; until a new process has TensorFlow; until the
        driver knows that a task is lost.
    losses : int
        The loss of a worker at which a run counts as failed, 2 for "started again once".
    forgiven : bool
        Count those alone between which no epoch was completed.
    tracing, graphs : float, int
        What a new graph costs a worker, and with how many its process is replaced.
    servers, service, latency : int, float, float
        Of the tracking server: requests at a time, mean of each (exponential), way there and back.
    opening, closing, buffer : int
        Requests before and after training (one an epoch is beside it), and epochs that may wait.
    bandwidth, data, checkpoint, result, checkpoint_every : float
        Of the shared store, and what is moved there, a checkpoint at most as often as that.
    composing, per_task : float
        The driver's time for each run: before the first one starts, and when it is handed out and
        its result taken.
    seed : int
    """

    workers: int = 1_000
    runs: int = 100_000
    seeds: int = 50
    run_seconds: float = 300.0
    spread: float = 0.5
    noise: float = 0.1
    factors: tuple[tuple[float, ...], ...] = ()
    epochs: int = 5
    lifetime: float | None = None
    law: str = "exponential"
    replaced: float = 60.0
    start: float = 10.0
    detected: float = 10.0
    losses: int = 2
    forgiven: bool = False
    tracing: float = 1.6
    graphs: int = 4
    servers: int = 4
    service: float = 0.010
    latency: float = 0.020
    opening: int = 6
    closing: int = 20
    buffer: int = 64
    bandwidth: float = 1.25e9
    data: float = 50e6
    checkpoint: float = 14.4e6
    result: float = 5e6
    checkpoint_every: float = 0.0
    composing: float = 0.003
    per_task: float = 0.005
    seed: int = 0


def lifetimes(law: str, mean: float, chance: random.Random) -> Callable[[], float]:
    """Return what draws lifetimes of nodes.

    Weibull's shape of 0.7 has the hazard fall with age, as Schroeder & Gibson (2006) found it.
    "bathtub" is the law of Kadupitiya, Jadhao & Sharma (2020) for preemptible machines that live 24
    hours at most, F(t) = A (1 - exp(-t / a) + exp((t - 24) / b)), scaled to the mean.
    """
    if law == "exponential":
        return partial(chance.expovariate, 1 / mean)
    if law == "weibull":
        return partial(chance.weibullvariate, mean / gamma(1 + 1 / _SHAPE), _SHAPE)
    hours = np.linspace(0, 24, 2_401)
    share = 0.475 * (1 - np.exp(-hours / 1.0) + np.exp((hours - 24) / 0.8))
    share = (share - share[0]) / (share[-1] - share[0])
    scale = mean / float(np.sum((1 - share[:-1]) * np.diff(hours)))
    return lambda: scale * float(np.interp(chance.random(), share, hours))


@dataclass
class Run:
    """A run of the study: what it takes, and what became of it so far."""

    task: Task
    seconds: float
    done: int = 0  # epochs
    kept: int = 0  # those that the last checkpoint holds
    losses: int = 0
    trained: float = 0.0


def draw_runs(cluster: Cluster) -> list[Run]:
    """Return the runs of a study, variants one after another."""
    generator = np.random.default_rng(cluster.seed)
    variants = -(-cluster.runs // cluster.seeds)
    number = np.arange(cluster.runs) // cluster.seeds
    if cluster.factors:
        which = generator.integers(len(cluster.factors), size=variants)
        expected = np.array([np.mean(own) for own in cluster.factors])[which]
        seconds = np.array([generator.choice(cluster.factors[which[own]]) for own in number])
    else:
        expected = np.exp(generator.normal(0, cluster.spread, variants) - cluster.spread**2 / 2)
        noise = generator.normal(0, cluster.noise, cluster.runs) - cluster.noise**2 / 2
        seconds = expected[number] * np.exp(noise)
    return [
        Run(Task(int, Path("log"), graph=str(own), cost=float(expected[own])), float(one))
        for own, one in zip(number, cluster.run_seconds * seconds, strict=True)
    ]
