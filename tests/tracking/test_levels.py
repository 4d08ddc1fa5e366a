"""Study, variant and seed in MLflow: what each carries, made once, also of older stores."""

import json
from dataclasses import replace

import mlflow
import pytest

from sidebyside.config.metrics import LOG_LOSS, OwnMetric, metric_of
from sidebyside.files import read_json
from sidebyside.tracking.client import Tracker
from sidebyside.tracking.reports import publish_report
from sidebyside.tracking.shown.variants import Variants
from sidebyside.tracking.shown.views import study_views
from support.projects import SOURCE
from support.stores import FACTORS, TRACKING, made_up, publish_study, report_of

VARIANT = "kernel_size={},dropout=true,optimizer=adam,data_format=channels_last"


@pytest.fixture
def client(tracking_home):
    return mlflow.MlflowClient(f"sqlite:///{tracking_home / 'mlflow.db'}")


def found(client, level):
    runs = client.search_runs(["1"], f"tags.level = '{level}'")
    return {run.info.run_name: run for run in runs}


def test_a_study_holds_variants_and_these_hold_seeds(client):
    parent = publish_study(Tracker(TRACKING), {3: [6.0, 7.0], 5: [4.0, 5.0]})
    variants, runs = found(client, "variant"), found(client, "run")
    assert variants.keys() == {"3x3 drop adam last", "5x5 drop adam last"}
    assert runs.keys() == {f"{name} s{seed}" for name in variants for seed in (0, 1)}
    for name, variant in variants.items():
        assert variant.data.tags["mlflow.parentRunId"] == parent
        assert "run_key" not in variant.data.tags
        assert variant.data.metrics["n"] == 2
        assert variant.data.metrics["sd"] == pytest.approx(0.707107)
        assert variant.data.params["data_format"] == "channels_last"
        assert "seed" not in variant.data.params
        for seed in (0, 1):
            run = runs[f"{name} s{seed}"]
            assert run.data.tags["mlflow.parentRunId"] == variant.info.run_id
            assert run.data.tags["all_but_seed"] == name
    assert variants["5x5 drop adam last"].data.metrics["test_error"] == 4.5
    visible = {name for run in runs.values() for name in run.data.tags if "mlflow." not in name}
    assert not any(name.startswith(("process", "launch", "published")) for name in visible)


def test_published_again_nothing_is_made_or_logged_again(client):
    for _ in range(2):
        publish_study(Tracker(TRACKING), {3: [6.0, 7.0]})
    publish_study(Tracker(TRACKING), {3: [6.0, 7.0, 8.0], 5: [4.0]})
    variants = found(client, "variant")
    assert len(variants) == 2
    known = variants["3x3 drop adam last"]
    assert known.data.metrics["n"] == 3
    points = client.get_metric_history(known.info.run_id, "test_error")
    assert [point.value for point in points] == [6.5, 7.0]
    assert len(client.search_runs(["1"])) == 1 + 2 + 4


def test_runs_of_another_recipe_leave_the_study(client):
    def children(variant):
        return {
            run.info.run_name: run.data.metrics["test_error"]
            for run in client.search_runs(
                ["1"], f"tags.`mlflow.parentRunId` = '{variant.info.run_id}'"
            )
        }

    def of_study():
        return len(client.search_runs(["1"], "tags.level = 'run' and tags.study = 'factorial'"))

    name = "3x3 drop adam last"
    short, long = {3: [6.0, 7.0]}, {3: [4.0, 5.0]}
    for errors, epochs in ((short, 3), (long, 5), (short, 3)):
        publish_study(Tracker(TRACKING), errors, first=1000 * epochs, epochs=epochs)
        (variant,) = found(client, "variant").values()
        assert variant.data.params["epochs"] == str(epochs)
        assert variant.data.metrics["test_error"] == sum(errors[3]) / 2
        assert children(variant) == {f"{name} s{seed}": own for seed, own in enumerate(errors[3])}
        assert of_study() == 2
    assert len(client.search_runs(["1"], "tags.level = 'run'")) == 4


