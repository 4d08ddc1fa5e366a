"""What all runs of a study have in common."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from sidebyside.config.factors import level_text
from sidebyside.config.metrics import ERROR
from sidebyside.errors import UserError
from sidebyside.report.text.numbers import counted
from sidebyside.storage.evidence import Evidence

OF_TRAINING = (  # their keys begin with "training."
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
    recipes = [dict(leaves(run.recipe)) for run in evidence.runs]
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
    varied = {*varied_settings(evidence), *varied_settings(before)}
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


def key_of(factor: str, evidence: Evidence) -> str:
    """Return the override key of a factor that the study's file doesn't name."""
    if factor in (*OF_TRAINING, "numerics", "device"):  # the latter are in no recipe
        return f"training.{factor}"
    within = [name for name, _ in leaves(evidence.runs[0].recipe) if name.endswith(f".{factor}")]
    return within[0] if len(within) == 1 else factor


def varied_settings(evidence: Evidence) -> set[str]:
    """Return the settings that a factor decides, and the groups above them."""
    names = {key_of(factor, evidence) for factor in evidence.runs[0].factors}
    return names | {name.removeprefix("training.") for name in names}


def leaves(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values; a list is a value."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def in_grammar(value: Any) -> str:
    """Return a value in the grammar of Hydra's command line."""
    if isinstance(value, list):
        return f"[{','.join(map(in_grammar, value))}]"
    if isinstance(value, Mapping):
        inner = (f"{key}:{in_grammar(own)}" for key, own in value.items() if own is not None)
        return f"{{{','.join(inner)}}}"
    if isinstance(value, str) and not _UNQUOTED.fullmatch(value):
        return "'{}'".format(value.replace("'", r"\'"))
    return level_text(value)


def _value_text(name: str, value: Any) -> str:
    if name != "model.blocks":
        return (
            level_text(value) if isinstance(value, bool | int | float | str) else in_grammar(value)
        )
    return ", ".join(
        " ".join(
            [block["type"], *(str(own) for key, own in block.items() if key != "type" and own)]
        )
        for block in value
    )
