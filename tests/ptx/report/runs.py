"""Writers of single run folders with given rows and metrics."""

from dataclasses import asdict

from ptx.files import write_json, write_rows
from ptx.records import Metric


def exact(name, value, better="lower"):
    """A metric without noise."""
    return Metric(name, value, "", better, value, value, 1)


def write_run(folder, evaluator, rows, metrics, **run):
    """Write a finished run of one evaluator; ``run`` are fields of run.json."""
    (folder / "evaluations").mkdir(parents=True)
    write_rows(folder / "evaluations" / f"{evaluator}.jsonl", rows)
    baseline = run.get("baseline", False)
    head = {
        "id": folder.name,
        "label": folder.name,
        "sweep": "s",
        "baseline": baseline,
        "seed": 0,
        "varied": {} if baseline else {"method": folder.name},
        "config": {"method": folder.name},
        "model": {"name": "m", "digest": "d"},
    }
    write_json(folder / "run.json", head | run)
    result = {
        "status": "done",
        "steps": [],
        "evaluations": [{"name": evaluator}],
        "error": None,
        "seconds": 1.0,
        "metrics": [asdict(metric) | {"evaluator": evaluator} for metric in metrics],
    }
    write_json(folder / "result.json", result)


def write_sweep(folder, *runs):
    """Write sweep.json for the runs below ``folder``, in this order."""
    write_json(folder / "sweep.json", {"name": "s", "runs": list(runs), "axes": {}})
    return folder
