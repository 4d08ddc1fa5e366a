"""What runs of published recipes say of the published figures, in words and tables."""

from collections.abc import Mapping, Sequence

import numpy as np

from sidebyside.analysis.published.recipes import TOLERANCE, JudgedReading, Published, Recipe, Split
from sidebyside.analysis.published.verdicts import FigureVerdict
from sidebyside.report.text.markdown import Row, Strong, paragraph, table
from sidebyside.report.text.numbers import fixed, p_value, percent_range, signed, signed_estimate


def verdict_text(published: Published) -> str:
    """Return a sentence and a row per published figure, a recipe's readings one by one."""
    rows = [verdict_row(judged) for judged in published.judged]
    return f"{summary(published)}\n\n{table(rows)}\n"


def published_text(published: Published) -> str:
    """Return the sections of the report on published figures."""
    sections = [
        "## What the published figures are worth",
        verdict_text(published).rstrip(),
        _how_to_read(published),
        "![Published figures against our runs](published.png)",
        *_other_figures(published),
        *_flattery(published),
        *_ambiguous(published),
        *_curves(published),
        *_split(published.split),
        *_samples(published),
        "## What the pages leave open",
        "\n".join(f"- {line}" for line in published.left_open),
    ]
    return "\n\n".join(sections)


def verdict_row(judged: JudgedReading) -> Row:
    """Return a recipe's cells in the table of verdicts; the nearest reading has the verdict."""
    recipe, verdict = judged.recipe, judged.verdict
    clean = recipe.clean_errors
    return {
        "recipe": _label(recipe),
        "protocol": recipe.protocol,
        "published error %": f"{recipe.published:.2f}",
        "95 % over images": percent_range(recipe.published_interval),
        "n": str(recipe.n),
        "our mean %": fixed(recipe.mean),
        "sd: own, of all": f"{fixed(recipe.own_sd)}, {fixed(recipe.sd)}",
        "one more run, 95 %": percent_range(recipe.prediction),
        "shown within": f"±{recipe.shown_within:.2f}" if recipe.shown_within else "-",
        "Holm's p: differs, within": _p_values(verdict) if verdict else "-",
        "verdict": Strong(verdict.verdict) if verdict else "another reading is nearer",
        "under `clean` %": f"{np.mean(clean):.2f} (n={len(clean)})" if clean else "-",
    }


def _p_values(verdict: FigureVerdict) -> str:
    return f"{p_value(verdict.p_holm)}, {p_value(verdict.p_within_holm)}"


def summary(published: Published) -> str:
    """Return how many published errors are reproduced, better, worse, in sentences."""
    verdicts = [judged.verdict for judged in published.verdicts.values()]
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    counted = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    sentences = [
        f"Of {len(verdicts)} published test errors: {counted} (reproduced: shown to be within "
        f"±{TOLERANCE:g} points; {published.within_half or 'none'} would be within "
        f"±{TOLERANCE / 2:g}; all corrected after Holm)."
    ]
    if len(published.recipes) > len(verdicts):
        sentences.append(
            "A recipe with several readings is contradicted by all of them or not at all, and the "
            "choice of the nearest is corrected for."
        )
    return " ".join(sentences)


def _how_to_read(published: Published) -> str:
    seeds = sorted({recipe.n for recipe in published.recipes})
    named = " or ".join(str(count) for count in seeds)
    return paragraph(f"""
        *How to read it.* We trained each recipe {named} times as published, by its protocol, with
        different seeds. "One more run" is a 95 % prediction interval for the test error of a single
        further run: the published run was tested on the same {published.images} images, so their
        sampling cancels and only the variance between seeds counts. That variance is a recipe's
        own, drawn towards that of all recipes (empirical Bayes), as few runs may agree by chance;
        both sds are shown. A figure is better or worse where a t test says so, reproduced where
        two one-sided tests show it to be within ±{TOLERANCE:g} points of what the recipe gives and
        the prediction interval is no wider than that; else these runs can't tell. That tolerance
        was set when five runs of each recipe were known. It is as many points as the 95 % interval
        of an error of 1 % on 10 000 images is wide, so twice what such images leave on either side;
        within ±{TOLERANCE / 2:g} points {published.within_half or "none"} of the figures would be
        shown to be. "Shown within"
        is the smallest such tolerance for which that test, alone, would reach 0.05; Holm's p is
        that of a difference, and that of being within ±{TOLERANCE:g} points. One published
        run has the noise of one run, however many of ours there are. Fixed throughout are the
        training images and the test images. "Over images" is Wilson's interval of the published
        figure for new images of the same kind: another question, so another column.""")


