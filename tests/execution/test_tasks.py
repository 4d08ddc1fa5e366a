"""Which task a worker is given next: by its graph, then the longest, also among 100 000."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidebyside import UserError
from sidebyside.execution.executors.serial import SerialExecutor
from sidebyside.execution.executors.tasks import Queue, Task

GRAPHS = ["a", "b", "c", ""]


def task(process="", graph="", cost=0.0):
    return Task(int, Path("log"), process, graph, cost)


class LookingAtAll:
    """The same choice, by looking at all that wait."""

    def __init__(self, tasks):
        self.waiting = dict(enumerate(tasks))
        self.count = len(tasks)

    def add(self, tasks):
        self.waiting |= dict(enumerate(tasks, start=self.count))
        self.count += len(tasks)

    def take(self, process, own, others):
        def rank(number):
            one = self.waiting[number]
            return one.graph != own, one.graph in others, -one.cost, number

        fitting = [number for number, one in self.waiting.items() if one.process == process]
        if not fitting:
            return None
        number = min(fitting, key=rank)
        return number, self.waiting.pop(number)


some_tasks = st.lists(
    st.builds(task, st.sampled_from("xy"), st.sampled_from(GRAPHS), st.integers(0, 3)), max_size=12
)
takes = st.tuples(
    st.sampled_from("xyz"),
    st.sampled_from([*GRAPHS, None]),
    st.sets(st.sampled_from([*GRAPHS, None])),
)


@given(some_tasks, st.lists(some_tasks | takes | st.just("back"), max_size=40))
def test_the_choice_is_that_of_looking_at_all(tasks, steps):
    queue, reference, taken = Queue(tasks), LookingAtAll(tasks), []
    for step in steps:
        if step == "back":
            if taken:
                queue.put_back(*taken[-1])
                reference.waiting |= [taken.pop()]
        elif isinstance(step, list):
            assert queue.add(step) == bool(step)
            reference.add(step)
        else:
            took = queue.take(*step)
            assert took == reference.take(*step)
            taken += [took] if took else []
        assert len(queue) == len(reference.waiting)
        for process in "xy":
            here = [one for one in reference.waiting.values() if one.process == process]
            assert queue.waiting(process) == len(here)
        if queue:
            assert queue.first is reference.waiting[min(reference.waiting)]


def test_a_task_that_comes_later_is_taken_before_shorter_ones():
    queue = Queue([task(graph="a", cost=1)])
    queue.add([task(graph="a", cost=2)])
    assert [queue.take("", "a", ())[0] for _ in range(2)] == [1, 0]


def test_many_tasks_are_taken_soon():
    count, workers = 100_000, 1_000
    queue = Queue([task(graph=str(number % 5_000), cost=number % 7) for number in range(count)])
    own = [None] * workers
    began = time.monotonic()
    for number in range(count):
        _, taken = queue.take("", own[number % workers], set(own) if number < workers else own)
        own[number % workers] = taken.graph
    assert not queue
    assert time.monotonic() - began < 60  # looking at all takes over 15 minutes


def test_one_process_refuses_tasks_of_different_settings_before_it_does_any():
    done = []
    tasks = [Task(lambda: done.append(1), Path("log"), process) for process in "xxy"]
    with pytest.raises(UserError, match=r"different settings.* \(x and y\): choose local"):
        list(SerialExecutor().run(tasks))
    assert not done
