"""An exception on its way from the process of a task to the one that launched it."""

import io
import pickle
import sys
import traceback
from typing import Any

_EVERYWHERE = sys.stdlib_module_names | {"sidebyside"}


def sendable(error: BaseException) -> BaseException:
    """Return an exception that the other process can make again.

    That is the given one, or a RuntimeError that says the same where any part of it is of a module
    that is imported in a worker alone, as one's own models are, or where it can't be made again
    from its arguments. A process that meets such a pickle waits forever for its result, or ends.
    """
    try:
        _Reader(io.BytesIO(pickle.dumps(error))).load()
    except Exception:  # whatever a class of somebody's own does meanwhile
        return RuntimeError("".join(traceback.format_exception_only(error)).strip())
    return error


class _Reader(pickle.Unpickler):
    """Makes again what any process of ours can."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] not in _EVERYWHERE:
            raise pickle.UnpicklingError(f"{module} may be unknown where this is read")
        return super().find_class(module, name)
