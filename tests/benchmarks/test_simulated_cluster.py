"""The simulated cluster against what can be computed without simulating."""

import heapq
import importlib
import random
from dataclasses import replace
from math import exp, factorial
from pathlib import Path

import pytest
import simpy

ROOT = Path(__file__).resolve().parents[2]


def _benchmark(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        return importlib.import_module(name)


given, model = _benchmark("cluster_given"), _benchmark("cluster_model")

NOTHING_ELSE = given.Cluster(  # trains and does no more
    workers=7,
    runs=100,
    seeds=1,
    start=0,
    replaced=0,
    detected=0,
    tracing=0,
    service=0,
    latency=0,
    data=0,
    checkpoint=0,
    result=0,
    composing=0,
    per_task=0,
)


def test_without_overhead_the_makespan_is_that_of_list_scheduling():
    runs = given.draw_runs(NOTHING_ELSE)
    free = [0.0] * NOTHING_ELSE.workers
    for run in sorted(runs, key=lambda run: -run.task.cost):
        heapq.heapreplace(free, free[0] + run.seconds)
    outcome = model.simulate(NOTHING_ELSE)
    assert outcome.makespan == pytest.approx(max(free))
    assert outcome.ideal <= outcome.makespan <= outcome.ideal + outcome.longest
    assert outcome.lost == outcome.failed == 0


def test_equal_runs_fill_whole_rounds():
    outcome = model.simulate(replace(NOTHING_ELSE, spread=0, noise=0, run_seconds=60))
    assert outcome.makespan == pytest.approx(15 * 60)  # 100 runs, 7 workers


def test_a_graph_is_traced_once_by_each_worker_that_needs_it():
    alike = replace(NOTHING_ELSE, spread=0, noise=0, workers=2, runs=20, seeds=10, run_seconds=60)
    assert model.simulate(replace(alike, tracing=5)).makespan == pytest.approx(10 * 60 + 5)
    alone = replace(alike, seeds=1, tracing=5, start=100)  # at first, and after each fourth graph
    assert model.simulate(alone).makespan == pytest.approx(10 * (60 + 5) + 3 * 100)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (4, 0.8)])
def test_requests_wait_as_erlang_says(servers, load):
    env, chance = simpy.Environment(), random.Random(0)
    server = model.Server(env, servers)
    offered = servers * load  # services of mean 1, arrivals at that rate

    def arrivals():
        for _ in range(200_000):
            yield env.timeout(chance.expovariate(offered))
            server.serve(chance.expovariate(1))

    env.process(arrivals())
    env.run()
    full = offered**servers / factorial(servers) / (1 - load)
    erlang_c = full / (sum(offered**k / factorial(k) for k in range(servers)) + full)
    assert server.waited / server.calls == pytest.approx(erlang_c / (servers - offered), rel=0.1)
    assert server.busy / env.now / servers == pytest.approx(load, rel=0.02)


@pytest.mark.slow
def test_what_is_lost_with_nodes_is_what_their_law_says():
    hour = 3600.0
    one_epoch = replace(
        NOTHING_ELSE,
        workers=100,
        runs=20_000,
        epochs=1,
        spread=0,
        noise=0,
        run_seconds=hour / 2,
        lifetime=hour,
    )
    dies = 1 - exp(-1 / 2)
    once = model.simulate(replace(one_epoch, losses=10**9))
    tries = 1 / (1 - dies)
    until_lost = hour - hour / 2 * exp(-1 / 2) / dies  # of a training that is lost
    lost = (tries - 1) * until_lost
    assert once.lost_tasks / 20_000 == pytest.approx(tries - 1, rel=0.05)
    assert once.lost == pytest.approx(lost / (lost + hour / 2), rel=0.05)
    assert once.failed == 0
    assert model.simulate(one_epoch).failed == pytest.approx(dies**2, rel=0.05)


@pytest.mark.parametrize("law", ["exponential", "weibull", "bathtub"])
def test_lifetimes_have_their_mean(law):
    draw = given.lifetimes(law, 100.0, random.Random(0))
    assert sum(draw() for _ in range(50_000)) / 50_000 == pytest.approx(100, rel=0.03)


def test_slow_answers_delay_no_epoch():
    one = replace(NOTHING_ELSE, workers=1, runs=1, spread=0, noise=0, epochs=10, run_seconds=100)
    slow = replace(one, opening=0, closing=0, latency=9)
    assert model.simulate(slow).makespan == pytest.approx(100 + 9)  # the last epoch is flushed


def test_failed_runs_go_on_with_the_same_command():
    dying = replace(NOTHING_ELSE, runs=300, run_seconds=3600, lifetime=3600.0)
    outcome = model.simulate(dying)
    assert outcome.failed > 0
    assert outcome.launches > 1
    spared = model.simulate(replace(dying, losses=10**9))
    assert (spared.failed, spared.launches) == (0, 1)
    assert spared.makespan < outcome.makespan
    assert outcome == model.simulate(dying)
