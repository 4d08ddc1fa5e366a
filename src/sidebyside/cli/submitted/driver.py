"""What drives a submitted launch: python -m sidebyside.cli.submitted.driver ID [KEY=VALUE ...]."""

import runpy
import signal
import sys
import traceback

from sidebyside import paths
from sidebyside.errors import INTERRUPTED
from sidebyside.execution.submitted.records import note_end, note_start


def main() -> None:
    """Do as ``python pipelines/train.py --multirun`` does, and write down how that ended."""
    name, *arguments = sys.argv[1:]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # from the first moment on
    note_start(name)
    script = str(paths.root() / "pipelines" / "train.py")
    sys.argv = [script, "--multirun", *arguments]
    code = 1
    try:
        runpy.run_path(script, run_name="__main__")
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException:
        traceback.print_exc()
    finally:
        note_end(name, code)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
