"""The page of a report: whole, self-contained, true to comparison.json, and fit for a phone."""

import base64
import json
import re
import shlex
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product

import altair as alt
import numpy as np
import pytest

from sidebyside.analysis.published.recipes import Published
from sidebyside.config.datasets import Dataset, File
from sidebyside.config.factors import level_text, variant_name
from sidebyside.config.schema import Study
from sidebyside.report.compare import compare_study
from sidebyside.report.gallery import disagreements, gallery_entries
from sidebyside.report.page.drawn import pareto_front
from sidebyside.report.page.page import write_report
from sidebyside.report.text.numbers import p_value
from sidebyside.storage.evidence import Ensemble, Evidence, RunEvidence
from sidebyside.storage.evidence_files import read_evidence, write_evidence
from support.browser import Browser, browsing, program

IMAGES = 400
TARGET = np.arange(IMAGES, dtype=np.uint8) % 10
MADE = {"git commit": "0123456789ab", "uncommitted changes": "no"}
HOSTILE = "<script>alert(1)</script>"
PHONE, DESKTOP = 390, 1280
HEIGHTS = {PHONE: 844, DESKTOP: 800}


def run(factors, seed, number, protocol="clean", validation=True, epochs=3):
    """Return a run of a variant, whose number decides how often it is wrong."""
    rng = np.random.default_rng([number, seed])
    predicted = TARGET.copy()
    wrong = rng.choice(IMAGES, 8 + 3 * number + seed, replace=False)
    predicted[wrong] = (predicted[wrong] + rng.integers(1, 10, len(wrong))) % 10
    accuracy = [0.9 + 0.02 * epoch - 0.001 * number for epoch in range(epochs)]
    history = {"loss": [0.1] * epochs, "accuracy": accuracy}
    if validation:
        history |= {"val_loss": [0.1] * epochs, "val_accuracy": accuracy}
    return RunEvidence(
        key=f"{number}-{seed}",
        variant=variant_name(factors),
        factors=factors,
        seed=seed,
        identity={"recipe": {"protocol": protocol, "epochs": epochs}},
        parameters=1000 * (1 + number),
        weights_digest=f"{variant_name(factors)}-{seed}",
        history=history,
        test_loss=0.04,
        layout={"images": IMAGES, "flips": 0, "largest_difference": 1e-7},
        predicted=predicted,
        certainty=(predicted == TARGET).astype(np.float16),
    )


def evidence(runs):
    index = disagreements(
        np.stack([one.predicted for one in runs]), TARGET, [one.variant for one in runs], 6
    )
    by_variant = {one.variant: one for one in runs}
    keys = {name: tuple(own.key for own in runs if own.variant == name) for name in by_variant}
    return Evidence(
        dataset="digits",
        study="synthetic",
        runs=runs,
        target=TARGET,
        samples=np.zeros((40, 28, 28), np.uint8),
        sample_labels=TARGET[:40],
        missing=[],
        ensembles=[Ensemble(name, keys[name], one.predicted) for name, one in by_variant.items()],
        gallery_index=index,
        gallery=np.full((len(index), 28, 28), 200, np.uint8),
    )


def grid(seeds, **levels):
    """Return the runs of all combinations of levels."""
    combinations = [dict(zip(levels, one, strict=True)) for one in product(*levels.values())]
    return [
        run(factors, seed, number)
        for number, factors in enumerate(combinations)
        for seed in range(seeds)
    ]


def whole():
    runs = grid(3, kernel_size=[3, 5], dropout=[True, False], data_format=["last", "first"])
    return evidence(runs)


def one_run():
    return evidence([run({}, 0, 0, validation=False)])


def several_protocols():
    protocols = ("clean", "train60k", "test_as_validation")
    return evidence(
        [
            run({"protocol": name}, seed, number, name, validation=name != "train60k")
            for number, name in enumerate(protocols)
            for seed in range(3)
        ]
    )


def hostile():
    levels = [HOSTILE, "$x_1$ \"quoted\" & 'more' {{ 7 * 7 }}", "a" * 300]
    return evidence(grid(2, activation=levels))


def equal():
    """No spread at all: every run errs on the same images."""
    runs = grid(2, dropout=[True, False])
    return evidence([replace(one, predicted=runs[0].predicted) for one in runs])


def flawless():
    runs = grid(2, dropout=[True, False])
    perfect = {"accuracy": [1.0, 1.0], "val_accuracy": [1.0, 1.0]}
    return evidence([replace(one, predicted=TARGET, history=perfect) for one in runs])


