"""What the simulated cluster came to: docs/scaling_simulated.md."""

from collections.abc import Sequence

from cluster_findings import Findings, told_time
from cluster_given import HOUR, Cluster
from cluster_model import Outcome
from cluster_sweeps import BUSY, POLICIES, TOO_LONG, Case, Limit
from tabulate import tabulate

TEXT = """# Up to {runs} runs on 1 000 workers, simulated

Written, with all its numbers, by

    {simulate}

A study on up to 1 000 workers in simulated time. The scheduler is the executors' own `Queue`;
nodes, driver, tracking server and shared store are simulated
([cluster_model.py](../benchmarks/cluster_model.py), SimPy), under the policies that a launch has:
warm workers that trace each new graph, the longest run first, a checkpoint after each epoch, a lost
task started again once, figures sent beside training through a bounded queue that is flushed before
a run counts, results taken one by one. Where runs failed, the same command is given again at once,
until none is missing; they go on from their last checkpoint.

{first}

![Makespan over the ideal, use of resources, and what losses cost](scaling_simulated.png)

**ratio** is the makespan over the ideal: all pure training divided by the number of workers, or the
longest run if that is more. **lost** is the share of training that had to be done again, **failed**
that of the runs that failed in the first launch. The seed of chance is fixed: the same numbers come
out again.

## What is assumed

{assumed}

Each worker is a node of its own. By the exponential law nodes die at any age alike. By Weibull's,
of shape 0.7, young ones die sooner: a hazard that falls, as Schroeder & Gibson (DSN 2006) found it
for the nodes of Los Alamos' clusters. "bathtub" is the form that Kadupitiya, Jadhao & Sharma (HPDC
2020) give the lives of Google's preemptible machines: many end soon, the others near the limit of
24 hours. It is scaled to the mean; shape and parameters within these forms are this page's choice.
What a request costs an `mlflow server` depends on its database: these are figures to look limits up
by, not measurements.

## 1 000 workers, {runs} runs

{large}

Fewer workers, {per_worker} runs for each; ratios by the mean lifetime of a node:

{small}

Other laws of lifetimes, and the run times of the committed factorial ({measured} s on average),
{fewer} runs for each of 1 000 workers:

{laws}

## Where it breaks first

{fewer} runs of 5 minutes for each of 1 000 workers, nodes that live for ever, and one thing after
another made worse until the makespan is over {too_long} times the ideal. Where no resource is used
more than {busy} % of the time then, each run waits for itself: for answers, or to be done again.
With few runs for each worker, the end of a study, when workers have nothing left to do, alone
makes it longer.

{limits}

## What to change then

1 000 workers and runs of {short} s, few for each worker: of all changes the one that helps most,
then the next.

{helped}

Losses, by what counts as a failure, {fewer} runs for each of 1 000 workers:

{losses}

{recommended}

The scheduler itself is real, and so is the time in which it chooses a task:

{choosing}

## Against what can be known

`pytest tests/benchmarks` compares the simulation with closed forms: list scheduling and its bounds,
Erlang's waiting time of M/M/c, and the work lost under exponential lifetimes.

And with a real launch:

    {command}

took {took} s. The simulation of its {real_runs} runs on 2 workers says {simulated} s, a ratio of
{ratio}. It was given what was measured: {before} s until the first run begins, {a_run} s a run on
average, {per_task} ms of the driver for a task that does nothing, {after} s after the last run. The
times of the runs are that launch's own, so it is order, waiting and overhead that are compared, not
how long a training takes.
"""


