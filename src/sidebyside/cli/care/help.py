"""What ``--help`` says besides what the commands say themselves: a list of them, and examples."""

import click

EXIT_CODES = (
    "exit codes: 0 done; 1 something failed, was lost or is wrong, as it says; 2 a mistake or an "
    "obstacle that you can remove, told in a sentence; 130 interrupted by Ctrl-C or SIGTERM, what "
    "is finished is kept."
)
SHORT = {  # in the list of all commands, which imports none of them
    "init": "Make a project of your own in a folder.",
    "add": "Add a model, a dataset or a study of your own, in a file that works.",
    "data": "Add data of your own, and look at what is in a dataset.",
    "summary": "Print a network's layers, output shapes and parameter counts, with formulas.",
    "samples": "Draw a grid of sample images.",
    "predict": "Say what images show: PNG, JPEG or, of digits, IDX files.",
    "export": "Write a run's network in other file formats.",
    "compare": "Hold two variants, two studies or two runs against each other.",
    "report": "Write a study's report as a page, and the index of all reports.",
    "sync": "Publish a study's results to a tracking store, as after dvc pull.",
    "verify": "Show that what a study found comes out again, from its bits to its claims.",
    "ui": "Browse the runs in MLflow, on this machine alone.",
    "submit": "Launch a study or a sweep and leave it: the terminal may be closed.",
    "status": "Tell how launches are doing, those that run in any terminal and those of submit.",
    "wait": "Wait for a launch of submit, and end with its exit code.",
    "cancel": "Stop a launch of submit, as Ctrl-C would: what is finished is kept.",
    "plan": "Tell what a study or a sweep would do: its runs, what is done, the time, the disk.",
    "why": "Tell why a run would be trained again.",
    "doctor": "Look at the machine and the project: what is wrong, and how to mend it.",
    "gc": "Show what nothing refers to in the run store; ask; remove it.",
}
_EXAMPLES = {
    "samples": "example: sidebyside samples --dataset mnist5k",
    "predict": "example: sidebyside predict digit.png --model best",
    "export": "example: sidebyside export --model best",
    "report": "example: sidebyside report study=factorial dataset=mnist --open",
    "sync": "example: sidebyside sync --study factorial",
    "verify": "example: sidebyside verify bits",
    "verify bits": "example: sidebyside verify bits --all",
    "verify predictions": "example: sidebyside verify predictions",
    "verify claims": "example: sidebyside verify claims --study factorial",
    "ui": "example: sidebyside ui --port 5001",
    "wait": "example: sidebyside submit study=factorial; sidebyside wait 1f2e",
    "cancel": "example: sidebyside cancel 1f2e",
    "add": "example: sidebyside add model wide_net",
    "data": "example: sidebyside data add ~/photos --name photos",
    "data check": "example: sidebyside data check mnist5k",
}


def with_examples(command: click.Command, name: str) -> click.Command:
    """Give a command, and those below it, the examples that they don't name themselves."""
    if not command.epilog:
        command.epilog = _EXAMPLES.get(name) or f"example: sidebyside {name}"
    if isinstance(command, click.Group):
        for own, below in command.commands.items():
            with_examples(below, f"{name} {own}")
    return command