def asked_of_identical():
    """A pair in question that turned out to be one network."""
    runs = grid(3, padding=["same", "valid"])
    first = {one.seed: one for one in runs[:3]}
    same = [
        replace(one, predicted=first[one.seed].predicted, weights_digest=str(one.seed))
        for one in runs
    ]
    question = list(dict.fromkeys(one.variant for one in runs))
    rule = {"until": "decided", "max_seeds": 20, "question": question, "margin": 0.5}
    return replace(evidence(same), stopping=rule | {"baseline": None})


def under_two_names(runs, but="fmt"):
    """Return runs whose networks don't differ by a factor, bit for bit."""
    first, same = {}, []
    for one in runs:
        levels = variant_name({**one.factors, but: ""})
        kept = first.setdefault((levels, one.seed), one)
        same.append(replace(one, predicted=kept.predicted, weights_digest=f"{levels}-{one.seed}"))
    return same


def many():
    return evidence(grid(1, units=list(range(30))))


def wordy():
    """Factors whose names and levels, side by side, are wider than a phone."""
    levels = ["warmup_cosine", "a_level_of_many_words_that_is_cut_off"]
    names = ("augmentation", "normalisation", "schedule", "initialisation")
    return evidence(grid(1, **dict.fromkeys(names, levels)))


STUDIES = {
    "whole": whole,
    "one_run": one_run,
    "one_seed": lambda: evidence(grid(1, dropout=[True, False], units=[8, 16, 32])),
    "several_protocols": several_protocols,
    "hostile": hostile,
    "equal": equal,
    "flawless": flawless,
    "many": many,
    "wordy": wordy,
    "asked_of_identical": asked_of_identical,
    "unfinished": lambda: replace(whole(), missing=["kernel_size=3 seed=7"]),
    "stopped": lambda: replace(
        whole(), stopping={"until": "narrow", "halfwidth": 0.1, "max_seeds": 20}
    ),
}