def as_markdown(found: Findings) -> str:
    """Return the document."""
    most = max(cluster.workers for cluster, _ in found.grid)
    reality = found.reality
    return TEXT.format(
        simulate=found.command,
        first=_first(found),
        assumed=_table(_assumed(Cluster())),
        runs=f"{found.runs * most:,}".replace(",", " "),
        large=_table([_row(*case) for case in found.grid if case[0].workers == most]),
        per_worker=found.runs,
        fewer=found.fewer,
        small=_table(_small(found.grid, most)),
        measured=f"{found.laws[-1][0].run_seconds:.0f}",
        laws=_table(
            [{"lifetimes": _law(own), **_row(own, outcome)} for own, outcome in found.laws]
        ),
        too_long=f"{TOO_LONG:g}",
        busy=f"{100 * BUSY:.0f}",
        limits=_table([_limit(one) for one in found.limits]),
        short=f"{found.short:g}",
        helped=_table([_helped(*step) for step in found.helped]),
        losses=_table([_loss(*one) for one in found.losses]),
        recommended=_recommended(found.losses),
        choosing=_table(
            [
                {
                    "tasks that wait": f"{waiting:,}".replace(",", " "),
                    "us a choice": f"{1e6 * own:.0f}",
                }
                for waiting, own in found.choosing.items()
            ]
        ),
        command=reality.command,
        real_runs=reality.runs,
        took=f"{reality.took:.0f}",
        simulated=f"{reality.simulated:.0f}",
        ratio=f"{reality.simulated / reality.took:.2f}",
        before=f"{reality.before:.0f}",
        a_run=f"{reality.a_run:.1f}",
        per_task=f"{1e3 * reality.per_task:.1f}",
        after=f"{reality.after:.1f}",
    )


def _table(rows: Sequence[dict[str, str]]) -> str:
    return tabulate(rows, headers="keys", tablefmt="pipe", disable_numparse=True)


def _assumed(cluster: Cluster) -> list[dict[str, str]]:
    given = {
        "runs of a variant, which share a graph": f"{cluster.seeds}",
        "sd of log run time, of variants and within one": f"{cluster.spread:g}, {cluster.noise:g}",
        "epochs of a run": f"{cluster.epochs}",
        "a new node is there after": f"{cluster.replaced:g} s",
        "a new process has TensorFlow after": f"{cluster.start:g} s",
        "the driver knows of a loss after": f"{cluster.detected:g} s",
        "tracing a new graph": f"{cluster.tracing:g} s, a new process after {cluster.graphs}",
        "requests at the tracking server": f"{cluster.opening} before a run, 1 an epoch beside it "
        f"(up to {cluster.buffer} may wait), {cluster.closing} after",
        "tracking server": f"{cluster.servers} requests at a time, {1e3 * cluster.service:g} ms "
        f"each (exponential), {1e3 * cluster.latency:g} ms there and back",
        "shared store": f"{cluster.bandwidth / 1e6:g} MB/s in all",
        "moved there": f"{cluster.data / 1e6:g} MB of data a node, {cluster.checkpoint / 1e6:g} a "
        f"checkpoint, {cluster.result / 1e6:g} a result",
        "driver": f"{1e3 * cluster.composing:g} ms a run before the first starts, "
        f"{1e3 * cluster.per_task:g} ms a task for handing it out and taking its result",
    }
    return [{"what": what, "value": value} for what, value in given.items()]


def _busiest(outcome: Outcome) -> str:
    name, share = outcome.busiest
    return f"{name} ({100 * share:.0f} %)"


def _row(cluster: Cluster, outcome: Outcome) -> dict[str, str]:
    return {
        "mean run": told_time(round(cluster.run_seconds)),
        "nodes live": told_time(cluster.lifetime),
        "makespan, h": f"{outcome.makespan / HOUR:.2f}",
        "ratio": f"{outcome.ratio:.2f}",
        "lost, %": f"{100 * outcome.lost:.1f}",
        "failed, %": f"{100 * outcome.failed:.2f}",
        "launches": str(outcome.launches),
        "requests a s": f"{outcome.requests:.0f}",
        "server, %": f"{100 * outcome.tracking:.0f}",
        "its queue, ms": f"{1e3 * outcome.waited:.0f}",
        "store, %": f"{100 * outcome.store:.0f}",
        "driver, %": f"{100 * outcome.driver:.0f}",
    }


