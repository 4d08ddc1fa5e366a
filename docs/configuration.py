"""Write the reference of all settings from their schemas: python docs/configuration.py.

It prints docs/configuration.md.
"""

import inspect
import math
import re
from collections.abc import Collection, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml
from pydantic import TypeAdapter

from sidebyside import compose
from sidebyside.config import launchers
from sidebyside.config.datasets import Dataset, File
from sidebyside.config.metrics import OwnMetric
from sidebyside.config.schema import Config, Store, Study, Tracking, Training
from sidebyside.engine.blocks import AnyBlock

_MOST = 400  # characters about a choice
_SHOWN = 60  # characters of a value
PLAIN = ("data_format", "seed", "protocol", "evaluate", "allow_partial", "ask_above")
CONF = Path(__file__).resolve().parents[1] / "conf"
SECTIONS = {
    "training": Training,
    "study": Study,
    "tracking": Tracking,
    "store": Store,
    "dataset": Dataset,
    "hydra.launcher": None,
}
WITHIN = {"study": OwnMetric, "dataset": File}  # mappings that a section's table points to
HEAD = """# What can be set

Written by `python docs/configuration.py`, from the schemas that each config is checked against
before any work starts.

`params.yaml` has what DVC tracks; `conf/` has the rest, a folder for each group of choices. The
command line wins over both: `python pipelines/train.py -m optimizer=adam,sgd training.epochs=5`. A
setting of a group's file is changed by its path, `model.kernel_size=5`; one that the chosen file
doesn't name is added with `+`, `schedule=cosine +schedule.decay_epochs=2`, and `++` does either,
`++study.until=decided`. `study.pairs` and `study.other_scores` are in no file that comes along.

What a setting is for stands beside it in its file, `conf/training/default.yaml` say; here stands
what isn't plain from that.
"""
ENVIRONMENT = """## Variables of the environment

None decides a result but the last one, and the kind of the GPU; both are in the run key.
"""
VARIABLES = {
    "SIDEBYSIDE_HOME": (
        "the *home*: the folder of `runs/`, `mlflow.db`, `mlartifacts/` and `outputs/`, which "
        "workspaces can share; not of `data/`, `results/` and `reports/`. Without it the main "
        "workspace of DVC (`DVC_ROOT`, which DVC sets), else the project"
    ),
    "SIDEBYSIDE_ROOT": (
        "the project, of which `conf/`, `data/`, `results/` and `reports/` are; without it that "
        "around the working directory. The scripts in `pipelines/` take their own"
    ),
    "SIDEBYSIDE_MIRROR": (
        "a folder or an address that has datasets' files, `<name>.gz`: `<mirror>/<dataset>/` is "
        "looked into first, then `<mirror>/` itself, then the `sources` in the dataset's file; "
        "before all of them `data/raw/<dataset>/` at home, where that isn't the project. Whoever "
        "serves a file, its SHA-256 decides"
    ),
    "SIDEBYSIDE_STORE": (
        "`store.uri`, where nothing else sets it: [a store that machines share](store.md)"
    ),
    "SIDEBYSIDE_RETRAIN": (
        "anything but `0`: finished runs are trained anew, to show that they [come out the "
        "same](verify.md)"
    ),
    "SIDEBYSIDE_GPUS": (
        "which GPUs `training.device=gpu` may take, in place of `CUDA_VISIBLE_DEVICES`: "
        "[gpu.md](gpu.md)"
    ),
    "MLFLOW_TRACKING_URI": (
        "`tracking.uri`, where nothing else sets it: [a tracking server](server.md), or another "
        "database"
    ),
    "MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD, MLFLOW_TRACKING_TOKEN": (
        "MLflow's own: the login there"
    ),
    "MLFLOW_TRACKING_SERVER_CERT_PATH": (
        "MLflow's own: a certificate that no public authority signed"
    ),
    "TF_ENABLE_ONEDNN_OPTS": (
        "TensorFlow's own: `1` here on x86-64, unless it is set. `0` switches oneDNN off: runs "
        "get other keys, and channels_first convolutions are refused"
    ),
}
ELSEWHERE = """
Those of Ray are told in [scaling.md](scaling.md#ray), those of an object store in
[store.md](store.md), that of a shell's completion in [commands.md](commands.md#in-a-shell).
"""
BLOCKS = """## Blocks of a network: `model.blocks`

An entry of the list has a `type`; a setting without anything under "as it comes" has to be given.
The model's other settings are told in
[extending.md](extending.md#everything-else-that-can-be-chosen). Those of `optimizer`, `schedule`
and the layers of `augmentation` are arguments of Keras.
"""

AS_OF_A_STUDY = """It comes as in `study=factorial`. In a file of your own, `expected_equal` is
empty unless it is set, and without a study there is none of this."""