class Rendered:
    """A page, its comparison.json and what went into it."""

    def __init__(self, root, known, chosen=None, **options):
        folder = root / "reports" / known.dataset / known.study
        folder.mkdir(parents=True)
        write_evidence(folder / "evidence.npz", known)
        self.evidence = read_evidence(folder / "evidence.npz")
        factors = self.evidence.runs[0].factors
        study = Study(
            name=known.study,
            expected_equal=["data_format"] if "data_format" in factors else [],
            margin=0.5,
            **(chosen or {}),
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SIDEBYSIDE_ROOT", str(root))
            patch.setenv("SIDEBYSIDE_HOME", str(root))
            self.comparison = compare_study(dataset(), study)
        self.json = json.loads((folder / "comparison.json").read_text())
        self.path = folder / "page.html"
        self.seconds = {one.key: 10.0 + 2 * i for i, one in enumerate(self.evidence.runs)}
        self.milliseconds = {
            one.key: {"1": 0.25 + i / 100, "256": 30.0 + i}
            for i, one in enumerate(self.evidence.runs)
        }
        self.class_names = [f"digit {label}" for label in range(10)]
        self.write(self.path, **options)
        self.html = self.path.read_text()

    def write(self, path, seconds=None, comparison=None):
        write_report(
            comparison or self.comparison,
            self.evidence,
            self.seconds if seconds is None else seconds,
            MADE,
            path,
            disputed=[int(index) for index in self.evidence.gallery_index[:1]],
            margin=0.5,
            class_names=self.class_names,
            milliseconds=self.milliseconds,
        )

    @property
    def text(self):
        return visible(self.html)


def dataset():
    file = File(name="f", bytes=5000, sha256="0" * 64)
    return Dataset(
        name="digits",
        image_shape=[28, 28],
        classes=10,
        files=dict.fromkeys(("train_images", "train_labels", "test_images", "test_labels"), file),
        sources=[],
        disputed=[7, 11],
    )


class _Text(HTMLParser):
    """Collects what a reader sees, and the attributes of all tags."""

    def __init__(self):
        super().__init__()
        self.words, self.tags, self._hidden = [], [], False

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag in ("style", "script")

    def handle_endtag(self, tag):
        self._hidden = False

    def handle_data(self, data):
        if not self._hidden:
            self.words.append(data)


def parsed(html):
    parser = _Text()
    parser.feed(html)
    return parser


def visible(html):
    return " ".join("".join(parsed(html).words).split())


def spelled(sentence):
    return " ".join(sentence.replace(",", ", ").split())


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A function that returns the page of a study of `STUDIES`, made once."""
    made = {}

    def page(name):
        if name not in made:
            made[name] = Rendered(tmp_path_factory.mktemp(name), STUDIES[name]())
        return made[name]

    return page


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_every_study_gets_a_page_that_needs_nothing_else(pages, name):
    page = pages(name)
    tags = parsed(page.html).tags
    assert not [tag for tag, _ in tags if tag in ("link", "iframe", "object", "base")]
    assert not [tag for tag, attributes in tags if tag == "script" and "src" in attributes]
    for tag, attributes in tags:
        assert not [one for one in attributes if one.startswith("on")]
        if tag == "img":
            assert attributes["src"].startswith("data:image/")
            assert attributes["alt"]
        if tag == "a":
            assert attributes["href"].startswith("#")
    styles = "".join(re.findall(r"<style>.*?</style>", page.html, flags=re.S))
    assert "@import" not in styles
    assert not re.search(r"url\((?!data:)", styles)
    assert len(page.html.encode()) < 3_000_000
    for svg in embedded(page.html, "svg+xml"):
        without_names = re.sub(rb'xmlns(:\w+)?="[^"]*"|<!DOCTYPE[^>]*>', b"", svg)
        assert b'href="http' not in without_names


def embedded(html, kind):
    found = re.findall(rf'src="data:image/{re.escape(kind)};base64,([^"]+)"', html)
    return [base64.b64decode(one) for one in found]


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_the_statements_open_the_page_in_their_order(pages, name):
    page = pages(name)
    places = [page.text.index(spelled(sentence)) for sentence in page.json["statements"]]
    assert places == sorted(places)
    if len(places) > 3:
        assert places[2] < page.text.index("More findings") < places[3]


@pytest.mark.slow
def test_a_pair_in_question_that_is_one_network_is_said_to_be(pages):
    page = pages("asked_of_identical")
    said = " ".join(page.json["statements"])
    assert "padding=same and padding=valid gave bit-identical networks (3 seeds)" in said
    assert "can be tested" not in said
    assert "better than" not in said


@pytest.mark.slow
def test_a_comparison_has_its_tables_as_frames(pages):
    comparison, content = pages("whole").comparison, pages("whole").json
    assert comparison.variants["name"].tolist() == [one["name"] for one in content["variants"]]
    means = [one["test_error"]["mean"] for one in content["variants"]]
    assert comparison.variants["test_error_mean"].tolist() == pytest.approx(means, abs=1e-6)
    by_variant = comparison.runs.groupby("variant")["test_error"].mean()
    assert by_variant[comparison.variants["name"]].tolist() == pytest.approx(means, abs=1e-6)
    verdicts = comparison.pairs.set_index(["a", "b"])["verdict"]
    assert verdicts.to_dict() == {(one["a"], one["b"]): one["verdict"] for one in content["pairs"]}
    kinds = comparison.effects["kind"].value_counts()
    assert kinds["main"] == len(content["effects"]["main"]) == 3
    assert len(pages("one_run").comparison.pairs) == len(pages("one_run").comparison.effects) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whole", "one_seed", "several_protocols", "equal"])
def test_the_numbers_are_those_of_comparison_json(pages, name):
    page = pages(name)
    rows = [" ".join(row.split()) for row in table_rows(page.html)]
    factors = page.json["factors"]
    for variant in page.json["variants"]:
        error, images = variant["test_error"], variant["over_images"]
        both = variant["seeds_and_images"]
        together = f"{both['low']:.2f} to {both['high']:.2f}" if both else "-"
        seeds = "-" if error["low"] is None else f"{error['low']:.2f} to {error['high']:.2f}"
        levels = [
            level_text(variant["factors"][name]) for name in factors if len(factors[name]) > 1
        ]
        over_images = f"{images['low']:.2f} to {images['high']:.2f}"
        cells = [f"{error['mean']:.2f}", *levels, together, seeds, over_images, str(variant["n"])]
        row = " ".join(cells)
        assert [one for one in rows if row in one]
    for pair in page.json["pairs"]:
        difference, new = pair["difference"], ends(pair["seeds_and_images"])
        row = f"{pair['n']} {difference['mean']:+.2f} {new} {ends(difference)}"
        assert [one for one in rows if row in one and one.endswith(pair["verdict"])]
    for effect in page.json["effects"]["main"]:
        levels = " minus ".join(level_text(effect[name]) for name in ("level", "reference"))
        cells = f"{effect['difference']:+.2f} {ends(effect['seeds_and_images'])} {ends(effect)}"
        of_factor = [one for one in rows if one.startswith(f"{effect['factor']}: {levels}")]
        assert [
            one for one in of_factor if cells in one and one.endswith(p_value(effect["p_holm"]))
        ]


def ends(of):
    return "-" if not of or of["low"] is None else f"{of['low']:+.2f} to {of['high']:+.2f}"


def table_rows(html):
    for row in re.findall(r"<tr.*?</tr>", html, flags=re.S):
        yield visible(row.replace("</td>", " </td>"))


@pytest.mark.slow
def test_a_whole_study_has_every_section(pages):
    page = pages("whole")
    ids = [attributes.get("id") for tag, attributes in parsed(page.html).tags if tag == "section"]
    assert ids == [
        "answer",
        "variants",
        "parallel",
        "factors",
        "pairs",
        "equivalence",
        "curves",
        "confusion",
        "gallery",
        "beside",
        "cost",
        "made",
    ]
    for words in (
        "kernel_size across, a line per dropout",
        "All 28 pairs",
        "Of 9600 predictions 0 changed",
        "are told apart four times in five, by the test that the verdicts go by",
        "disputed label",
        "An ensemble is all networks of a variant together",
        "Human raters dispute the labels of 2 test images",
        "chosen by",
        "mean seconds per run",
        "ms for one image",
        "target digit ",
        "0123456789ab",
        "python pipelines/compare.py study=synthetic dataset=digits",
    ):
        assert words in page.text
    figures = page.html.count("<figure")
    assert page.html.count("<summary>How to read it</summary>") == figures


@pytest.mark.slow
def test_what_makes_no_sense_is_left_out_with_a_sentence(pages, tmp_path):
    text = pages("one_run").text
    for words in (
        "No factor has several levels in this study",
        "There is one variant, so there is nothing to hold it against",
        "No two variants are different networks, so there is no difference to see",
        "no two confusion matrices",
        "There are no images that variants disagree on",
        "so there are no ensembles",
        "Some variant has no validation images of its own",
        "the only variant",
    ):
        assert words in text
    page = pages("whole")
    page.write(tmp_path / "page.html", seconds={})
    text = visible((tmp_path / "page.html").read_text())
    assert "Training times of these runs aren't known here." in text
    assert "mean seconds" not in text


@pytest.mark.slow
def test_different_protocols_are_named_beside_each_comparison(pages):
    page = pages("several_protocols")
    against = [
        pair for pair in page.json["pairs"] if pair["b"] == page.comparison.analysis.baseline
    ]
    assert page.text.count("(different protocols: ") == len(against) + len(page.json["pairs"])
    assert "an effect may be the protocol's" not in page.text  # it is the factor
    assert page.comparison.analysis.main_effects == []  # but of more than two levels
    assert not page.comparison.analysis.confounded
    assert "so these figures flatter" in page.text
    assert "different protocols" not in pages("whole").text


@pytest.mark.slow
def test_runs_of_different_code_are_told(pages, tmp_path):
    page = pages("whole")
    assert "different environments" not in page.text
    runs = list(page.evidence.runs)
    identity = {
        "recipe": runs[0].recipe,
        "environment": {
            "versions": {"keras": "3.99"},
            "cpu": {"model": "Z80", "architecture": "8 bit"},
            "threads": 1,
            "onednn": "default",
        },
        "sources": {"fitting.py": "f" * 64},
    }
    runs[0] = replace(runs[0], identity=identity)
    mixed = replace(page.evidence, runs=runs)
    write_report(page.comparison, mixed, {}, MADE, tmp_path / "page.html")
    text = visible((tmp_path / "page.html").read_text())
    assert "made under 2 different environments" in text
    assert "fitting.py ffffffffffff" in text
    assert "Z80, 8 bit" in text


@pytest.mark.slow
def test_unfinished_and_stopped_studies_say_so(pages):
    assert "Not finished: 1 run is missing (kernel_size=3 seed=7)" in pages("unfinished").text
    assert (
        "Seeds were added until intervals are within +-0.1 points, at most 20 seeds"
        in pages("stopped").text
    )


@pytest.mark.slow
def test_a_published_study_points_to_its_tables(pages, tmp_path):
    page = pages("whole")
    published = Published(IMAGES, [], {}, 0, None, [])
    page.write(tmp_path / "page.html", comparison=replace(page.comparison, published=published))
    assert '<a href="comparison.md">' in (tmp_path / "page.html").read_text()


@pytest.mark.slow
def test_hostile_names_stay_text(pages):
    page = pages("hostile")
    assert HOSTILE not in page.html
    assert HOSTILE in page.text
    assert "{{ 7 * 7 }}" in page.text
    for svg in embedded(page.html, "svg+xml"):
        # The names are drawn, but matplotlib also notes them in comments.
        assert b"<script" not in re.sub(rb"<!--.*?-->", b"", svg, flags=re.S)


@pytest.mark.slow
def test_the_same_evidence_gives_the_same_bytes(pages, tmp_path):
    page = pages("whole")
    page.write(tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == page.path.read_bytes()


@pytest.mark.slow
def test_the_gallery_holds_what_variants_disagree_on(pages):
    target = np.zeros(6, np.uint8)
    predicted = np.array(
        [  # image 0: all right, 1: all wrong, 2: half of a's, 3 and 5: a against b, 4: a seed of b
            [0, 1, 1, 0, 0, 0],
            [0, 1, 0, 0, 0, 0],
            [0, 2, 0, 4, 0, 1],
            [0, 3, 0, 4, 9, 1],
        ],
        np.uint8,
    )
    variants = ["a", "a", "b", "b"]
    assert disagreements(predicted, target, variants, 9).tolist() == [3, 5, 2, 4]
    assert disagreements(predicted, target, variants, 2).tolist() == [3, 5]
    assert disagreements(predicted[:2], target, ["a", "a"], 9).tolist() == []
    assert disagreements(predicted, target, variants, 9).dtype == np.int32
    known = pages("whole").evidence
    first = gallery_entries(known, disputed=[int(known.gallery_index[0])])[0]
    assert first.disputed
    counted = [one.predicted[first.index] == first.predictions[0][0] for one in known.runs]
    assert first.predictions[0][1] == sum(counted)
    assert first.n == len(known.runs)
    assert first.best.right / first.best.n > first.worst.right / first.worst.n


def test_the_pareto_front_keeps_ties():
    points = [(1, 3), (2, 2), (2, 2), (3, 2), (2, 5), (4, 1)]
    assert pareto_front(points) == [True, True, True, False, False, True]


class Reader(Browser):
    """A browser of reports' pages that notes what they ask for and stumble over."""

    def __init__(self, *given):
        self._events = []
        self.asked_for, self.failed = [], []  # addresses; what a script stumbled over
        super().__init__(*given)
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def _note(self, event):
        self._events.append(event.get("method"))
        if event.get("method") == "Network.requestWillBeSent":
            self.asked_for.append(event["params"]["request"]["url"])
        if event.get("method") == "Runtime.exceptionThrown":
            self.failed.append(event["params"]["exceptionDetails"])

    def read(self, path, width, scripted=True):
        """Open a page and wait until it is loaded and, where it has charts, drawn."""
        self.call("Emulation.setScriptExecutionDisabled", value=not scripted)
        self.resize(width, HEIGHTS[width], mobile=width < 600)
        self.asked_for.clear()
        self._events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while "Page.loadEventFired" not in self._events:
            self._note(self._read())
        if scripted and self.evaluate("!!document.getElementById('charts')"):
            self.wait("'ready' in document.documentElement.dataset")

    def move_to(self, x, y):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if program() is None:
        pytest.skip("no Chromium on the PATH to lay pages out: apt-get install chromium")
    with browsing(tmp_path_factory.mktemp("profile"), Reader) as browser:
        yield browser


# What sticks out sideways, but for what scrolls inside its own box.
OVERFLOWING = """(() => {
    for (const closed of document.querySelectorAll("details")) closed.open = true;
    return [...document.querySelectorAll("body *")]
        .filter(one => !one.parentElement.closest(".scroll, pre, .chart"))
        .filter(one => {
            const box = one.getBoundingClientRect();
            return box.width && (box.right > innerWidth + 0.5 || box.left < -0.5);
        })
        .map(one => one.outerHTML.slice(0, 120));
})()"""
BROKEN = "[...document.images].filter(one => !one.naturalWidth).map(one => one.alt)"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whole", "one_run", "several_protocols", "hostile"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_no_page_overflows_a_phone_or_a_desktop(pages, browser, tmp_path, name, width):
    browser.read(pages(name).path, width)
    assert browser.evaluate(OVERFLOWING) == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate(BROKEN) == []
    browser.screenshot(tmp_path / f"{name}_{width}.png", whole=True)
    assert (tmp_path / f"{name}_{width}.png").read_bytes().startswith(b"\x89PNG")


# Texts of different axes that lie on each other; the white below a text is no text.
TOUCHING = """(() => {
    const texts = [...document.querySelectorAll("#parallel-chart svg text")]
        .filter(one => one.getAttribute("stroke") !== "white" && one.textContent.trim())
        .map(one => [one.textContent, one.getBoundingClientRect()]);
    return texts.flatMap(([left, a], place) => texts.slice(place + 1)
        .filter(([_, b]) => a.left < b.right && b.left < a.right
                         && a.top < b.bottom && b.top < a.bottom)
        .map(([right, _]) => [left, right]));
})()"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("name", ["whole", "wordy"])
def test_parallel_coordinates_are_read_without_texts_that_touch(pages, browser, name, width):
    browser.read(pages(name).path, width)
    assert browser.evaluate("document.querySelectorAll('#parallel-chart svg text').length") > 10
    assert browser.evaluate(TOUCHING) == []
    assert browser.evaluate(OVERFLOWING) == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("scripted", [True, False])
def test_the_answer_a_picture_and_rows_are_on_the_first_screen(pages, browser, width, scripted):
    browser.read(pages("whole").path, width, scripted)
    shown = browser.evaluate("""(() => {
        const end = (one) => one.getBoundingClientRect().bottom;
        const pictures = [...document.querySelectorAll(".opening > img, #variants-chart svg")];
        return {
            answer: end(document.getElementById("answer")),
            pictures: pictures.filter(one => one.getBoundingClientRect().height).map(end),
            row: end(document.querySelectorAll("#variants tbody tr")[1]),
        };
    })()""")
    assert 0 < shown["answer"] < HEIGHTS[width]
    assert len(shown["pictures"]) == 1
    assert shown["pictures"][0] < shown["row"] < HEIGHTS[width]


@pytest.mark.slow
def test_a_page_asks_for_nothing_over_the_network(pages, browser):
    browser.read(pages("whole").path, DESKTOP)
    browser.evaluate("document.getElementById('compare-two').click(), 1")
    browser.wait("!!document.querySelector('#pair-chart svg')")
    schemes = {address.partition(":")[0] for address in browser.asked_for}
    assert schemes <= {"file", "data", "blob"}
    assert [own for own in browser.asked_for if own.startswith("file")] == [
        pages("whole").path.as_uri()
    ]
    assert browser.failed == []


@pytest.mark.slow
def test_pointing_at_a_run_tells_variant_seed_error_and_key(pages, browser):
    page = pages("whole")
    browser.read(page.path, DESKTOP)
    x, y = browser.evaluate("""(() => {
        const dot = document.querySelector("#variants-chart .mark-symbol path");
        const { x, y, width, height } = dot.getBoundingClientRect();
        return [x + width / 2, y + height / 2];
    })()""")
    browser.move_to(x, y)
    told = browser.wait(
        "document.querySelector('#vg-tooltip-element.visible')?.innerText.replace(/\\s+/g, ' ')"
    )
    runs = {
        f"variant {spelled(run.variant)} seed {run.seed} test error in % "
        f"{page.evidence.value(run):g} run key {run.key}"
        for run in page.evidence.runs
    }
    assert told.strip().replace(": ", " ") in runs


@pytest.mark.slow
def test_tables_sort_and_levels_hide_in_all_of_the_page(pages, browser):
    browser.read(pages("whole").path, DESKTOP)
    numbers = "[...document.querySelectorAll('#variants tbody .chip')].map(one => +one.innerText)"
    drawn = "document.querySelector('#variants-chart .mark-text.role-mark').children"
    assert browser.evaluate(numbers) == [1, 2, 3, 4, 5, 6, 7, 8]
    mean = "document.querySelectorAll('#variants th')[1].querySelector('.dtcc-button_order')"
    browser.evaluate(f"{mean}.click(), 1")
    browser.wait("document.querySelectorAll('#variants th')[1].ariaSort === 'ascending'")
    browser.evaluate(f"{mean}.click(), 1")
    browser.wait(f"{numbers}[0] === 8")
    assert browser.evaluate(f"{drawn}.length") == 8
    browser.evaluate("document.querySelector('#levels input').click(), 1")
    browser.wait(f"{drawn}.length === 4")
    left = browser.evaluate(numbers)
    assert len(left) == 4
    against = "[...document.querySelectorAll('#pairs .scroll tbody')][0].rows.length"
    assert browser.evaluate(against) < 7
    browser.evaluate("document.querySelector('#levels input').click(), 1")
    browser.wait(f"{drawn}.length === 8")


@pytest.mark.slow
def test_two_variants_that_are_picked_are_compared(pages, browser):
    page = pages("whole")
    browser.read(page.path, DESKTOP)
    names = list(page.comparison.variants.sort_values("test_error_mean")["name"])
    chips = "document.querySelectorAll('#variants .chip')"
    browser.evaluate(f"{chips}[0].click(), 1")
    assert not browser.evaluate("document.getElementById('pair').open")
    browser.evaluate(f"{chips}[6].click(), 1")
    browser.wait("document.getElementById('pair').open")
    browser.wait("!!document.querySelector('#pair-chart .mark-rule line')")
    (pair,) = [one for one in page.json["pairs"] if {one["a"], one["b"]} == {names[0], names[6]}]
    said = browser.evaluate("document.querySelector('#pair').innerText")
    for ends in (pair["difference"], pair["seeds_and_images"]):
        assert f"{ends['low']:+.2f} to {ends['high']:+.2f}" in said
    assert pair["verdict"] in said
    a, b = (
        np.mean([run.predicted == TARGET for run in page.evidence.of_variant(name)], axis=0)
        for name in (names[0], names[6])
    )
    assert f"{np.count_nonzero(a != b)} test images are got right by a different share" in said
    cards = browser.evaluate(
        "[...document.querySelectorAll('#pair .card')].map(one => one.innerText)"
    )
    assert len(cards) == min(24, np.count_nonzero(a != b))
    furthest = int(np.argmax(np.abs(a - b).round(6)))
    n = len(page.evidence.of_variant(names[0]))
    assert f"test image {furthest}\n" in cards[0]
    assert f"variant 1: right in {round(a[furthest] * n)} of {n} runs" in cards[0]


@pytest.mark.slow
def test_without_scripts_a_page_is_whole(pages, browser):
    browser.read(pages("whole").path, DESKTOP, scripted=False)
    assert browser.evaluate(BROKEN) == []
    seen = browser.evaluate("document.body.innerText")
    assert spelled(pages("whole").json["statements"][0]) in " ".join(seen.split())
    for words in ("Hide levels", "Parallel", "Two variants", "Search"):
        assert words not in seen
    assert browser.evaluate(
        "[...document.querySelectorAll('.static')].every(one => one.getBoundingClientRect().height)"
    )


@pytest.mark.slow
def test_what_is_drawn_is_as_vega_has_it(pages):
    known = re.search(r'id="charts">(.*?)</script>', pages("whole").html, re.S)
    for spec in json.loads(known[1]).values():
        alt.Chart.from_dict(spec)  # raises where it doesn't fit the schema


@pytest.mark.slow
def test_a_page_prints(pages, browser):
    browser.read(pages("whole").path, DESKTOP)
    printed = browser.call("Page.printToPDF", printBackground=True)["data"]
    assert base64.b64decode(printed).startswith(b"%PDF")


# What rows of tables name that can be seen: words, and the numbers of variants.
ROWS = """[...document.querySelectorAll("table.data tbody tr")]
    .filter(row => row.checkVisibility())
    .map(row => [row.closest(".scroll").previousElementSibling.textContent, row.textContent,
        [...row.querySelectorAll(".chip")].map(one => +one.dataset.variant)])"""


@pytest.mark.slow
@pytest.mark.parametrize("known", [lambda: evidence(grid(3, units=[8, 16])), whole])
def test_what_has_hidden_levels_is_in_no_table(browser, tmp_path, known):
    runs = [replace(one, others={"log_loss": 0.1}) for one in known().runs]
    page = Rendered(tmp_path, evidence(runs), {"baseline": runs[-1].variant})
    factor, level = next(iter(runs[0].factors.items()))
    without = {
        own["number"] for own in known_of(page)["variants"] if own["levels"][0] == str(level)
    }
    browser.read(page.path, DESKTOP)
    box = f"document.querySelector('#levels input[value=\"{level}\"]').click(), 1"

    def above_rows_left():
        return {
            above
            for above, words, numbers in browser.evaluate(ROWS)
            if without & {*numbers} or f"{factor}={level}" in words
        }

    tables = above_rows_left()
    for words in ("Smaller and no worse", "Nothing here is tested", "Honest selection"):
        assert [above for above in tables if words in above]
    browser.evaluate(box)
    assert above_rows_left() == set()
    browser.evaluate(box)
    assert above_rows_left() == tables


def known_of(page):
    return json.loads(re.search(r'id="known">(.*?)</script>', page.html, re.S)[1])


def said_of(browser, one, other):
    """Return what the dialog says of two variants."""
    return browser.evaluate(f"""(() => {{
        const [first, second] = document.querySelectorAll("#pair select");
        [first.value, second.value] = [{one}, {other}];
        second.dispatchEvent(new Event("change"));
        return document.querySelector("#pair .statement").textContent;
    }})()""")


@pytest.mark.slow
def test_a_pair_that_was_tested_is_told_by_each_of_its_names(browser, tmp_path):
    runs = under_two_names(grid(3, kernel=[3, 5], fmt=["last", "first"]))
    page = Rendered(tmp_path, evidence(runs), {"baseline": "kernel=3,fmt=first"})
    known = known_of(page)
    assert sorted(map(sorted, known["twins"])) == [[1, 2], [3, 4]]
    (pair,) = known["pairs"]
    assert {pair["a"], pair["b"]} == {2, 3}
    browser.read(page.path, DESKTOP)
    browser.evaluate("document.getElementById('compare-two').click(), 1")
    for one, other in product((1, 2), (3, 4)):
        said = said_of(browser, one, other)
        assert said.startswith(pair["words"])
        for name, kept in ((1, 2), (4, 3)):
            also = f"Variant {name} is variant {kept}, bit for bit."
            assert (also in said) == (name in (one, other))
    assert "are the same network" in said_of(browser, 1, 2)
    assert said_of(browser, 3, 3) == "Choose two different variants."


@pytest.mark.slow
def test_of_many_groups_of_identical_variants_those_shown_are_told(browser, tmp_path):
    runs = under_two_names(grid(1, units=list(range(24)), fmt=["last", "first"]))
    page = Rendered(tmp_path, evidence(runs), {"baseline": "units=12,fmt=first"})
    known = known_of(page)
    shown = {own["number"] for own in known["variants"]}
    groups = [group for group in page.json["identical"] if len(group) == 2]
    assert len(groups) == 24
    assert len(known["twins"]) == len([one for one in known["twins"] if shown & {*one}]) < 24
    assert shown <= {number for group in known["twins"] for number in group}
    left = 24 - len(known["twins"])
    told = f"Of {left} other groups of identical variants none is shown."
    assert told in page.text
    assert told in (page.path.parent / "comparison.md").read_text()
    browser.read(page.path, DESKTOP)
    browser.evaluate("document.getElementById('compare-two').click(), 1")
    (baseline,) = [own["number"] for own in known["variants"] if own["key"] == "units=12,fmt=first"]
    for number in shown - {baseline}:
        assert "isn't among those" not in said_of(browser, number, baseline)
    text = (page.path.parent / "comparison.md").read_text()
    for sentence in (page.text, " ".join(text.split())):
        assert f"Of 48 variants {len(shown)} are shown" in sentence
        assert "comparison.json each group of identical ones" in sentence


@pytest.mark.slow
def test_variants_that_a_study_names_are_shown_whatever_their_pairs_are(tmp_path):
    runs = grid(1, units=list(range(45)))
    pairs = [["units=22", "units=0"], ["units=24", "units=30"]]
    page = Rendered(tmp_path, evidence(runs), {"baseline": "units=0", "pairs": pairs})
    shown = {own["key"] for own in known_of(page)["variants"]}
    assert shown >= {"units=0", "units=22", "units=24", "units=30"}
    assert len(shown) == 23
    assert len(page.json["pairs"]) == sum(
        page.json["asked"][kind] for kind in ("baseline", "named", "neighbours")
    )
    twins = under_two_names(grid(1, units=list(range(15)), fmt=["a", "b", "c"]))
    few = Rendered(
        tmp_path / "few",
        evidence(twins),
        {"baseline": "units=0,fmt=a", "pairs": [["units=7,fmt=b", "units=0,fmt=a"]]},
    )
    assert "units=7,fmt=b" in {own["key"] for own in known_of(few)["variants"]}


@pytest.mark.slow
def test_the_pair_in_question_is_shown_of_however_many_variants(tmp_path):
    question = ["units=22", "units=23"]
    rule = {"until": "decided", "max_seeds": 20, "question": question, "margin": 0.5}
    known = replace(evidence(grid(3, units=list(range(45)))), stopping=rule | {"baseline": None})
    page = Rendered(tmp_path, known)
    assert {own["key"] for own in known_of(page)["variants"]} >= {*question}
    assert len(known_of(page)["pairs"]) == len(page.json["pairs"]) == 1
    assert "one network under several names" not in page.text


@pytest.mark.slow
def test_the_command_for_a_pair_can_be_pasted(browser, tmp_path):
    runs = grid(1, activation=[f'it\'s [{n}] $x "y"' for n in range(22)])
    page = Rendered(tmp_path, evidence(runs))
    known = known_of(page)
    browser.read(page.path, DESKTOP)
    browser.evaluate("document.getElementById('compare-two').click(), 1")
    said = said_of(browser, 3, 9)
    assert "isn't among those that the study tests" in said
    command = shlex.split(said[said.index("sidebyside compare") :])
    names = {own["number"]: own["key"] for own in known["variants"]}
    assert command[2:] == ["--study", "synthetic", "--dataset", "digits", names[3], names[9]]


@pytest.mark.slow
def test_every_table_is_printed(pages, browser):
    browser.read(pages("whole").path, DESKTOP)
    unseen = """[...document.querySelectorAll("main table")]
        .filter(one => !one.checkVisibility({ contentVisibilityAuto: true })
                       || !one.getBoundingClientRect().height)
        .map(one => one.closest("details")?.querySelector("summary").textContent)"""
    try:
        assert browser.evaluate(unseen) == ["All 28 pairs"]
        browser.call("Emulation.setEmulatedMedia", media="print")
        assert browser.evaluate(unseen) == []
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")


# By WCAG 2.1, where text and what is behind it are opaque.
FAINT = """(() => {
    const light = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(one => one / 255)
            .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const behind = (one) => {
        const own = getComputedStyle(one).backgroundColor;
        return own === "rgba(0, 0, 0, 0)" ? behind(one.parentElement) : own;
    };
    const told = [...document.querySelectorAll("main *:not(svg *, .legend *)")].filter(one =>
        [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()));
    return told.filter(one => {
        const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
    }).map(one => one.outerHTML.slice(0, 80));
})()"""


@pytest.mark.slow
def test_no_text_is_too_faint_to_read(pages, browser):
    browser.read(pages("whole").path, DESKTOP)
    assert browser.evaluate("!!document.querySelector('.badge')")
    assert browser.evaluate(FAINT) == []
