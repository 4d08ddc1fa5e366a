"""What all runs of a study have in common, and the command that trains them."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import TypeAdapter

from sidebyside import paths
from sidebyside.config.factors import level_text, short_names
from sidebyside.config.metrics import ERROR, metric_from
from sidebyside.config.pinned import pinned_keys
from sidebyside.engine.blocks import AnyModel, Instance, Model, content
from sidebyside.errors import UserError
from sidebyside.report.text.numbers import counted
from sidebyside.storage.evidence import Evidence

_MODEL: TypeAdapter[Model | Instance] = TypeAdapter(AnyModel)
_OF_TRAINING = (  # their keys begin with "training."
    "epochs",
    "batch_size",
    "threads",
    "precision",
    "label_smoothing",
    "ema",
    "class_weight",
    "order",
    "patience",
    "keep",
)
_USUAL = {"threads": 1, "precision": "float32"}  # and so in no command
_PLAIN = ("data_format", "protocol")
_UNQUOTED = re.compile(r"[\w./+-]+")  # which Hydra reads as it stands
_BEFORE_CLASSES = "none, trained before there were any: the bits of one processor"
_WORDS = {  # what a setting of the recipe is called in the table, in its order
    "dataset": "data",
    "normalisation": "pixels",
    "model.name": "model",
    "model.blocks": "blocks",
    "model.kernel_size": "kernel size",
    "model.dropout": "dropout",
    "model.kernel_initializer": "initial weights",
    "optimizer.name": "optimizer",
    "optimizer.learning_rate": "learning rate",
    "data_format": "data format",
    "protocol": "protocol",
    "epochs": "epochs",
    "batch_size": "batch size",
    "threads": "threads per run",
    "precision": "precision",
    "schedule.name": "learning rate's course",
    "augmentation.name": "augmentation",
    "label_smoothing": "label smoothing",
    "ema": "momentum of the average of weights",
    "class_weight": "class weights",
    "order": "order of the images",
    "patience": "epochs without a lower validation loss until it stops",
    "keep": "weights that are kept",
}


def fixed(evidence: Evidence) -> dict[str, Any]:
    """Return the settings that are the same in all runs, by dotted name; seeds are none."""
    recipes = [dict(_leaves(run.recipe)) for run in evidence.runs]
    return {
        name: value
        for name, value in recipes[0].items()
        if name != "seed" and all(name in recipe and recipe[name] == value for recipe in recipes)
    }


def condition_rows(evidence: Evidence) -> list[dict[str, str]]:
    """Return a row for each setting that wasn't varied."""
    common = fixed(evidence)
    rows = [
        {"setting": _WORDS.get(name, name), "value": _value_text(name, common[name])}
        for name in [*_WORDS, *sorted(common.keys() - _WORDS.keys() - {"optimizer._target_"})]
        if name in common and common[name] is not None
    ]
    if evidence.metric != ERROR:
        rows.append({"setting": "metric", "value": evidence.metric.chosen})
    if "numerics" not in evidence.runs[0].factors:
        rows.append({"setting": "numeric class", "value": _numeric_classes(evidence)})
    seeds = sorted({run.seed for run in evidence.runs})
    own = ", independent: each variant's own" if evidence.independent else ""
    return [*rows, {"setting": "seeds", "value": ", ".join(map(str, seeds)) + own}]


def _numeric_classes(evidence: Evidence) -> str:
    environments = [run.identity.get("environment", {}) for run in evidence.runs]
    counts = Counter(own.get("numerics", _BEFORE_CLASSES) for own in environments)
    if len(counts) == 1:
        return next(iter(counts))
    return "; ".join(f"{name} ({counted(count, 'run')})" for name, count in counts.items())


def refuse_other_settings(evidence: Evidence, before: Evidence | None) -> None:
    """Raise a UserError if another study would be overwritten that has the same name.

    Parameters
    ----------
    evidence : Evidence
        Of the report to write.
    before : Evidence or None
        Of the report that is there.
    """
    if before is None:
        return
    varied = {*_varied(evidence), *_varied(before)}
    new, old = fixed(evidence), fixed(before)
    unlike = [
        f"{_WORDS.get(name, name)} {_value_text(name, old[name])} there, "
        f"{_value_text(name, new[name])} now"
        for name in {**old, **new}
        if name not in varied and name in old and name in new and old[name] != new[name]
    ]
    if before.metric != evidence.metric:
        unlike.append(f"metric {before.metric.chosen} there, {evidence.metric.chosen} now")
    if unlike:
        listed = "; ".join(unlike)
        study = evidence.study
        raise UserError(
            f"reports/{evidence.dataset}/{study} is the report of another study of this name "
            f"({listed}). Give this one a file and a name of its own (conf/study/{study}.yaml is "
            f"the pattern), or delete that folder. What is trained is kept."
        )


def training_command(evidence: Evidence) -> str:
    """Return the command that trains the runs of a study, whatever params.yaml says today."""
    return shlex.join(["python", "pipelines/train.py", "-m", *_overrides(evidence)])


def compare_command(evidence: Evidence) -> str:
    """Return the command that makes the report again."""
    chosen = [f"study={evidence.study}", f"dataset={evidence.dataset}"]
    return shlex.join(["python", "pipelines/compare.py", *chosen, *_of_metric(evidence)])


