"""A cluster in simulated time, under our own policies: what `cluster.py` asks about.

The scheduler is the one that executors use, `sidebyside.execution.executors.tasks.Queue`. Workers,
nodes, driver, tracking server and shared store are simulated; each worker is a node of its own.
"""

import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import simpy
from cluster_given import Cluster, Run, draw_runs, lifetimes
from cluster_server import Server

from sidebyside.execution.executors.tasks import Queue

Steps = Generator[simpy.Event, Any, None]


@dataclass(frozen=True)
class Outcome:
    """What came of it; shares are from 0 to 1, times in seconds.

    ``ideal`` is all pure training over the number of workers, ``failed`` the share of runs that
    failed in the first launch. The same command is given again, at once, until none has.
    """

    makespan: float
    ideal: float
    longest: float
    lost: float
    lost_tasks: int
    failed: float
    launches: int
    requests: float
    waited: float
    tracking: float
    store: float
    driver: float

    @property
    def ratio(self) -> float:
        """The makespan over what no schedule can undercut."""
        return self.makespan / max(self.ideal, self.longest)

    @property
    def busiest(self) -> tuple[str, float]:
        """The resource that is used most, and the share of the time in which it is."""
        used = {"driver": self.driver, "tracking server": self.tracking, "store": self.store}
        name = max(used, key=used.__getitem__)
        return name, used[name]


@dataclass
class Worker:
    """A process on a node."""

    graph: str | None = None
    traced: int = 0
    run: Run | None = None
    epoch_began: float | None = None
    beside: "Beside | None" = None
    process: simpy.Process | None = field(default=None, repr=False)


class Beside:
    """Figures of epochs on their way to the tracking server, one after another, beside training."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation
        self._env = simulation.env
        self._free = 0.0
        self._waiting = 0
        self._sender: simpy.Process | None = None

    def put(self) -> Steps:
        """Let an epoch's figures be sent; training waits where too many are already."""
        while self._waiting >= self._simulation.cluster.buffer:
            yield self._env.timeout(max(self._free - self._env.now, 0))
        if self._sender is None and self._free <= self._env.now:
            self._free = self._env.now + self._simulation.ask(1)
            return
        self._waiting += 1
        if self._sender is None:
            self._sender = self._env.process(self._send())

    def flush(self) -> Steps:
        """Wait until all is sent."""
        if self._sender is not None:
            yield self._sender
        if self._free > self._env.now:
            yield self._env.timeout(self._free - self._env.now)

    def drop(self) -> None:
        """Forget what isn't sent: the process is dead."""
        self._waiting = 0

    def _send(self) -> Steps:
        while self._waiting:
            if self._free > self._env.now:
                yield self._env.timeout(self._free - self._env.now)
            if self._waiting:
                self._waiting -= 1
                self._free = self._env.now + self._simulation.ask(1)
        self._sender = None


