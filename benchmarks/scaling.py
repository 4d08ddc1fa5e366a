"""What 100, 1 000 and 10 000 runs cost once they are trained: docs/scaling_runs.md.

make scale            generates three studies (8 GB of disk), and measures them for half an hour
make scale QUICK=1    the first two alone, in some minutes; it writes nothing

SCALE_FOLDER names a folder for the studies, which is kept and used again.
Nothing else should run on the machine meanwhile.
"""

import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from generated import DATASET, IMAGES, ROOT, SEEDS, Place, study_name, write_runs
from tabulate import tabulate

SIZES = (20, 200, 2000)  # variants
PATIENCE = 60  # seconds that nobody minds DVC to add to a study
WORDS = {
    "compose": "compose the configs of all runs",
    "plan": "plan them: identities and run keys",
    "look_up": "look them up, each file read (the first launch after they were trained)",
    "look_up_again": "look them up (any later launch)",
    "stale": "say why one run that is missing has to be trained again",
    "unchanged": "see that `results/` has them already",
    "compare": "`compare`: analysis, report and page, from the runs' files",
    "compare_evidence": "`compare` from the evidence alone",
    "write_evidence": "write `evidence.npz`",
    "read_evidence": "read it",
    "dvc_add": "`dvc commit` of train's and evaluate's outputs, the first time",
    "dvc_status": "`dvc status`, nothing changed",
}
DVC = tuple(name for name in WORDS if name.startswith("dvc"))
TARGETS = (  # wall seconds and GB at most, of steps together
    ("`compare`", (120.0, 4.0), ("compare",)),
    ("compose the configs of a launch", (30.0, math.inf), ("compose",)),
    ("finished runs in a launch", (2.0, math.inf), ("plan", "look_up_again", "unchanged")),
)


def overrides(variants: int) -> list[str]:
    """Return the arguments that choose a study."""
    return [f"study={study_name(variants)}", f"dataset={DATASET}"]


def jobs_of(variants: int) -> Any:
    """Return the runs of a study with what has planned them."""
    from sidebyside.config.compose import compose_grid
    from sidebyside.execution.planned import Planned

    grid, planned = compose_grid(overrides(variants)), Planned()
    return grid, planned


def compose(variants: int) -> Callable[[], object]:
    """Compose the configs."""
    from sidebyside.config.compose import compose_grid

    return lambda: compose_grid(overrides(variants))


def plan(variants: int) -> Callable[[], object]:
    """Plan all runs."""
    grid, planned = jobs_of(variants)
    return lambda: planned.add(grid)


def look_up_again(variants: int) -> Callable[[], object]:
    """Ask which runs are finished."""
    from sidebyside.execution.planned import finished_keys

    grid, planned = jobs_of(variants)
    jobs = planned.add(grid)

    def work() -> None:
        if len(finished_keys(jobs)) != len(jobs):
            raise SystemExit("Some runs aren't finished.")

    return work


def look_up(variants: int) -> Callable[[], object]:
    """Ask for the first time."""
    from sidebyside import paths
    from sidebyside.storage.verified import FILE

    (paths.runs() / FILE).unlink(missing_ok=True)
    return look_up_again(variants)


def stale(variants: int) -> Callable[[], object]:
    """Explain why a run of other code is trained again, with all runs in the store."""
    from sidebyside.storage import staleness

    grid, planned = jobs_of(variants)
    missing = planned.add(grid[:1])[0].identity | {"sources": {"engine/training/fit.py": "other"}}
    return lambda: staleness.explain([missing])


def unchanged(variants: int) -> Callable[[], object]:
    """Assemble results that are there already."""
    from sidebyside.storage.results import write_evaluate_results, write_train_results

    grid, planned = jobs_of(variants)
    planned.add(grid)
    runs, config = planned.runs(), grid[0][0]

    def work() -> None:
        write_train_results(config, runs, [])
        write_evaluate_results(DATASET, study_name(variants), [run.key for run in runs])

    return work


def compare(variants: int) -> Callable[[], object]:
    """Write the report."""
    from sidebyside.config.compose import compose_config
    from sidebyside.config.validate import check_dataset, check_study
    from sidebyside.report.compare import compare_study

    config = compose_config(overrides(variants))
    dataset, study = check_dataset(config), check_study(config)
    return lambda: compare_study(dataset, study)


