"""All checks, in the order in which they are told: those that take no time first.

Another one is a function that returns a `Finding`, and its name here.
"""

from sidebyside.errors import UserError
from sidebyside.execution.health import machine, project, stores
from sidebyside.execution.health.findings import Check, Finding

CHECKS: dict[str, Check] = {
    "versions": machine.versions,
    "cores": machine.cores,
    "load": machine.load,
    "numeric class": machine.numeric_class,
    "oneDNN": machine.onednn,
    "memory": machine.memory,
    "disk": machine.disk,
    "run store": stores.run_store,
    "leftovers": stores.leftovers,
    "git": project.git,
    "config": project.config,
    "data": project.data,
    "tracking store": stores.tracking,
    "artifacts": stores.artifacts,
    "mirror": project.mirror,
}


def look(name: str) -> Finding:
    """Return what a check finds; what hinders it is a finding too."""
    try:
        return CHECKS[name]()
    except (UserError, OSError) as error:
        return Finding("wrong", str(error), "mend what it names")