class Simulation:
    """A study on a cluster, launched until each run is finished."""

    def __init__(self, cluster: Cluster, runs: Sequence[Run] = ()) -> None:
        self.cluster = cluster
        self.env = simpy.Environment()
        self.tracking = Server(self.env, cluster.servers)
        self.store = Server(self.env, 1)
        self.driver = Server(self.env, 1)
        self.requests = 0
        self._chance = random.Random(cluster.seed)
        self._runs = list(runs) or draw_runs(cluster)
        self._queue = Queue([run.task for run in self._runs])
        self._numbered = list(self._runs)
        self._held: dict[str | None, int] = {}  # workers, by the graph that they have
        self._open = len(self._runs)
        self._failed: list[Run] = []
        self._failed_first = 0
        self._launches = 1
        self._lost = 0.0
        self._lost_tasks = 0
        self._more = self.env.event()
        self._over = self.env.event()

    def outcome(self) -> Outcome:
        """Run it to the end."""
        cluster = self.cluster
        self.driver.serve(cluster.composing * len(self._runs))
        for _ in range(cluster.workers):
            self.env.process(self._node())
        self.env.run(until=self._over)
        took, seconds = self.env.now, [run.seconds for run in self._runs]
        return Outcome(
            makespan=took,
            ideal=sum(seconds) / cluster.workers,
            longest=max(seconds),
            lost=self._lost / sum(run.trained for run in self._runs),
            lost_tasks=self._lost_tasks,
            failed=self._failed_first / len(self._runs),
            launches=self._launches,
            requests=self.requests / took,
            waited=self.tracking.waited / max(self.tracking.calls, 1),
            tracking=min(self.tracking.busy / took / cluster.servers, 1.0),
            store=min(self.store.busy / took, 1.0),
            driver=min(self.driver.busy / took, 1.0),
        )

    def ask(self, requests: int) -> float:
        """Return how long some requests take, one after another."""
        cluster = self.cluster
        self.requests += requests
        service = self._chance.gammavariate(requests, cluster.service) if cluster.service else 0.0
        return self.tracking.serve(service) + requests * cluster.latency

    def _node(self) -> Steps:
        """Let one node follow another at a place."""
        cluster, life = self.cluster, None
        if cluster.lifetime is not None:
            life = lifetimes(cluster.law, cluster.lifetime, self._chance)
        while True:
            worker = Worker()
            process = self.env.process(self._work(worker))
            if life is None:
                return
            yield self.env.timeout(life())
            process.interrupt()
            self._bury(worker)
            yield self.env.timeout(cluster.replaced)

    def _work(self, worker: Worker) -> Steps:
        """Do one task after another, as a warm worker does."""
        try:
            yield self._moving(self.cluster.data, self.cluster.start)
            while True:
                yield self.env.timeout(self.driver.serve(self.cluster.per_task))
                while (taken := self._queue.take("", worker.graph, self._held)) is None:
                    yield self._more
                worker.run = self._numbered[taken[0]]
                yield from self._make_ready(worker, worker.run.task.graph)
                yield from self._train(worker, worker.run)
                worker.run = worker.beside = None
                self._close()
        except simpy.Interrupt:
            return

    def _make_ready(self, worker: Worker, graph: str) -> Steps:
        if graph == worker.graph:
            return
        self._release(worker.graph)
        self._held[graph] = self._held.get(graph, 0) + 1
        worker.graph = graph
        fresh = worker.traced == self.cluster.graphs
        worker.traced = 1 if fresh else worker.traced + 1
        yield self.env.timeout(self.cluster.tracing + (self.cluster.start if fresh else 0))

    def _train(self, worker: Worker, run: Run) -> Steps:
        """Train from the last checkpoint on and publish."""
        cluster, env = self.cluster, self.env
        worker.beside = beside = Beside(self)
        yield env.timeout(self.ask(cluster.opening))
        run.done, saved = run.kept, env.now
        if run.kept:
            yield self._moving(cluster.checkpoint)
        an_epoch = run.seconds / cluster.epochs
        while run.done < cluster.epochs:
            worker.epoch_began = env.now
            yield env.timeout(an_epoch)
            run.trained += an_epoch
            worker.epoch_began = None
            run.done += 1
            if run.done < cluster.epochs and env.now - saved >= cluster.checkpoint_every:
                yield self._moving(cluster.checkpoint)
                run.kept, run.losses = run.done, 0 if cluster.forgiven else run.losses
                saved = env.now
            yield from beside.put()
        yield self._moving(cluster.result)
        yield from beside.flush()
        yield env.timeout(self.ask(cluster.closing))

    def _moving(self, size: float, besides: float = 0.0) -> simpy.Event:
        return self.env.timeout(besides + self.store.serve(size / self.cluster.bandwidth))

    def _bury(self, worker: Worker) -> None:
        """Count what is lost with a worker, and start its task again unless it was once."""
        self._release(worker.graph)
        if (run := worker.run) is None:
            return
        if worker.beside:
            worker.beside.drop()
        an_epoch = run.seconds / self.cluster.epochs
        under_way = 0.0 if worker.epoch_began is None else self.env.now - worker.epoch_began
        run.trained += under_way
        self._lost += under_way + (run.done - run.kept) * an_epoch
        self._lost_tasks += 1
        run.done, run.losses = run.kept, run.losses + 1
        if run.losses >= self.cluster.losses:
            self._failed.append(run)
            self._close()
        else:
            known = self.env.timeout(self.cluster.detected)
            known.callbacks.append(lambda _: self._put_back(run))

    def _put_back(self, *runs: Run) -> None:
        self._queue.add([run.task for run in runs])
        self._numbered += runs
        self._more.succeed()
        self._more = self.env.event()

    def _release(self, graph: str | None) -> None:
        if graph is not None:
            self._held[graph] -= 1
            if not self._held[graph]:
                del self._held[graph]

    def _close(self) -> None:
        self._open -= 1
        if not self._open and not self._failed:
            self._over.succeed()
        elif not self._open:
            self._launch_again()

    def _launch_again(self) -> None:
        if self._launches == 1:
            self._failed_first = len(self._failed)
        failed, self._failed = self._failed, []
        self._launches += 1
        self._open = len(failed)
        for run in failed:
            run.losses = 0
        self.driver.serve(self.cluster.composing * len(self._runs))
        self._put_back(*failed)


def simulate(cluster: Cluster) -> Outcome:
    """Return what comes of a launch on a cluster."""
    return Simulation(cluster).outcome()