def allowed(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return in words what a JSON schema allows."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        inner = definitions[name]
        return (
            allowed(inner, definitions)
            if "properties" not in inner
            else f"a mapping, see [`{name}`](#{name.lower()})"
        )
    if "discriminator" in schema:
        return "blocks"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            told = [allowed(own, definitions) for own in schema[several]]
            return ", or ".join(dict.fromkeys(told))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"a list: {allowed(schema.get('items', {}), definitions)}"
    if isinstance(each := schema.get("additionalProperties"), dict) and "$ref" in each:
        return f"a mapping, in which each is {allowed(each, definitions)}"
    limits = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    words = {
        "integer": "an integer",
        "number": "a number",
        "string": "a text",
        "boolean": "`true`, `false`",
        "object": "a mapping",
        "null": "`null`",
    }
    bounds = [f"{word} {schema[name]:.10g}" for name, word in limits.items() if name in schema]
    return " ".join([words.get(kind, kind), *([" and ".join(bounds)] if bounds else [])])


def table(schema: Any, values: Any, names: Collection[str] = ()) -> Iterator[str]:
    """Yield a table of a schema's settings, or some; ``values`` has them as the configs come."""
    described = TypeAdapter(schema).json_schema()
    if "$ref" in described:  # of a schema that holds itself
        described |= described["$defs"][schema.__name__]
    yield from ("| setting | allowed | as it comes |", "|---|---|---|")
    for name, own in described["properties"].items():
        if names and name not in names:
            continue
        value = values.get(name, own.get("default", ...)) if isinstance(values, dict) else ...
        shown = "" if isinstance(value, dict) or value is ... else f"`{_yaml(value)}`"
        told = allowed(own, described.get("$defs", {}))
        if own.get("default", "") is None and "`null`" not in told:  # which is read as another
            told += ", or `null`"
        yield f"| `{name}` | {told} | {shown} |"


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=math.inf).split("\n")[0]
    return text if len(text) < _SHOWN else "..."


def prose(schema: Any) -> str:
    """Return a schema's docstring as paragraphs of Markdown."""
    text = inspect.cleandoc(schema.__doc__ or "")
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    opening, _, attributes = text.partition("\nAttributes\n----------\n")
    told = re.sub(r"^(\w+) : (.*)$", r"- `\1`: \2.", attributes, flags=re.MULTILINE)
    return f"{opening}\n{told}".rstrip()


def choices() -> Iterator[str]:
    """Yield the files of each group, each with its first comment."""
    yield "## What can be chosen by name\n"
    for group in sorted(path for path in CONF.iterdir() if path.is_dir()):
        if group.name == "hydra":
            continue
        yield f"### `{group.name}=...`\n"
        yield from ("| choice | |", "|---|---|")
        for path in sorted(group.glob("*.yaml")):
            yield f"| `{path.stem}` | {_about(path)} |"
        yield ""


def _about(path: Path) -> str:
    """Return a file's first paragraph of comment, or all of it where it has none and is short."""
    told: list[str] = []
    for line in path.read_text().splitlines():
        text = line.lstrip("# ").rstrip()
        if line[:1] != "#" or (told and not text):
            break
        if text and not text.startswith(("@package", "python ")):
            told.append(text)
    said = " ".join(told) or f"`{yaml.safe_load(path.read_text())}`".replace("'", "")
    return said.replace("|", "\\|") if len(said) < _MOST else ""


def sections() -> Iterator[str]:
    """Yield a section for what is in no group, and for each schema."""
    config = TypeAdapter(Config).dump_python(compose("study=factorial"))
    config["study"] |= yaml.safe_load((CONF / "study" / "factorial.yaml").read_text())["study"]
    yield "## In no group\n\nWhat each is for stands beside it in `conf/config.yaml`.\n"
    yield from table(Config, {name: config[name] for name in PLAIN}, PLAIN)
    yield ""
    for name, schema in SECTIONS.items():
        if schema is None:
            for engine, own in launchers.ENGINES.items():
                yield f"## `hydra/launcher={engine}`: `hydra.launcher.*`\n\n{prose(own)}\n"
                values = yaml.safe_load(
                    (CONF / "hydra" / "launcher" / f"{engine}.yaml").read_text()
                )
                yield from table(own, values)
                yield ""
            continue
        assert is_dataclass(schema)
        yield f"## `{name}.*`\n\n{prose(schema)}\n"
        if name == "study":
            yield f"{AS_OF_A_STUDY}\n"
        yield from table(schema, config[name])
        yield ""
        if name in WITHIN:
            yield f"### `{WITHIN[name].__name__}`\n\n{prose(WITHIN[name])}\n"
            rows = table(WITHIN[name], {})
            yield from (row.replace("`target`", "`_target_`") for row in rows)
            yield ""


def blocks() -> Iterator[str]:
    """Yield a section for each block of which networks are made."""
    yield BLOCKS
    for block in get_args(AnyBlock):
        (name,) = get_args(get_type_hints(block)["type"])
        yield f"### `type: {name}`\n\n{prose(block)}\n"
        settings = [own.name for own in fields(block) if own.name != "type"]
        if settings:
            yield from table(block, {}, settings)
            yield ""


def variables() -> Iterator[str]:
    """Yield a section for what is taken from the environment."""
    yield ENVIRONMENT
    yield from ("| variable | what it is |", "|---|---|")
    for names, told in VARIABLES.items():
        yield f"| {', '.join(f'`{name}`' for name in names.split(', '))} | {told} |"
    yield ELSEWHERE


def main() -> None:
    """Print the page."""
    print("\n".join([HEAD, *sections(), *variables(), *blocks(), *choices()]).rstrip())


if __name__ == "__main__":
    main()
