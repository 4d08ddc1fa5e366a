"""Short names of variants and runs, which tell them apart where there is little room."""

from collections.abc import Mapping

from sidebyside.config.factors import Level, level_text

Labels = Mapping[str, Mapping[str, str]]  # what a level is called, by factor and level


def short_name(factors: Mapping[str, Level], labels: Labels) -> str:
    """Return e.g. "5x5 drop adam last"."""
    return " ".join(_label(name, level, labels.get(name, {})) for name, level in factors.items())


def short_run_name(name: str, seed: int) -> str:
    """Return e.g. "5x5 drop adam last s0" of a variant's short name and a seed."""
    return f"{name} s{seed}".lstrip()


def _label(factor: str, level: Level, labels: Mapping[str, str]) -> str:
    """Return what the config calls a level, else the level, with its factor if it is no word."""
    text = level_text(level)
    if text in labels:
        return labels[text]
    if isinstance(level, str):
        return level
    if isinstance(level, bool) or level is None:
        return factor if level else f"no {factor}"
    first, *others = factor.split("_")
    return f"{''.join(word[:1] for word in [first, *others]) if others else first}={text}"
