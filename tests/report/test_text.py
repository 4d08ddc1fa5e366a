"""Numbers, tables and the description of what was trained."""

import math
import shlex
from dataclasses import replace

from hydra.core.override_parser.overrides_parser import OverridesParser

from sidebyside.config.metrics import ERROR, LOG_LOSS
from sidebyside.files import read_json
from sidebyside.report.commands import compare_command, training_command
from sidebyside.report.conditions import condition_rows
from sidebyside.report.page.content import Page
from sidebyside.report.text.markdown import Strong, paragraph, table
from sidebyside.report.text.note import note
from sidebyside.report.text.numbers import (
    ends_text,
    p_value,
    percent_range,
    seeds_text,
    signed,
    signed_interval,
    spelled,
)
from sidebyside.report.text.scale import Scale
from sidebyside.report.text.sections import pair_rows
from support.cards import CARD
from support.projects import SOURCE

ON_GPU = {"environment": {"gpu": CARD}}
PAIR = {
    "a": "x=1,y=2",
    "b": "x=2,y=2",
    "n": 2,
    "difference": {"mean": -0.2, "low": None, "high": None},
    "seeds_and_images": None,
    "over_images": {"low": -0.4, "high": 0.004},
    "p_holm": None,
    "superiority": 0.75,
    "verdict": "can't tell",
    "more_seeds": 7,
}


def test_numbers_are_written_alike_everywhere():
    assert (signed(0.214), signed(-0.001), signed(-0.2)) == ("+0.21", "+0.00", "-0.20")
    assert signed_interval(-0.1, 0.3) == " [-0.10, +0.30]"
    assert signed_interval(None, 0.3) == ""
    assert percent_range([0.5, 1]) == "0.50 to 1.00"
    assert percent_range(None) == ends_text(None) == ends_text({"low": None, "high": 1.0}) == "-"
    assert (p_value(None), p_value(0.0004), p_value(0.032)) == ("-", "< 0.001", "0.032")
    assert (seeds_text(1), seeds_text(2)) == ("1 seed", "2 seeds")
    assert (spelled("a=1,b=2"), spelled("")) == ("a=1, b=2", "the only variant")


def test_only_markdown_makes_bold():
    cell = Strong("better", "; more")
    assert str(cell) == "better; more"
    assert table([{"n": "3", "verdict": cell}]).splitlines()[-1].split("|")[1:3] == [
        " 3   ",
        " **better**; more ",
    ]
    assert paragraph("\n   one\n   line ") == "one line"
    hostile = table([{"level": "a|b <b>c", "p": "<0.001"}]).splitlines()[-1]
    assert [cell.strip() for cell in hostile[1:-1].replace(r"\|", "!").split("|")] == [
        "a!b &lt;b>c",
        "<0.001",
    ]


def test_a_row_of_a_pair_is_plain_text():
    (row,) = pair_rows([PAIR])
    assert [str(cell) for cell in row.values()] == [
        "x=1, y=2",
        "x=2, y=2",
        "2",
        "-0.20",
        "-",
        "-",
        "[-0.40, +0.00]",
        "-",
        "0.75",
        "can't tell; about 7 more seeds would",
    ]


def test_what_was_trained_is_told_with_its_command(committed_factorial):
    settings = {row["setting"]: row["value"] for row in condition_rows(committed_factorial)}
    assert (settings["epochs"], settings["seeds"]) == ("5", "0, 1, 2, 3, 4")
    assert "kernel size" not in settings  # it was varied
    words = shlex.split(training_command(committed_factorial))
    assert words[:3] == ["python", "pipelines/train.py", "-m"]
    assert {"study=factorial", "dataset=mnist", "training.epochs=5", "training.seeds=5"} < {*words}
    some = [run for run in committed_factorial.runs if run.seed in (1, 3)]
    assert "seed=1,3" in shlex.split(training_command(replace(committed_factorial, runs=some)))


def with_optimizer(evidence, **changed):
    """Return evidence of runs whose optimizers, which are a factor, were all changed alike."""
    runs = []
    for run in evidence.runs:
        recipe = run.recipe | {"optimizer": run.recipe["optimizer"] | changed}
        runs.append(replace(run, identity=run.identity | {"recipe": recipe}))
    return replace(evidence, runs=runs)


