"""What serves the simulated cluster: tracking server, shared store, driver."""

from heapq import heapreplace

import simpy


class Server:
    """What serves its callers in the order in which they come, some at a time.

    As no one overtakes, the end of each service is known when it is asked for.
    """

    def __init__(self, env: simpy.Environment, places: int) -> None:
        self._env = env
        self._free = [0.0] * places
        self.busy = 0.0
        self.waited = 0.0
        self.calls = 0

    def serve(self, seconds: float) -> float:
        """Return how long it takes from now on, waiting and being served."""
        now = self._env.now
        begin = max(now, self._free[0])
        heapreplace(self._free, begin + seconds)
        self.busy += seconds
        self.waited += begin - now
        self.calls += 1
        return begin + seconds - now