def _overrides(evidence: Evidence) -> Iterator[str]:
    common = fixed(evidence)
    yield f"study={evidence.study}"
    yield f"dataset={evidence.dataset}"
    study = _read("study", f"{evidence.study}.yaml")
    yield from _of_factors(evidence, study)
    pinned = _pinned(evidence)
    for group in ("model", "optimizer", "schedule", "augmentation"):
        name = common.get(f"{group}.name")
        if name is not None and group not in {*_varied(evidence), *pinned}:
            yield f"{group}={name}"
            yield from _unlike_its_file(group, common, _read(group, f"{name}.yaml"), evidence)
    usual = _read("config.yaml") | {key: study[key] for key in _PLAIN if key in study}
    for key in _PLAIN:
        if key in common and common[key] != usual.get(key) and key not in pinned:
            yield f"{key}={common[key]}"
    if "normalisation" in common:
        yield f"dataset.normalisation={common['normalisation']}"
    for key in _OF_TRAINING:
        as_always = common.get(key) == _USUAL.get(key)
        if key in common and f"training.{key}" not in pinned and not as_always:
            yield f"training.{key}={common[key]}"
    if all("gpu" in run.identity.get("environment", {}) for run in evidence.runs):
        yield "training.device=gpu"
    yield from _of_metric(evidence)
    if evidence.independent:
        yield "study.seeds=independent"
    if rule := evidence.stopping:
        yield from (
            f"study.{name}={_grammar(rule[name])}"
            for name in ("until", "question", "baseline", "margin", "halfwidth", "max_seeds")
            if rule.get(name) is not None and not (name == "margin" and evidence.metric != ERROR)
        )
        return
    seeds = sorted({run.seed for run in evidence.runs})
    if seeds == list(range(len(seeds))):
        yield f"training.seeds={len(seeds)}"
    else:
        yield f"seed={','.join(map(str, seeds))}"


def _of_metric(evidence: Evidence) -> list[str]:
    """Return the overrides of what runs are judged by, nothing of what the study's file has."""
    file = _read("study", f"{evidence.study}.yaml").get("study", {})
    metric, in_file = evidence.metric, metric_from(file.get("metric", "error"))
    overrides = []
    if metric != ERROR and (in_file, file.get("margin")) != (metric, evidence.margin):
        overrides += [f"study.metric={metric.override}", f"study.margin={evidence.margin:g}"]
    tabled, usual = any(run.others for run in evidence.runs), file.get("other_scores")
    if tabled != (metric != ERROR if usual is None else usual):
        overrides.append(f"++study.other_scores={level_text(tabled)}")
    return overrides


def _of_factors(evidence: Evidence, study: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the study's file doesn't vary, or not so."""
    swept = study.get("hydra", {}).get("sweeper", {}).get("params", {})
    names = {name: key for key, name in short_names([k for k in swept if k != "seed"]).items()}
    for factor in evidence.runs[0].factors:
        levels = list(dict.fromkeys(level_text(run.factors[factor]) for run in evidence.runs))
        key = names.get(factor) or _key_of(factor, evidence)
        if factor in names and str(swept[key]).replace(" ", "") == ",".join(levels):
            continue
        yield f"{key}={','.join(levels)}"


def _key_of(factor: str, evidence: Evidence) -> str:
    """Return the override key of a factor that the study's file doesn't name."""
    if factor in (*_OF_TRAINING, "numerics", "device"):  # the latter are in no recipe
        return f"training.{factor}"
    within = [name for name, _ in _leaves(evidence.runs[0].recipe) if name.endswith(f".{factor}")]
    return within[0] if len(within) == 1 else factor


def _varied(evidence: Evidence) -> set[str]:
    """Return the settings that a factor decides, and the groups above them."""
    names = {_key_of(factor, evidence) for factor in evidence.runs[0].factors}
    return names | {name.removeprefix("training.") for name in names}


def _pinned(evidence: Evidence) -> set[str]:
    """Return the keys that the presets of a study pin, and the groups that they choose."""
    presets = {str(run.factors["preset"]) for run in evidence.runs if "preset" in run.factors}
    return {key for preset in presets for key in pinned_keys(preset)}


def _unlike_its_file(
    group: str, common: Mapping[str, Any], file: Mapping[str, Any], evidence: Evidence
) -> Iterator[str]:
    if not file:
        return
    usual = content(_MODEL.validate_json(json.dumps(file))) if group == "model" else dict(file)
    varied = _varied(evidence)
    for name, value in _leaves({group: usual}):
        if name in common and name not in varied and common[name] != value:
            yield f"{name}={_grammar(common[name])}"


def _leaves(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values; a list is a value."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _grammar(value: Any) -> str:
    """Return a value in the grammar of Hydra's command line."""
    if isinstance(value, list):
        return f"[{','.join(map(_grammar, value))}]"
    if isinstance(value, Mapping):
        inner = (f"{key}:{_grammar(own)}" for key, own in value.items() if own is not None)
        return f"{{{','.join(inner)}}}"
    if isinstance(value, str) and not _UNQUOTED.fullmatch(value):
        return "'{}'".format(value.replace("'", r"\'"))
    return level_text(value)


def _value_text(name: str, value: Any) -> str:
    if name != "model.blocks":
        return level_text(value) if isinstance(value, bool | int | float | str) else _grammar(value)
    return ", ".join(
        " ".join(
            [block["type"], *(str(own) for key, own in block.items() if key != "type" and own)]
        )
        for block in value
    )


def _read(*names: str) -> dict[str, Any]:
    """Return a config file as it stands, nothing where there is none."""
    path = paths.conf_file(*names)
    if not path.is_file():
        return {}
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return content
