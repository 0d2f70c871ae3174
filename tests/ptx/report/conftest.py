import pytest

from ptx.records import Metric
from ptx.report import build
from ptx.stats.items import measure
from tests.ptx.report.runs import write_run, write_sweep
from tests.ptx.report.sweeps import Sweep, write_demo

#: metrics of models that :func:`evaluated` reports on
EVALUATED = [*(f"bench/task_{i}/acc" for i in range(12)), "judge/win_rate", "quiz/right", "quiz/wrong"]


@pytest.fixture
def new_sweep(tmp_path):
    return lambda **options: Sweep(tmp_path / "runs", **options)


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The folder above a finished demo sweep; not to be written to."""
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder)
    return folder


@pytest.fixture(scope="session")
def demo_report(demo, tmp_path_factory):
    """The report of the demo sweep; not to be written to."""
    return build([demo], tmp_path_factory.mktemp("out"))


@pytest.fixture
def evaluated(tmp_path):
    """``evaluated(*models, **config)``: the report of ``ptx eval`` on each of these model folders."""

    def make(*models, **config):
        rows = [
            {
                "item": f"q{i}",
                "scores": dict.fromkeys(EVALUATED, float(i % 2)),
                "segments": {"language": "de" if i % 3 else "en"},
            }
            for i in range(30)
        ]
        quality = [metric for name in EVALUATED for metric in measure(name, "fraction", "higher", rows)]
        ratio = Metric("latency/request_ratio", 1.0, "ratio", "lower", 0.9, 1.1, 20)  # to itself
        for number, model in enumerate(models):
            time = number + 1.0
            seconds = Metric("latency/request_seconds", time, "seconds", "lower", time - 0.1, time + 0.1, 20)
            write_run(
                tmp_path / "sweep" / str(number),
                "quiz",
                rows,
                [*quality, ratio, seconds],
                verb="eval",
                label=f"model={model} eval=[quiz]",
                varied={"model": model} if len(models) > 1 else {},
                config={"eval": {}, "model": model, **config},
                model={"name": model, "digest": model},
            )
        sweep = write_sweep(tmp_path / "sweep", *map(str, range(len(models))))
        return build([sweep], tmp_path / "report")

    return make
