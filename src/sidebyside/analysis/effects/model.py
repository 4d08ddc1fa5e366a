"""The linear model of a study's runs: factors, their interactions, and the seeds as blocks."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from sidebyside.analysis.intervals import ROUNDING

Array = NDArray[np.float64]
Term = tuple[str, ...]  # the factors of a main effect or of an interaction; the intercept has none
Cell = Mapping[str, int]  # numbers of the levels of some factors, averaged over the others
MOST = 100  # variants whose interactions of three and more factors are modelled
Contrast = Sequence[tuple[int, Cell]]  # cells, each with the sign of its mean in a difference


@dataclass(frozen=True)
class Model:
    """The columns of the terms in sum-to-zero coding, then those of the seeds.

    Attributes
    ----------
    codings : dict of ndarray, each shape (levels, levels - 1)
        Of the levels of each factor.
    terms : list of tuple
        Those that take part; of interactions between two factors, those too that the design tells
        in part, where some combinations of levels weren't run.
    left_out : list of tuple
        The others.
    matrix : ndarray, shape (runs, columns)
        Of full rank: the ``kept`` columns of the terms, and the seeds'.
    kept : ndarray of bool, shape (columns of all terms,)
    others : ndarray, shape (columns, columns that aren't kept)
        What those are in terms of the matrix: ``matrix @ others``.
    seeds : ndarray of int, shape (runs,)
    """

    codings: dict[str, Array]
    terms: list[Term]
    left_out: list[Term]
    matrix: Array
    kept: NDArray[np.bool_]
    others: Array
    seeds: NDArray[np.intp]

    @property
    def count(self) -> int:
        """The number of seeds."""
        return int(self.seeds.max()) + 1

    def row(self, contrast: Contrast) -> Array | None:
        """Return a contrast's weights of the matrix's columns, None where the design can't tell it.

        It can where they give the columns that aren't kept the weights that these have to have:
        then the contrast is a combination of rows (Searle 1971, "Linear Models", section 5.4).
        """
        if any(self._weights(term, contrast).any() for term in self.left_out):
            return None
        row = np.zeros(self.matrix.shape[1])
        weights = np.concatenate([self._weights(term, contrast) for term in self.terms])
        row[: self.kept.sum()] = weights[self.kept]
        return row if np.allclose(row @ self.others, weights[~self.kept], atol=ROUNDING) else None

    def _weights(self, term: Term, contrast: Contrast) -> Array:
        return np.sum([sign * _coded(term, cell, self.codings) for sign, cell in contrast], axis=0)


def model_of(codes: Mapping[str, NDArray[np.intp]], seeds: NDArray[np.intp]) -> Model:
    """Return the model of a study, lower orders first.

    An interaction is none of its own where the design doesn't tell what it is an interaction of.
    One of two factors takes part as far as it can be told: an average over levels of which some
    weren't run with others can't be told then, but what was run beside each other can. Interactions
    of more factors never hide what those of fewer do.

    Interactions of three and more factors take part where each variant was run at least twice and
    there are no more than a hundred of them: they'd be as many columns as variants.

    Parameters
    ----------
    codes : dict of ndarray of int, each shape (runs,)
        The number of each run's level, by factor.
    seeds : ndarray of int, shape (runs,)
    """
    codings = {name: _sum_to_zero(int(code.max()) + 1) for name, code in codes.items()}
    counts = np.bincount(cells_of(codes)) if codes else np.zeros(0)
    repeated = codes and len(counts) <= MOST and counts.min() > 1
    blocks = _blocks(seeds)
    columns: dict[Term, Array] = {(): np.ones((len(seeds), 1))}
    whole: list[Term] = [()]
    left_out: list[Term] = []
    for order in range(1, (len(codes) if repeated else min(2, len(codes))) + 1):
        terms = list(combinations(codes, order))
        offered = {
            term: _columns(term, codes, codings)
            for term in terms
            if all(within in whole for within in combinations(term, order - 1))
        }
        estimable = _estimable(offered, [*columns.values(), blocks])
        whole += estimable
        columns |= offered if order == 2 else {term: offered[term] for term in estimable}
        left_out += [term for term in terms if term not in columns]
    of_terms = np.hstack([*columns.values()])
    kept = _independent(of_terms, blocks)
    matrix = np.hstack([of_terms[:, kept], blocks])
    others = np.linalg.pinv(matrix) @ of_terms[:, ~kept]
    return Model(codings, [*columns], left_out, matrix, kept, others, seeds)


def cells_of(codes: Mapping[str, NDArray[np.intp]]) -> NDArray[np.intp]:
    """Return the number of each run's combination of levels, of those that there are."""
    _, cells = np.unique(np.array([*codes.values()]), axis=1, return_inverse=True)
    numbers: NDArray[np.intp] = cells.ravel()
    return numbers


def _sum_to_zero(count: int) -> Array:
    """Return the coding of so many levels, shape (count, count - 1)."""
    return np.vstack([np.eye(count - 1), -np.ones(count - 1)])


def _coded(term: Term, cell: Cell, codings: Mapping[str, Array]) -> Array:
    """Return the columns of a term: products of its factors', whose sum over levels is 0."""
    if any(name not in cell for name in term):  # it is averaged over
        return np.zeros(math.prod(codings[name].shape[1] for name in term))
    product = np.ones(1)
    for name in term:
        product = np.outer(product, codings[name][cell[name]]).ravel()
    return product


def _columns(
    term: Term, codes: Mapping[str, NDArray[np.intp]], codings: Mapping[str, Array]
) -> Array:
    """Return the columns of a term for all runs, see `_coded`."""
    product = np.ones((len(next(iter(codes.values()))), 1))
    for name in term:
        coded = codings[name][codes[name]]
        product = (product[:, :, np.newaxis] * coded[:, np.newaxis]).reshape(len(product), -1)
    return product


def _blocks(seeds: NDArray[np.intp]) -> Array:
    """Return a column per seed that several runs share, but for one where all runs share theirs."""
    shared = np.flatnonzero(np.bincount(seeds) > 1)
    if np.isin(seeds, shared).all():
        shared = shared[1:]
    return (seeds[:, np.newaxis] == shared).astype(float)


def _estimable(offered: Mapping[Term, Array], given: Sequence[Array]) -> list[Term]:
    """Return the terms that the design tells from the given columns and from each other.

    Without such a term the rank would be less by its number of columns (Searle 1971, "Linear
    Models", section 5.4).
    """
    rank = np.linalg.matrix_rank(np.hstack([*given, *offered.values()]))
    estimable = []
    for term, columns in offered.items():
        others = [column for name, column in offered.items() if name != term]
        if rank - np.linalg.matrix_rank(np.hstack([*given, *others])) == columns.shape[1]:
            estimable.append(term)
    return estimable


def _independent(columns: Array, given: Array) -> NDArray[np.bool_]:
    """Return which columns aren't combinations of the given ones and of those before them."""
    basis, kept = np.linalg.qr(given)[0], np.zeros(columns.shape[1], bool)
    for number, column in enumerate(columns.T):
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)  # once more, for what rounding has left
        length = np.linalg.norm(rest)
        if length > ROUNDING * np.linalg.norm(column):
            kept[number] = True
            basis = np.column_stack([basis, rest / length])
    return kept