def compare_evidence(variants: int) -> Callable[[], object]:
    """Write the report again where nothing but its evidence is."""
    from sidebyside import paths
    from sidebyside.report import gathering

    work = compare(variants)
    own = paths.results(DATASET, study_name(variants), "train") / "study.json"
    assert gathering.has_results(DATASET, study_name(variants))

    def without_results() -> None:
        hidden = own.rename(own.with_suffix(".hidden"))
        try:
            work()
        finally:
            hidden.rename(own)

    return without_results


def read_evidence(variants: int) -> Callable[[], object]:
    """Read the evidence beside the report."""
    from sidebyside.storage.evidence_files import committed

    return lambda: committed(DATASET, study_name(variants))


def write_evidence(variants: int) -> Callable[[], object]:
    """Write it elsewhere."""
    from sidebyside import paths
    from sidebyside.storage import evidence_files

    evidence = read_evidence(variants)()
    path = paths.home() / "written.npz"
    return lambda: evidence_files.write_evidence(path, evidence)  # type: ignore[arg-type]


def dvc_add(variants: int) -> Callable[[], object]:
    """Commit the outputs of the stages that have a folder per run."""
    return lambda: _dvc("add", "--quiet", *_outputs(variants))


def dvc_status(variants: int) -> Callable[[], object]:
    """Ask whether they changed."""
    return lambda: _dvc("status", *(f"{output}.dvc" for output in _outputs(variants)))


def _outputs(variants: int) -> list[str]:
    return [f"results/{DATASET}/{study_name(variants)}/{stage}" for stage in ("train", "evaluate")]


def _dvc(*arguments: str) -> None:
    command = [sys.executable, "-m", "dvc", *arguments]
    subprocess.run(command, cwd=os.environ["SIDEBYSIDE_ROOT"], check=True, capture_output=True)


def measure(name: str, variants: int) -> dict[str, float]:
    """Return wall and CPU seconds of a step in this process, and its peak memory in GB."""
    work = globals()[name](variants)
    who = resource.RUSAGE_CHILDREN if name in DVC else resource.RUSAGE_SELF
    before, began = resource.getrusage(who), time.monotonic()
    work()
    wall, after = time.monotonic() - began, resource.getrusage(who)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": cpu, "memory": after.ru_maxrss / 2**20}


