"""Generated studies, those of `make scale`."""

import importlib.util
import sys

from support.projects import SOURCE

_spec = importlib.util.spec_from_file_location("generated", SOURCE / "benchmarks" / "generated.py")
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
sys.modules["generated"] = _module  # where its dataclasses are looked up
_spec.loader.exec_module(_module)

FACTORS = _module.FACTORS
evidence = _module.evidence