def test_runs_trained_again_by_other_code_take_the_place_of_the_old(client):
    for errors, first in (([6.0, 7.0], 0), ([4.0, 5.0], 100), ([6.0, 7.0], 0)):
        publish_study(Tracker(TRACKING), {3: errors}, first=first)
        (variant,) = found(client, "variant").values()
        below = f"tags.`mlflow.parentRunId` = '{variant.info.run_id}' and tags.study = 'factorial'"
        runs = client.search_runs(["1"], below)
        assert sorted(run.data.metrics["test_error"] for run in runs) == errors
        assert variant.data.metrics["test_error"] == sum(errors) / 2
    assert len(client.search_runs(["1"], "tags.level = 'run'")) == 4


def test_epochs_that_were_not_kept_are_not_the_last_word(client):
    tracker = Tracker(TRACKING)
    tracker.prepare()
    card, run, tested = made_up(1, FACTORS, 0, 5.0)
    opened = tracker.open_run(card)
    figures = [{name: own[epoch] for name, own in run.history.items()} for epoch in range(3)]
    worse = {name: 2 * own[-1] for name, own in run.history.items()}
    tracker.log_epochs(opened, dict(enumerate([*figures, worse, worse], 1)))
    for _ in range(2):
        tracker.publish(card, run, tested)
        metrics = client.get_run(opened.info.run_id).data.metrics
        assert {name: metrics[name] for name in worse} == figures[-1]
    assert len(client.get_metric_history(opened.info.run_id, "loss")) == 6


def test_what_is_no_param_makes_another_recipe_too(client):
    adam = {"name": "adam", "_target_": "keras.optimizers.Adam", "learning_rate": 0.1}
    for number, rate in enumerate((0.5, 0.9)):
        other = adam | {"beta_1": rate}
        publish_study(Tracker(TRACKING), {3: [6.0, 7.0]}, first=1000 * number, optimizer=other)
        (variant,) = found(client, "variant").values()
        below = f"tags.`mlflow.parentRunId` = '{variant.info.run_id}'"
        assert len(client.search_runs(["1"], below)) == 2
    assert len(client.search_runs(["1"], "tags.level = 'run'")) == 4


def test_another_launch_of_before_still_ends_its_variants(client):
    tracker = Tracker(TRACKING)
    tracker.prepare()
    parent = tracker.open_study("factorial", "mnist5k")
    variants = Variants(tracker, parent)
    card, run, tested = made_up(1, FACTORS, 0, 6.0)
    (opened,) = variants.open([replace(card, parent=parent)])
    publish_study(Tracker(TRACKING), {FACTORS["kernel_size"]: [4.0]}, first=1000, epochs=5)
    tracker.publish(opened, run, tested)
    variants.close([opened], {run.key}, {run.key: tested}.get)
    (variant,) = found(client, "variant").values()
    assert variant.data.metrics["test_error"] == 4.0


def test_a_variant_with_a_run_that_is_not_evaluated_gets_no_mean(client):
    tracker = Tracker(TRACKING)
    tracker.prepare()
    parent = tracker.open_study("factorial", "mnist5k")
    variants, tested = Variants(tracker, parent), {}
    made = [made_up(seed, FACTORS, seed, 6.0 + seed) for seed in (0, 1)]
    cards = variants.open([replace(card, parent=parent) for card, _, _ in made])
    for card, (_, run, evaluation) in zip(cards, made, strict=True):
        variants.close(cards, {own.key for _, own, _ in made}, tested.get)
        (variant,) = found(client, "variant").values()
        assert variant.data.metrics == {}
        tracker.publish(card, run, evaluation)
        tested[run.key] = evaluation
    variants.close(cards, tested.keys(), tested.get)
    (variant,) = found(client, "variant").values()
    assert (variant.data.metrics["test_error"], variant.data.metrics["n"]) == (6.5, 2)


