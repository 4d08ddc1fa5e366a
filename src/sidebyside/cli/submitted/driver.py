"""What drives a submitted launch: python -m sidebyside.cli.submitted.driver ID [KEY=VALUE ...]."""

import runpy
import sys
import traceback

from sidebyside import paths
from sidebyside.execution.submitted.records import note_end, note_start


def main() -> None:
    """Do as ``python pipelines/train.py --multirun`` does, and write down how that ended."""
    name, *arguments = sys.argv[1:]
    note_start(name)
    script = str(paths.root() / "pipelines" / "train.py")
    sys.argv = [script, "--multirun", *arguments]
    code = 1
    try:
        runpy.run_path(script, run_name="__main__")
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        note_end(name, code)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