def test_the_command_has_what_all_levels_of_a_group_were_given(committed_factorial):
    usual = shlex.split(training_command(committed_factorial))
    given = with_optimizer(committed_factorial, learning_rate=0.02, clipnorm=1.5)
    words = shlex.split(training_command(given))
    assert set(words) - set(usual) == {"optimizer.learning_rate=0.02", "++optimizer.clipnorm=1.5"}


def test_the_command_keeps_runs_that_diverged(committed_factorial):
    first, *others = committed_factorial.runs
    lost = replace(first, history=first.history | {"loss": [math.nan] * 5})
    words = shlex.split(training_command(replace(committed_factorial, runs=[lost, *others])))
    assert "training.diverged=counts" in words
    assert "training.diverged=counts" not in shlex.split(training_command(committed_factorial))


def test_what_a_studys_file_does_not_name_is_added_by_the_commands(committed_factorial):
    unknown = replace(committed_factorial, study="shapes", metric=LOG_LOSS, margin=0.005)
    words = shlex.split(training_command(unknown))
    assert {"++study.metric=log_loss", "++study.margin=0.005"} < {*words}
    words = shlex.split(compare_command(unknown, {"margin": 0.005, "baseline": None}))
    assert words[4:6] == ["++study.metric=log_loss", "++study.margin=0.005"]


def test_the_command_makes_the_report_as_it_was_asked_for(committed_factorial):
    usual = {"margin": 0.1, "baseline": None}
    made = ["python", "pipelines/compare.py", "study=factorial", "dataset=mnist"]
    assert shlex.split(compare_command(committed_factorial, usual)) == made
    asked = usual | {"margin": 1.0, "baseline": "kernel_size=3,dropout=true"}
    words = shlex.split(compare_command(replace(committed_factorial, missing=["one"]), asked))
    assert words[:4] == made
    overrides = OverridesParser.create().parse_overrides(words[4:])
    assert {own.key_or_group: own.value() for own in overrides} == {
        "study.margin": 1.0,
        "study.baseline": "kernel_size=3,dropout=true",
        "allow_partial": True,
    }


def test_the_command_asks_what_the_report_was_asked(committed_factorial):
    baseline, one, other = "a=1,b=2", "a=2,b=1", "a=2,b=2"
    asked = {"margin": 0.7, "baseline": baseline, "expected_equal": ["b"], "pairs": [[one, other]]}

    def read(**more):
        words = shlex.split(compare_command(replace(committed_factorial, **more), asked))
        overrides = OverridesParser.create().parse_overrides(words[4:])
        return {own.key_or_group: own.value() for own in overrides}

    both = {"study.expected_equal": ["b"], "study.pairs": [[one, other]]}
    usual = both | {"study.margin": 0.7, "study.baseline": baseline}
    assert read() == usual
    narrow = {"until": "narrow", "halfwidth": 0.1, "max_seeds": 20}
    assert read(stopping=narrow) == usual
    assert read(stopping=narrow | {"until": "decided"}) == both
    judged = read(metric=LOG_LOSS, margin=0.02)
    scores = {"study.metric": "log_loss", "study.margin": 0.02, "study.other_scores": False}
    assert judged == usual | scores


def test_levels_of_any_kind_stand_in_the_command(committed_factorial):
    blocks = [[{"type": "conv", "filters": 8}], [{"type": "flatten"}]]
    levels = {"blocks": [str(own) for own in blocks], "note": ["a, b", "c"], "ema": [None, 0.99]}
    for name, own in levels.items():
        first, second, *_ = committed_factorial.runs
        runs = [
            replace(run, factors={name: level}, variant=f"{name}={level}", seed=0)
            for run, level in zip((first, second), own, strict=True)
        ]
        words = shlex.split(training_command(replace(committed_factorial, runs=runs)))
        (word,) = [word for word in words if word.partition("=")[0].endswith(name)]
        (read,) = OverridesParser.create().parse_overrides([word])
        expected = blocks if name == "blocks" else own
        assert read.is_sweep_override()
        assert [getattr(own, "text", own) for own in read.sweep_iterator()] == expected


