"""What a study names: factors and variants that compare looks for once all is trained."""

import re
import sys
from collections.abc import Iterator, Mapping

from sidebyside.config.factors import Level
from sidebyside.config.schema import Study
from sidebyside.errors import UserError

_FACTOR = re.compile(r"(?:^|,)([^,=]+)=")  # in the name of a variant


def check_names(study: Study, variants: Mapping[str, Mapping[str, Level]]) -> None:
    """Raise a UserError for a factor that a study names and hasn't got, also in a variant's name.

    A variant that isn't among these is told alone: part of a study may be trained by itself.

    Parameters
    ----------
    study : Study
    variants : dict of dict
        The levels of each by its name.
    """
    factors = list(next(iter(variants.values())))
    for factor in study.expected_equal:
        if factor not in factors:
            raise UserError(
                f"study.expected_equal names {factor}, which is no factor of this study: its "
                f"factors are {', '.join(factors) or 'none'}."
            )
    for setting, name in _named(study):
        if name in variants:
            continue
        if _FACTOR.findall(name) != factors:
            raise UserError(
                f"study.{setting} names {name}, which is no variant of this study: they are "
                f"called like {next(iter(variants))}."
            )
        said = f"note: study.{setting} names {name}, which isn't among these runs."
        print(f"{said} compare needs it.", file=sys.stderr)


def _named(study: Study) -> Iterator[tuple[str, str]]:
    if study.baseline is not None:
        yield "baseline", study.baseline
    for pair in study.pairs:
        yield from (("pairs", name) for name in pair)
