"""``sidebyside doctor``."""

import json

import click

from sidebyside.cli.selection import json_option

_SIGNS = {"good": "ok   ", "note": "note ", "wrong": "WRONG"}


@click.command(
    "doctor",
    epilog="examples: sidebyside doctor; sidebyside doctor --fix; sidebyside doctor --json",
)
@click.option("--fix", is_flag=True, help="mend what can be mended without a decision of yours")
@json_option
def command(fix: bool, as_json: bool) -> None:
    """Look at the machine and the project: what is wrong, and how to mend it.

    Ends with 1 where something is wrong.
    """
    from sidebyside.execution.health.checks import CHECKS, look

    wrong, told = False, []
    for name in CHECKS:
        found, done = look(name), None
        if fix and found.fix is not None:
            done = found.fix()
            found = look(name)
        wrong |= found.level == "wrong"
        about = {"check": name, "level": found.level, "said": found.said, "mend": found.mend}
        told.append({**about, "fixed": done})
        if not as_json:
            print(f"{_SIGNS[found.level]}  {name}: {found.said}", flush=True)
            for line in filter(None, [done and f"fixed: {done}", found.mend]):
                print(f"         {line}")
    if as_json:
        print(json.dumps(told, indent=2))
    raise SystemExit(int(wrong))