def _small(grid: Sequence[Case], most: int) -> list[dict[str, str]]:
    rows: dict[tuple[int, float], dict[str, str]] = {}
    for cluster, outcome in grid:
        if cluster.workers < most:
            start = {"workers": str(cluster.workers), "mean run": told_time(cluster.run_seconds)}
            row = rows.setdefault((cluster.workers, cluster.run_seconds), start)
            row[told_time(cluster.lifetime)] = f"{outcome.ratio:.2f}"
    return list(rows.values())


def _law(cluster: Cluster) -> str:
    return cluster.law if cluster.lifetime else "-"


def _limit(one: Limit) -> dict[str, str]:
    return {
        "what": one.what,
        "holds at": one.holds or "-",
        "too long at": one.breaks or "none tried",
        "ratio there": f"{one.at.ratio:.2f}" if one.at else "-",
        "used most there": _busiest(one.at) if one.at else "-",
        f"over {100 * BUSY:.0f} % used at": one.full or "none tried",
        "which": _busiest(one.busy) if one.busy else "-",
    }


def _helped(name: str, outcome: Outcome) -> dict[str, str]:
    return {"change": name, "ratio": f"{outcome.ratio:.2f}", "used most": _busiest(outcome)}


def _loss(name: str, cluster: Cluster, outcome: Outcome) -> dict[str, str]:
    return {
        "mean run": told_time(cluster.run_seconds),
        "nodes live": told_time(cluster.lifetime),
        "policy": name,
        "failed, %": f"{100 * outcome.failed:.2f}",
        "launches": str(outcome.launches),
        "ratio": f"{outcome.ratio:.2f}",
        "lost, %": f"{100 * outcome.lost:.1f}",
    }


def _first(found: Findings) -> str:
    """Say what breaks first, from the limits."""
    lines = []
    for one in (own for own in found.limits if own.what.startswith("workers")):
        runs = one.what.rpartition(", ")[2].capitalize()
        if one.breaks:
            line = f"- {runs} take over {TOO_LONG:g} times the ideal from {one.breaks} workers on"
        else:
            line = f"- {runs} keep within {TOO_LONG:g} times the ideal with {one.holds} workers"
        if one.full and one.busy:
            line += f"; from {one.full} on the {one.busy.busiest[0]} is over "
            line += f"{100 * BUSY:.0f} % used."
        else:
            line += f"; nothing is over {100 * BUSY:.0f} % used."
        lines.append(line)
    start, end = found.helped[0][1], found.helped[-1][1]
    lines.append(
        f"- At 1 000 workers, runs of {found.short:g} s and few for each the ratio is "
        f"{start.ratio:.1f}; with "
        f"{len(found.helped) - 1} changes, below, it is {end.ratio:.2f}."
    )
    worst = max(found.losses, key=lambda one: one[2].failed)
    life, run = told_time(worst[1].lifetime), told_time(worst[1].run_seconds)
    lines.append(
        f"- With nodes that live {life} and runs of {run}, {100 * worst[2].failed:.0f} % of all "
        f"runs fail at first where {worst[0]}."
    )
    return "\n".join(lines)


def _recommended(losses: Sequence[tuple[str, Cluster, Outcome]]) -> str:
    """Say which policy leaves fewest failed runs where nodes live shortest and runs are longest."""
    hard = [(name, outcome) for name, _, outcome in losses][-len(POLICIES) :]
    (ours, now), (best, then) = hard[0], min(hard, key=lambda one: one[1].makespan)
    if best == ours:
        return "No other policy is better than ours."
    return (
        f"So on machines that may be taken away: {best}. In the hardest case that is a ratio of "
        f"{then.ratio:.2f} instead of {now.ratio:.2f}, with {100 * then.failed:.0f} % failed runs "
        f"instead of {100 * now.failed:.0f} %. A process that dies while its node lives still "
        "counts: a run that needs too much memory would otherwise be tried for ever. An epoch "
        "should be short beside a node's life, as what is lost is what isn't in a checkpoint yet."
    )