def test_a_report_is_told_by_its_study_and_variants(client, monkeypatch):
    parent = publish_study(Tracker(TRACKING), {3: [6.0, 7.0], 5: [4.0, 5.0]})
    folder = report_of(SOURCE)
    content = read_json(folder / "comparison.json")
    for _ in range(2):
        assert publish_report(folder, "factorial", "mnist5k", TRACKING)
    study = client.get_run(parent)
    told = study.data.tags["mlflow.note.content"]
    assert content["statements"][0] in told
    assert "can't tell" in told
    assert f"(#/experiments/1/runs/{parent}/artifacts/report/report.html?workflow" in told
    assert "viewStateShareKey=factorial-mnist5k)" in told
    assert study.data.tags["levels.kernel_size"] == "3, 5"
    assert study.data.tags["seeds"] == content["settings"]["seeds"]
    assert study.data.metrics["runs"] == 32
    assert [one.dataset.name for one in study.inputs.dataset_inputs] == ["mnist5k"]
    files = [file.path for file in client.list_artifacts(parent, "report")]
    assert {"report/comparison.md", "report/confusion_best.png", "report/pictures"} <= set(files)
    for kernel_size in (3, 5):
        variant = found(client, "variant")[f"{kernel_size}x{kernel_size} drop adam last"]
        name = VARIANT.format(kernel_size)
        (known,) = (own for own in content["variants"] if own["name"] == name)
        figures = variant.data.metrics
        assert figures["test_error"] == known["test_error"]["mean"]
        assert figures["sd"] == known["test_error"]["sd"]
        assert figures["over_seeds_high"] == known["test_error"]["high"]
        assert figures["interval_high"] == known["seeds_and_images"]["high"]
        assert variant.data.tags["verdict"] == {3: "can't tell", 5: "baseline"}[kernel_size]
        assert len(client.get_metric_history(variant.info.run_id, "rank")) == 1
    errors = [own["test_error"]["mean"] for own in content["variants"]]
    assert figures["rank"] == 1 + sum(error < figures["test_error"] for error in errors)


def test_a_store_of_before_is_brought_up_to_date(client):
    tracker = Tracker(TRACKING)
    tracker.prepare()
    parent = tracker.open_study("factorial", "mnist5k")
    card, *_ = made_up(30, FACTORS, 0, 6.0)
    tags = {"run_key": card.run.key, "mlflow.parentRunId": parent, "mlflow.runName": "long"}
    old = {"process.id": "1", "launch.0": "trained", "published": "a:b:c"}
    run = client.create_run("1", tags=tags | old)
    client.log_metric(run.info.run_id, "test_error", 6.5, step=3)  # of another evaluation
    publish_study(tracker, {3: [6.0]})
    (run,) = found(client, "run").values()
    assert run.info.run_name == "3x3 drop adam last s0"
    (variant,) = found(client, "variant").values()
    assert run.data.tags["mlflow.parentRunId"] == variant.info.run_id
    assert not old.keys() & run.data.tags.keys()
    assert run.data.metrics["test_error"] == 6.0


def test_views_are_kept_once_and_follow_the_study(client):
    tracker = Tracker(TRACKING)
    tracker.prepare()
    tracker.show(study_views("factorial", "mnist5k", ["optimizer"]))
    first = client.get_experiment("1").tags
    assert first["mlflow.experimentKind"] == "custom_model_development"
    Tracker(TRACKING).show(study_views("factorial", "mnist5k", ["optimizer"]))
    assert client.get_experiment("1").tags == first
    Tracker(TRACKING).show(study_views("factorial", "mnist5k", ["optimizer", "dropout"]))
    kept = json.loads(client.get_experiment("1").tags["mlflow.sharedViewState.factorial-mnist5k"])
    state = json.loads(kept["state"])
    assert state["selectedColumns"][-2:] == ["params.`dropout`", "tags.`protocol`"]
    assert state["orderByKey"] == "metrics.`test_error`"


def test_the_table_of_variants_has_the_metric_that_its_intervals_are_by():
    def table(*metric):
        view, *_ = study_views("factorial", "mnist5k", ["optimizer"], *metric)
        names = [column.partition(".")[2].strip("`") for column in view.state["selectedColumns"]]
        return names, view.state["orderByKey"], view.state["orderByAsc"]

    judged = ["interval_low", "interval_high", "verdict", "n", "sd"]
    more = ["optimizer", "protocol"]
    error = ["rank", "test_error", *judged, "test_loss", *more]
    assert table() == (error, "metrics.`test_error`", True)
    columns = ["rank", "log_loss", *judged, "test_error", "test_loss", *more]
    assert table(LOG_LOSS) == (columns, "metrics.`log_loss`", True)
    gain = metric_of(OwnMetric(name="gain", target="own.gain", better="higher"))
    columns = ["rank", "test_gain", *judged, "test_error", "test_loss", *more]
    assert table(gain) == (columns, "metrics.`test_gain`", False)
