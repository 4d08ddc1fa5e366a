"""The commands that make a study's runs and its report again."""

import ast
import json
import shlex
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

import yaml
from pydantic import TypeAdapter

from sidebyside import paths
from sidebyside.config.factors import Level, level_text, short_names
from sidebyside.config.metrics import ERROR, metric_from
from sidebyside.config.pinned import pinned_keys
from sidebyside.config.schema import USUAL_MARGIN
from sidebyside.engine.blocks import AnyModel, Instance, Model, content
from sidebyside.report.conditions import (
    OF_TRAINING,
    fixed,
    in_grammar,
    key_of,
    leaves,
    varied_settings,
)
from sidebyside.storage.evidence import Evidence

_MODEL: TypeAdapter[Model | Instance] = TypeAdapter(AnyModel)
_USUAL = {"threads": 1, "precision": "float32"}  # and so in no command
_PLAIN = ("data_format", "protocol")


def training_command(evidence: Evidence) -> str:
    """Return the command that trains the runs of a study, whatever params.yaml says today."""
    return shlex.join(["python", "pipelines/train.py", "-m", *_overrides(evidence)])


def compare_command(evidence: Evidence, asked: Mapping[str, Any]) -> str:
    """Return the command that makes the report again.

    ``asked`` is what the study asks, as the report was made: see `analyse.Analysis`.
    """
    chosen = [f"study={evidence.study}", f"dataset={evidence.dataset}", *_of_metric(evidence)]
    usual: dict[str, Any] = {"margin": USUAL_MARGIN, "baseline": None}
    usual |= {"expected_equal": [], "pairs": []}
    usual |= {name: own for name, own in _study_file(evidence).items() if own is not None}
    told = {"margin"} if evidence.metric != ERROR else set()  # by what runs are judged by
    if (evidence.stopping or {}).get("until") == "decided":
        told |= {"margin", "baseline"}  # by the rule, which no report can be asked to leave
    chosen += [
        f"{_key_in_study(name, evidence)}={in_grammar(own)}"
        for name, own in asked.items()
        if name not in told and own != usual[name]
    ]
    partial = ["allow_partial=true"] if evidence.missing else []
    return shlex.join(["python", "pipelines/compare.py", *chosen, *partial])


def _overrides(evidence: Evidence) -> Iterator[str]:
    common = fixed(evidence)
    yield f"study={evidence.study}"
    yield f"dataset={evidence.dataset}"
    study = _read("study", f"{evidence.study}.yaml")
    yield from _of_factors(evidence, study)
    pinned = _pinned(evidence)
    for group in ("model", "optimizer", "schedule", "augmentation"):
        if group not in pinned:
            yield from _of_group(group, common, evidence)
    usual = _read("config.yaml") | {key: study[key] for key in _PLAIN if key in study}
    for key in _PLAIN:
        if key in common and common[key] != usual.get(key) and key not in pinned:
            yield f"{key}={common[key]}"
    if "normalisation" in common:
        yield f"dataset.normalisation={common['normalisation']}"
    yield from _of_training(common, pinned, evidence)
    yield from _of_metric(evidence)
    if evidence.independent:
        yield f"{_key_in_study('seeds', evidence)}=independent"
    yield from _of_seeds(evidence)


def _of_training(
    common: Mapping[str, Any], pinned: Collection[str], evidence: Evidence
) -> Iterator[str]:
    for key in OF_TRAINING:
        as_always = common.get(key) == _USUAL.get(key)
        if key in common and f"training.{key}" not in pinned and not as_always:
            yield f"training.{key}={common[key]}"
    if all("gpu" in run.identity.get("environment", {}) for run in evidence.runs):
        yield "training.device=gpu"
    if any(run.diverged for run in evidence.runs):
        yield "training.diverged=counts"


def _of_seeds(evidence: Evidence) -> Iterator[str]:
    if rule := evidence.stopping:
        yield from (
            f"{_key_in_study(name, evidence)}={in_grammar(rule[name])}"
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
    file = _study_file(evidence)
    metric, in_file = evidence.metric, metric_from(file.get("metric", "error"))
    overrides = []
    if metric != ERROR and (in_file, file.get("margin")) != (metric, evidence.margin):
        own = {"metric": metric.override, "margin": f"{evidence.margin:g}"}
        overrides += [f"{_key_in_study(name, evidence)}={text}" for name, text in own.items()]
    tabled, usual = any(run.others for run in evidence.runs), file.get("other_scores")
    if tabled != (metric != ERROR if usual is None else usual):
        overrides.append(f"++study.other_scores={level_text(tabled)}")
    return overrides


def _study_file(evidence: Evidence) -> Mapping[str, Any]:
    return _read("study", f"{evidence.study}.yaml").get("study") or {}


def _key_in_study(name: str, evidence: Evidence) -> str:
    """Return the override key of a setting of the study, which its file needn't name."""
    return f"study.{name}" if name in _study_file(evidence) else f"++study.{name}"


def _of_factors(evidence: Evidence, study: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the study's file doesn't vary, or not so."""
    swept = study.get("hydra", {}).get("sweeper", {}).get("params", {})
    names = {name: key for key, name in short_names([k for k in swept if k != "seed"]).items()}
    for factor in evidence.runs[0].factors:
        levels = list(dict.fromkeys(_on_command_line(run.factors[factor]) for run in evidence.runs))
        key = names.get(factor) or key_of(factor, evidence)
        if factor in names and str(swept[key]).replace(" ", "") == ",".join(levels):
            continue
        yield f"{key}={','.join(levels)}"


def _on_command_line(level: Level) -> str:
    """Return a level in Hydra's grammar; what was swept as a list or a mapping is text by then."""
    if isinstance(level, str) and level[:1] in ("[", "{"):
        with suppress(ValueError, SyntaxError):
            return in_grammar(ast.literal_eval(level))
    return in_grammar(level)


def _pinned(evidence: Evidence) -> set[str]:
    """Return the keys that the presets of a study pin, and the groups that they choose."""
    presets = {str(run.factors["preset"]) for run in evidence.runs if "preset" in run.factors}
    return {key for preset in presets for key in pinned_keys(preset)}


def _of_group(group: str, common: Mapping[str, Any], evidence: Evidence) -> Iterator[str]:
    """Yield which file all runs have of a group, unless it is varied, and what is unlike it."""
    varied = varied_settings(evidence)
    names: dict[str, None] = {}
    for run in evidence.runs:
        name = (run.recipe.get(group) or {}).get("name")
        if name is None:  # of before there was a choice
            return
        names[name] = None
    if group not in varied:
        yield from (f"{group}={name}" for name in names)
    files = [_usual_of(group, name) for name in names]
    if not all(files):
        return
    for key, value in common.items():
        if not key.startswith(f"{group}.") or key in varied:
            continue
        if not all(key in file for file in files):
            if value is not None:
                yield f"++{key}={in_grammar(value)}"
        elif any(file[key] != value for file in files):
            yield f"{key}={in_grammar(value)}"


def _usual_of(group: str, name: str) -> dict[str, Any]:
    """Return the dotted settings of a file of a group, nothing where there is none."""
    file = _read(group, f"{name}.yaml")
    if file and group == "model":
        file = content(_MODEL.validate_json(json.dumps(file)))
    return dict(leaves({group: file}))


def _read(*names: str) -> dict[str, Any]:
    """Return a config file as it stands, nothing where there is none."""
    path = paths.conf_file(*names)
    if not path.is_file():
        return {}
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return content
