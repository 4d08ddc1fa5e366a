"""What runs were made by and on."""

from collections import Counter
from collections.abc import Sequence

from sidebyside.storage.evidence import RunEvidence

_DIGITS = 12  # of a source's digest


def origins(runs: Sequence[RunEvidence]) -> list[dict[str, str]]:
    """Return the environments and sources that runs were made under, with the number of runs."""
    counts = Counter(tuple(_origin(run).items()) for run in runs)
    return [{"runs": str(count)} | dict(origin) for origin, count in counts.items()]


def _origin(run: RunEvidence) -> dict[str, str]:
    """Return what a run was made by and on, as words to show."""
    environment, sources = run.identity.get("environment", {}), run.identity.get("sources", {})
    cpu, numerics = environment.get("cpu", {}), environment.get("numerics", "")
    digests = [f"{file} {digest[:_DIGITS]}" for file, digest in sources.items()]
    gpu = environment.get("gpu", {})
    known = environment.get("versions", {}) | {
        "numeric class": numerics,
        "CPU": ", ".join(cpu[name] for name in ("model", "architecture") if name in cpu)
        or (numerics and "any of the class"),
        "instructions": " ".join(cpu.get("instructions", [])),
        "threads": str(environment.get("threads", "")),
        "oneDNN": environment.get("onednn", ""),
        "code": ", ".join(digests),
    }
    if gpu:
        known["GPU"] = f"{gpu['name']}, CUDA {gpu['cuda']}, cuDNN {gpu['cudnn']}"
    return {name: value or "not recorded" for name, value in known.items()}