def test_the_command_of_a_study_that_grew_has_all_of_its_rule(committed_factorial):
    rule = {
        "until": "decided",
        "question": ["kernel_size=3,dropout=true", "kernel_size=5,dropout=true"],
        "baseline": "kernel_size=3,dropout=true",
        "margin": 0.2,
        "max_seeds": 13,
    }
    words = shlex.split(training_command(replace(committed_factorial, stopping=rule)))
    own = [word for word in words if word.startswith("study.")]
    read = {o.key_or_group: o.value() for o in OverridesParser.create().parse_overrides(own)}
    assert read == {f"study.{name}": value for name, value in rule.items()}


def test_runs_of_several_numeric_classes_are_counted(committed_factorial):
    first, second, third = committed_factorial.runs[:3]
    runs = [
        replace(run, identity={"recipe": run.recipe, "environment": environment})
        for run, environment in ((first, {}), (second, {"numerics": "avx512"}))
    ]

    def told(*runs):
        rows = condition_rows(replace(committed_factorial, runs=list(runs)))
        return {row["setting"]: row["value"] for row in rows}["numeric class"]

    assert told(runs[1]) == "avx512"
    before = "none, trained before there were any: the bits of one processor"
    assert told(*runs, replace(runs[1], seed=third.seed)) == f"{before} (1 run); avx512 (2 runs)"


def test_settings_without_a_name_stand_in_the_same_order_in_each_process(committed_factorial):
    more = {"schedule": dict.fromkeys("hgfedcba", 1)}
    identities = [run.identity | {"recipe": run.recipe | more} for run in committed_factorial.runs]
    pairs = zip(committed_factorial.runs, identities, strict=True)
    runs = [replace(run, identity=identity) for run, identity in pairs]
    rows = condition_rows(replace(committed_factorial, runs=runs))
    names = [row["setting"] for row in rows if row["setting"].startswith("schedule.")]
    assert names == [f"schedule.{letter}" for letter in "abcdefgh"]


def test_that_runs_were_trained_on_a_gpu_is_in_their_command(committed_factorial):
    on_gpu = [replace(run, identity=run.identity | ON_GPU) for run in committed_factorial.runs]
    told = training_command(replace(committed_factorial, runs=on_gpu))
    words = shlex.split(told)
    assert "training.device=gpu" in words
    words.remove("training.device=gpu")
    assert words == shlex.split(training_command(committed_factorial))


def test_a_gpu_is_named_where_runs_were_trained_on_one(committed_factorial):
    first, second, *_ = committed_factorial.runs
    on_gpu = replace(first, identity=first.identity | ON_GPU)
    evidence = replace(committed_factorial, runs=[on_gpu, second])
    on, beside = Page(None, evidence, {}, {}, [], None, [], {}).origins
    assert on["GPU"] == "NVIDIA A100-SXM4-40GB, CUDA 12.5.1, cuDNN 90300"
    assert "GPU" not in beside


def test_the_device_can_be_a_factor(committed_factorial):
    devices = [
        replace(run, factors={"device": device}, identity=run.identity | environment)
        for run in committed_factorial.runs[:1]
        for device, environment in (("cpu", {}), ("gpu", ON_GPU))
    ]
    told = shlex.split(training_command(replace(committed_factorial, runs=devices)))
    assert [word for word in told if "device" in word] == ["training.device=cpu,gpu"]


def test_intervals_are_told_by_how_they_are_made():
    assert Scale(LOG_LOSS).over_images(1) == "Student t, skewness taken into account"
    assert Scale(ERROR).over_images(1) == "Wilson's"
    assert Scale(ERROR).over_images(2) == "bootstrap"


def test_a_report_in_short_has_the_protocol_beside_the_errors():
    def short(study):
        return note(read_json(SOURCE / "reports" / "mnist" / study / "comparison.json"))

    assert short("factorial").endswith("\n\nProtocol clean.")
    rows = [line for line in short("published").splitlines() if "| 1      |" in line]
    assert [cell.strip() for cell in rows[0].split("|")][-3] in {"clean", "tf55k", "train60k"}