def in_process(place: Place, name: str, variants: int) -> dict[str, float]:
    """Return what a process of its own measures."""
    command = [sys.executable, __file__, name, str(variants)]
    done = subprocess.run(
        command, env=place.environment, check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{variants * SEEDS} runs, {name}: {found}", file=sys.stderr, flush=True)
    return found


def measured(place: Place, sizes: tuple[int, ...]) -> dict[str, dict[int, dict[str, float]]]:
    """Return what each step costs, by number of variants."""
    _dvc_init(place)
    found: dict[str, dict[int, dict[str, float]]] = {name: {} for name in WORDS}
    for variants in sizes:
        if not has_study(place, variants):
            in_process(place, "generate", variants)
        for name in WORDS:
            found[name][variants] = in_process(place, name, variants)
    return found


def file_sizes(place: Place, variants: int) -> dict[str, float]:
    """Return how large a report's page and evidence are, MB."""
    folder = place.folder / "reports" / DATASET / study_name(variants)
    files = {"page": folder / "report.html", "evidence": folder / "evidence.npz"}
    return {name: path.stat().st_size / 2**20 for name, path in files.items()}


def made(folder: Path) -> Place:
    """Return the place in a folder, made if it isn't there."""
    place = Place(folder)
    if not folder.is_dir():
        place.make()
    return place


def has_study(place: Place, variants: int) -> bool:
    """Whether a study was generated before."""
    results = place.folder / "results" / DATASET / study_name(variants)
    return (results / "train" / "study.json").is_file()


def generate(variants: int) -> Callable[[], object]:
    """Write a study's runs."""
    return lambda: write_runs(variants)


def _dvc_init(place: Place) -> None:
    if not (place.folder / ".dvc").is_dir():
        command = [sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"]
        subprocess.run(command, cwd=place.folder, check=True)


def exponent(costs: Mapping[int, Mapping[str, float]]) -> float:
    """Return by which power of the number of runs CPU time grows, over the two largest sizes."""
    if len(costs) < 2:
        return math.nan
    less, more = sorted(costs)[-2:]
    grown = max(costs[more]["cpu"], 1e-3) / max(costs[less]["cpu"], 1e-3)
    return math.log(grown) / math.log(more / less)


def document(
    found: Mapping[str, Mapping[int, Mapping[str, float]]], files: Mapping[str, float], load: float
) -> str:
    """Return the page; ``files`` has the sizes of those of the largest study, MB."""
    sizes = sorted({size for costs in found.values() for size in costs})
    largest = sizes[-1]
    rows = []
    for name, words in WORDS.items():
        if not found[name]:
            continue
        row = {"step": words}
        for variants in sizes:
            cost = found[name].get(variants)
            row[f"{variants * SEEDS:,} runs: wall, CPU s"] = (
                f"{cost['wall']:.1f}, {cost['cpu']:.1f}" if cost else "-"
            )
        row["peak GB"] = f"{found[name][max(found[name])]['memory']:.2f}"
        power = exponent(found[name])
        row["grows as"] = "-" if math.isnan(power) else f"n^{power:.2f}"
        rows.append(row)
    table = tabulate(rows, headers="keys", tablefmt="pipe", disable_numparse=True)
    return TEXT.format(
        table=table,
        images=f"{IMAGES:,}",
        cores=os.cpu_count(),
        load=f"{load:.1f}",
        runs=f"{largest * SEEDS:,}",
        variants=f"{largest:,}",
        targets=_targets(found, largest),
        page=f"{files['page']:.1f}",
        evidence=f"{files['evidence']:.0f}",
        dvc=_of_dvc(found),
    )


def _targets(found: Mapping[str, Mapping[int, Mapping[str, float]]], largest: int) -> str:
    """Return the targets with what was measured, and whether it is within them."""
    written = []
    for what, (most, most_memory), names in TARGETS:
        if not all(largest in found[name] for name in names):
            continue
        wall, cpu, memory = _summed([found[name][largest] for name in names])
        limits = f"{most:.0f} s" + (f", {most_memory:.0f} GB" if most_memory < math.inf else "")
        written.append(
            {
                "target": what,
                "at most": limits,
                "wall s": f"{wall:.1f}",
                "CPU s": f"{cpu:.1f}",
                "peak GB": f"{memory:.2f}",
                "kept": "yes" if wall <= most and memory <= most_memory else "no",
            }
        )
    return tabulate(written, headers="keys", tablefmt="pipe", disable_numparse=True)


def _summed(costs: Sequence[Mapping[str, float]]) -> tuple[float, float, float]:
    """Return wall and CPU seconds of steps together, and the most memory that one takes."""
    wall, cpu = (sum(cost[kind] for cost in costs) for kind in ("wall", "cpu"))
    return wall, cpu, max(cost["memory"] for cost in costs)


def _of_dvc(found: Mapping[str, Mapping[int, Mapping[str, float]]]) -> str:
    """Return from how many runs on DVC is slower than anyone likes."""
    if not found["dvc_add"] or not found["dvc_status"]:
        return "What DVC costs wasn't measured."
    largest = max(found["dvc_status"].keys() & found["dvc_add"].keys())
    runs = largest * SEEDS
    status, commit = (found[name][largest]["wall"] for name in ("dvc_status", "dvc_add"))
    power = exponent(found["dvc_add"])
    power = 1.0 if math.isnan(power) else power
    most = runs * (PATIENCE / commit) ** (1 / power)
    return (
        f"With {runs:,} runs DVC needs {status:.0f} s to see that nothing changed, and "
        f"{commit:.0f} s to commit what the stages left: more than {PATIENCE} s from about "
        f"{_round(most):,} runs on. Real runs have weights besides, of 5 MB each, say: a commit "
        "copies them once more, and they aren't in these figures."
    )


def _round(number: float) -> int:
    digits = max(int(math.log10(number)), 0)
    return int(round(number, -digits))


def draw(found: Mapping[str, Mapping[int, Mapping[str, float]]], path: Path) -> None:
    """Draw CPU seconds by the number of runs."""
    import matplotlib as mpl

    from sidebyside.report.pictures.style import STYLE, legend_below, new_figure, save

    drawn = ("compose", "plan", "look_up", "look_up_again", "compare", "dvc_add", "dvc_status")
    with mpl.rc_context(STYLE):
        figure = new_figure(6.5, 4.6)
        axes = figure.add_subplot()
        for number, name in enumerate(drawn):
            runs = [SEEDS * variants for variants in sorted(found[name])]
            costs = [found[name][variants]["cpu"] for variants in sorted(found[name])]
            label = name.replace("_", " ")
            axes.plot(runs, costs, "osD^v<>"[number] + "-", ms=5, lw=1.3, label=label)
        axes.set(xscale="log", yscale="log", xlabel="runs", ylabel="CPU seconds")
        legend_below(figure, axes, 4)
        save(figure, path)


TEXT = """# Ten thousand runs

Written by `make scale`, which generates studies of 20, 200 and 2,000 variants with five seeds each
(`benchmarks/generated.py`: nobody trained them; predictions correlate by seed and image as real
ones do) on {images} test images, and measures what is done with runs once they are trained. On
{cores} cores; {load} processes were at work on average while it ran, so that CPU seconds say more
than wall seconds where that is more than a few.

{targets}

{table}

![CPU seconds by the number of runs](scaling_runs.png)

"Grows as" is the power of the number of runs by which CPU time grows from the second largest size
to the largest: 1 is linear.

## What a report of {variants} variants tells

Not all pairs: of more than twenty variants each is held against the baseline and against its
neighbours in the order of means, and those pairs are compared that `study.pairs` names, two
variants in each by their full names, in the study's file or with `++`, as no file that comes along
has it:

```sh
A=kernel_size=3,dropout=true,optimizer=adam,data_format=channels_last
B=kernel_size=5,dropout=true,optimizer=adam,data_format=channels_last
python pipelines/compare.py study=... ++study.pairs="[['$A','$B']]"
```

Pairs that were asked about, those with a `study.baseline` that is set and those in `study.pairs`,
are one family of Holm's correction. Pairs that the runs have chosen, neighbours and those with a
baseline that validation chose, are corrected for all that might have been chosen, which of many
variants few seeds can't survive: **set `study.baseline` before a large study is run.** The report
says how many tests each family counts. What factors do is told as always; a complete factorial of
more than a hundred variants is estimated by differences of means by seed, which is the same.

Of more than forty variants, report and page show the ten best, the ten worst, the baseline, the one
that validation chose and those that the study names; `comparison.json` and `runs.csv` have all. The
page of {variants} variants is {page} MB. `evidence.npz` of more than 2,000 runs isn't compressed
but mapped into memory when it is read: {evidence} MB here, too much for git.

## A launch

A grid is composed once for each choice of files (`optimizer=adam,sgd`), and values are set
(`model.kernel_size=3,5`) by Hydra's own function: what comes out is what Hydra composes of each
run. Runs that were found whole are remembered with the sizes and times of their files
(`runs/.verified.json`), and aren't read again for a launch; nor are the small files in `results/`
whose size and time are those of the run store's. What is left are two listings of each run's folder
and a look at the times of four files. Of 500 finished runs or more, those that MLflow was given
whole aren't asked for there one by one; [server_load.md](server_load.md) has what publishing takes.

## DVC

{dvc} Where that is too slow, let the run store alone carry the runs: train with `python
pipelines/train.py -m study=...` and compare with `python pipelines/compare.py study=...`; both work
without DVC, and nothing is trained twice either way.
"""


def main() -> None:
    """Measure, and write the page unless it is quick."""
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
        return
    quick = os.environ.get("QUICK", "") not in ("", "0")
    sizes = SIZES[:2] if quick else SIZES
    if kept := os.environ.get("SCALE_FOLDER"):
        place = made(Path(kept))
        found, files = measured(place, sizes), file_sizes(place, sizes[-1])
    else:
        with TemporaryDirectory() as folder:
            place = made(Path(folder) / "place")
            found, files = measured(place, sizes), file_sizes(place, sizes[-1])
    text = document(found, files, os.getloadavg()[2])
    print(text)
    if not quick:
        (ROOT / "docs" / "scaling_runs.md").write_text(text)
        draw(found, ROOT / "docs" / "scaling_runs.png")


if __name__ == "__main__":
    main()