def _other_figures(published: Published) -> list[str]:
    inside = {None: "can't tell with 1 seed", True: "inside", False: "outside"}
    rows = [
        {
            "recipe": _label(recipe),
            "figure": figure.name,
            "published": f"{figure.published:.4f}",
            "our mean": f"{np.mean(figure.values):.4f}",
            "one more run, 95 %": percent_range(figure.interval, digits=4),
            "published is": inside[figure.inside],
        }
        for recipe in published.recipes
        for figure in recipe.printed
    ]
    return ["## The other printed figures", table(rows)] if rows else []


def _label(recipe: Recipe) -> str:
    return f"{recipe.name}: {recipe.reading}" if recipe.reading else recipe.name


def _flattery(published: Published) -> list[str]:
    rows = [
        {
            "recipe": _label(recipe),
            "protocol": recipe.protocol,
            "gain of picking the epoch": fixed(recipe.gain_of_picking),
            "clean minus published protocol": signed_estimate(recipe.clean_difference),
        }
        for recipe in published.recipes
    ]
    text = paragraph("""
        Under `test_as_validation` and `tf55k` the test images served as validation images: whoever
        watches them while training can stop at the epoch that suits them. "Gain" is what that would
        have been worth in our runs: the mean difference between the last epoch's test error and the
        lowest of all epochs, in points. Under `clean` a sixth of the training images is held out
        for validation, and the test set is opened once. Its difference from the published protocol
        holds both the smaller training set and the absence of any such look; the interval is
        Welch's, 95 %.""")
    return ["## What watching the test set flatters", text, table(rows)]


def _ambiguous(published: Published) -> list[str]:
    sections: list[str] = []
    for name in dict.fromkeys(recipe.name for recipe in published.recipes):
        readings = published.readings(name)
        if len(readings) < 2:
            continue
        rows = [
            {
                "reading": recipe.reading or recipe.preset,
                "preset": f"`{recipe.preset}`",
                "our mean %": fixed(recipe.mean),
                "published minus mean, points": signed(recipe.published - recipe.mean),
                "in sd of one more run": signed(recipe.standardised, 1),
                "distance from the curve, points": fixed(recipe.curve_distance),
            }
            for recipe in readings
        ]
        sections += [f"## Which network was {name}?", table(rows), _which(readings)]
    return sections


def _which(readings: Sequence[Recipe]) -> str:
    final = sorted(readings, key=lambda recipe: recipe.distance)
    text = (
        f'Its page contradicts itself. At the final test error "{final[0].reading}" fits best, '
        f'{final[0].distance:.2f} points off; the next, "{final[1].reading}", is '
        f"{final[1].distance:.2f} off."
    )
    by_curve = [recipe for recipe in readings if recipe.curve_distance is not None]
    if len(by_curve) > 1:
        curve = sorted(by_curve, key=lambda recipe: recipe.curve_distance or 0.0)
        text += (
            f' The published learning curve is nearest to "{curve[0].reading}": '
            f"{curve[0].curve_distance:.2f} points (root mean square over training and validation "
            f'error of all epochs), against {curve[1].curve_distance:.2f} of "{curve[1].reading}".'
        )
    return text


def _curves(published: Published) -> list[str]:
    if all(recipe.curve is None for recipe in published.recipes):
        return []
    return [
        "## Learning curves",
        "Bands span our runs, lines are their means, points are the published figures.",
        "![Published learning curves over ours](published_curves.png)",
    ]


def _split(split: Split | None) -> list[str]:
    if split is None:
        return []
    apart = split.difference
    text = paragraph(f"""
        `{split.recipe}` holds out the last fifth of the training images as a fraction
        (`split20`). The same network trained on all of them (`train60k`), n={len(split.split20)}
        seeds each: test error {np.mean(split.split20):.2f} % against {np.mean(split.train60k):.2f}
        %, a difference of {signed_estimate(apart)} points (mean and 95 % interval, paired by seed).
        {_told_apart(apart)} Giving the test images as validation data
        (`test_as_validation`) trains exactly the network of `train60k`: validation changes no
        weight.""")
    return ["## Validation images as data, or as a fraction", text]


def _told_apart(difference: Mapping[str, float | None]) -> str:
    low, high = difference["low"], difference["high"]
    if low is None or high is None or low <= 0 <= high:
        return "These seeds can't tell it from none."
    return f"Fewer training images make it {'worse' if low > 0 else 'better'}."


def _samples(published: Published) -> list[str]:
    sentences = [
        f"`{recipe.name}`: test image {index} is predicted as published by {count} of {recipe.n} "
        "runs."
        for recipe in published.recipes
        for index, count in recipe.same_samples.items()
    ]
    if not sentences:
        return []
    return ["## Published predictions", "\n".join(f"- {line}" for line in sentences)]
