"""Draw docs/ui/*.png, what MLflow's UI shows of the small study: python docs/screenshots.py.

After `make study`: what it left in results/ and reports/ is published to a store of its own, whose
UI a headless Chromium opens.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from sidebyside.tracking.models.publish import registered_name  # noqa: E402 - as that below
from support.browser import Browser, browsing  # noqa: E402 - found by the line above

STUDY, DATASET = "factorial", "mnist5k"
_SIZE = (1280, 720)
_SIZES = {"run_list": (1440, 760), "charts": (1280, 1000), "study": (1280, 1000)}
_MORE = "[...document.querySelectorAll('button')].find(one => one.innerText == 'Show more')"
_COLOURS = 128  # of a picture, which keeps it small
_SETTLES = 5  # seconds until what is drawn stands still
_EXPERIMENT = "#/experiments/1/runs"


def main() -> None:
    """Publish the study, start the UI and draw its pages."""
    with TemporaryDirectory() as folder, _ui(Path(folder)) as address:
        client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
        with browsing(Path(folder) / "profile") as browser:
            for name, (page, awaited) in _pages(client).items():
                browser.open(f"{address}/{page}", *_SIZES.get(name, _SIZE))
                browser.wait_for(*awaited)
                browser.evaluate(f"{_MORE}?.click()")  # a description is folded
                _draw(browser, ROOT / "docs" / "ui" / f"{name}.png")


def _pages(client: mlflow.MlflowClient) -> dict[str, tuple[str, list[str]]]:
    """Return the address of each page, and words that stand on it once it is there."""
    best, *others = _runs(client, "variant")
    (study,) = _runs(client, "parent")
    training = "workflowType=machine_learning"
    view = f"{_EXPERIMENT}?{training}&viewStateShareKey={STUDY}-{DATASET}"
    run = client.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{best}'")[0]
    champion = client.get_model_version_by_alias(registered_name(STUDY, DATASET), "champion")
    (model,) = [
        model
        for model in client.search_logged_models(["1"])
        if model.artifact_location == champion.source
    ]
    compared = f'#/compare-runs?runs=["{best}","{others[-1]}"]&experiments=["1"]&{training}'
    return {
        "run_list": (view, ["16 matching runs", "verdict"]),
        "runs": (f"{view}-runs", ["32 matching runs", "Group by: all_but_seed"]),
        "charts": (f"{view}-runs&compareRunsMode=CHART", ["Add chart"]),
        "study": (f"{_EXPERIMENT}/{study}?{training}", ["best_test_error"]),
        "variant": (f"{_EXPERIMENT}/{best}?{training}", ["interval_high"]),
        "seed": (f"{_EXPERIMENT}/{run.info.run_id}/model-metrics?{training}", ["Step"]),
        "comparison": (compared, ["interval_high"]),
        "models": (f"#/experiments/1/models?{training}", ["5x5 drop adam last s"]),
        "model": (f"#/experiments/1/models/{model.model_id}?{training}", ["Datasets used", "v1"]),
        "champion": (f"#/models/{champion.name}/versions/{champion.version}", ["champion"]),
    }


def _runs(client: mlflow.MlflowClient, level: str) -> list[str]:
    order = ["metrics.test_error ASC"]
    return [
        run.info.run_id
        for run in client.search_runs(["1"], f"tags.level = '{level}'", order_by=order)
    ]


def _draw(browser: Browser, path: Path) -> None:
    time.sleep(_SETTLES)
    path.parent.mkdir(exist_ok=True)
    browser.screenshot(path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(_COLOURS).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


@contextmanager
def _ui(home: Path) -> Iterator[str]:
    """Publish the study to a store at a home, and start the UI; give its address."""
    own = {"SIDEBYSIDE_ROOT": str(ROOT), "SIDEBYSIDE_HOME": str(home), "MLFLOW_WORKERS": "1"}
    named = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-m", "sidebyside.cli.main"]
    published = [*command, "sync", "--study", STUDY, "--dataset", DATASET]
    subprocess.run(published, env=named | own, check=True)  # noqa: S603 - our own command
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = [*command, "ui", "--no-browser", "--port", str(port)]
    with subprocess.Popen(started, env=named | own, stdout=subprocess.DEVNULL) as server:  # noqa: S603
        try:
            _wait(port)
            yield f"http://sidebyside.localhost:{port}"
        finally:
            server.terminate()


def _wait(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(f"no UI on port {port}")


if __name__ == "__main__":
    main()
