"""Runs on other machines: Slurm by stand-ins for its commands, Ray for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from ptx.files import read_json

PTXFILE = f"""
import os, signal, sys, time
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from conftest import ToyPlugin, ToyMethod, Count, Plain
import ptx

class Steady(Count):
    timed = True

class Plugin(ToyPlugin):
    @ptx.hookimpl
    def ptx_choices(self):
        kept = [choice for choice in super().ptx_choices() if choice.group not in ("runtime", "eval")]
        return [*kept, ptx.Choice("runtime", "plain", Plain), ptx.Choice("eval", "count", Count), ptx.Choice("eval", "steady", Steady)]

    @ptx.hookimpl
    def ptx_train(self, run, method, model, data):
        if isinstance(method, ToyMethod):
            with open("trained", "a") as file:
                file.write(f"{{method.rate}} {{os.getpid()}}\\n")
            if method.args.get("crash"):
                os.kill(os.getpid(), signal.SIGKILL)
            deadline = time.time() + float(method.args.get("seconds", 0))
            while time.time() < deadline and not os.path.exists("hurry"):
                time.sleep(0.1)
        return super().ptx_train(run, method, model, data)

toy = Plugin()
globals().update({{name: getattr(toy, name) for name in dir(toy) if name.startswith("ptx_")}})
"""
WORDS = [
    "model=./model",
    "data=./text.jsonl",
    "method=toy",
    "runtime=plain",
    "eval=[count,steady]",
    "device=cpu",
]

#: one file under several names: jobs are processes of this machine, their states files in $FAKE_SLURM
COMMAND = f"""#!{sys.executable}
import os, re, subprocess, sys
from pathlib import Path
home, name, words = Path(os.environ["FAKE_SLURM"]), Path(sys.argv[0]).name, sys.argv[1:]

def go(job):
    whole, _, task = job.partition("_")
    note = home / job
    script = (home / f"{{whole}}.script").read_text()
    note.write_text("RUNNING")
    names = {{"SLURM_JOB_ID": job if not task else f"9{{whole}}{{task}}", "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0",
             "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}}
    if task:
        names |= {{"SLURM_ARRAY_JOB_ID": whole, "SLURM_ARRAY_TASK_ID": task}}
    script = f'{{script}}\\ncode=$?; test -e {{home}}/{{job}}.requeue && exec {{sys.argv[0]}} --again {{job}}; test $code = 0 && echo COMPLETED > {{note}} || echo FAILED > {{note}}'
    quiet = {{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}}
    subprocess.Popen(["bash", "-c", script], env={{**os.environ, **names}}, start_new_session=True, **quiet)

if name == "sbatch" and words[0] == "--again":
    (home / f"{{words[1]}}.requeue").unlink()
    go(words[1])
elif name == "sbatch":
    text = Path(words[0]).read_text()
    number = str(100 + len(list(home.glob("*.script"))))
    (home / f"{{number}}.script").write_text(text)
    array = re.search(r"--array=0-(\\d+)", text)
    print(f"Submitted batch job {{number}}", flush=True)
    for job in [f"{{number}}_{{n}}" for n in range(int(array[1]) + 1)] if array else [number]:
        go(job)
elif name == "srun":
    opened = {{}}
    while words[0].startswith("--"):
        word = words.pop(0)
        if word in ("--output", "--error"):
            pattern = words.pop(0)
            ids = {{"%j": os.environ["SLURM_JOB_ID"], "%A": os.environ.get("SLURM_ARRAY_JOB_ID", ""), "%a": os.environ.get("SLURM_ARRAY_TASK_ID", ""), "%t": "0"}}
            for key, value in ids.items():
                pattern = pattern.replace(key, value)
            opened[word] = open(pattern, "a")
    done = subprocess.run(words, stdout=opened["--output"], stderr=opened["--error"])
    sys.exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)
elif name == "sacct":
    print("JobID|State|NodeList")
    for note in home.iterdir():
        if not note.suffix:
            print(f"{{note.name}}|{{note.read_text().strip()}}|here")
elif name == "scontrol":
    number = words[1]
    (home / f"{{number}}.requeue").touch()
"""


@pytest.fixture
def slurm(desk, tmp_path_factory, monkeypatch):
    (desk / "ptxfile.py").write_text(PTXFILE)
    bin_folder, home = tmp_path_factory.mktemp("bin"), tmp_path_factory.mktemp("jobs")
    for name in ("sbatch", "srun", "sacct", "scontrol"):
        (bin_folder / name).write_text(COMMAND)
        (bin_folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(home))
    return desk


def ptx(*words):
    done = subprocess.run([sys.executable, "-m", "ptx", *words], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def wait_until(condition, seconds=300.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert condition()


def records(desk, name="result.json"):
    return {path.parent.name: read_json(path) for path in (desk / "ptx-out" / "runs").glob(f"*/*/{name}")}


def ended(desk):
    states = [
        path.read_text().strip() for path in Path(os.environ["FAKE_SLURM"]).iterdir() if not path.suffix
    ]
    return bool(states) and all(state in ("COMPLETED", "FAILED") for state in states)


def test_runs_are_submitted_and_the_same_command_collects_them(slurm):
    command = [
        "train",
        "-m",
        *WORDS,
        "method.rate=0.1,0.2",
        "cluster=slurm",
        "cluster.minutes=7",
        "cluster.args={qos: high}",
    ]
    code, said = ptx(*command)
    assert code == 0, said
    assert "0 runs have ended, 3 are on the cluster" in said
    script = next(Path(os.environ["FAKE_SLURM"]).glob("*.script")).read_text()
    assert "--time=7" in script
    assert "--qos=high" in script
    wait_until(lambda: ended(slurm))
    code, said = ptx(*command)
    assert code == 0, said
    assert "steps: 2 asked for, 2 ran" in said
    assert [result["status"] for result in records(slurm).values()] == ["done"] * 3
    code, said = ptx(*command)
    assert "3 of 3 runs were done already and are kept" in said
    assert len((slurm / "trained").read_text().splitlines()) == 2
    assert len(list(Path(os.environ["FAKE_SLURM"]).glob("*.script"))) == 1
    code, local = ptx(*command[:-3])
    assert "3 of 3 runs were done already and are kept" in local


def test_a_job_under_way_is_left_alone_and_one_that_dies_is_recorded_and_sent_again(slurm):
    command = ["train", *WORDS, "method.args.seconds=60", "cluster=slurm", "baseline=false"]
    assert ptx(*command)[0] == 0
    wait_until((slurm / "trained").exists)
    code, said = ptx(*command)
    assert (code, "1 are on the cluster" in said) == (0, True)
    pid = int((slurm / "trained").read_text().split()[1])
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: ended(slurm))
    code, said = ptx(*command)
    assert code == 1
    assert "ended as FAILED without a result" in said
    assert [result["error"]["type"] for result in records(slurm).values()] == ["JobDied"]
    assert "failed" in ptx("runs", "ls")[1]
    (slurm / "hurry").touch()
    assert ptx(*command)[0] == 0
    wait_until(lambda: [result["status"] for result in records(slurm).values()] == ["done"])


def test_of_several_jobs_those_that_died_are_left_alone_until_asked_for(slurm):
    command = ["train", "-m", *WORDS, "method.args={crash: 1},{}", "cluster=slurm", "baseline=false"]
    sent = lambda: len(list(Path(os.environ["FAKE_SLURM"]).glob("*.script")))
    assert ptx(*command)[0] == 0
    wait_until(lambda: ended(slurm))
    code, said = ptx(*command)
    assert (code, "ended as FAILED without a result" in said) == (1, True)
    code, said = ptx(*command)
    assert (code, sent()) == (1, 1)
    assert "failed earlier" in said
    assert "--retry-failed tries again" in said
    code, said = ptx(*command, "--retry-failed")
    assert (code, sent()) == (0, 2), said
    assert "1 are on the cluster" in said
    wait_until(lambda: ended(slurm))


def test_a_preempted_job_is_queued_again_and_goes_on(slurm):
    assert ptx("train", *WORDS, "method.args.seconds=60", "cluster=slurm", "baseline=false")[0] == 0
    wait_until((slurm / "trained").exists)
    os.kill(int((slurm / "trained").read_text().split()[1]), signal.SIGUSR2)
    wait_until(lambda: len((slurm / "trained").read_text().splitlines()) == 2)
    assert not records(slurm)
    (slurm / "hurry").touch()
    wait_until(lambda: [result["status"] for result in records(slurm).values()] == ["done"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cluster=slurm"], "this machine has no sbatch, srun, sacct"),
        (["cluster=slurm", "workers=2"], "workers= and cluster= are both given"),
        (["cluster=ray", "cluster.gpus=1", "device=auto"], "device=auto means the CPU on this machine"),
        (["cluster=slurm", "launch.processes=2"], "choose one with launch=NAME"),
        (["cluster=slumr"], "did you mean 'slurm'?"),
        (["cluster.minutes=0", "cluster=slurm"], "cluster.minutes must be at least 1, got 0"),
    ],
)
def test_what_a_cluster_lacks_is_said_before_anything_is_sent(desk, words, said, capsys, monkeypatch):
    from ptx.cli import main
    from ptx.hooks.host import get_host

    (desk / "ptxfile.py").write_text(PTXFILE)
    get_host.cache_clear()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    try:
        assert main(["train", *WORDS, *words]) == 2
    finally:
        get_host.cache_clear()
    assert said in capsys.readouterr().err
    assert not (desk / "ptx-out").exists()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install 'ptx[ray]'")
def test_ray_takes_the_runs_and_a_task_that_dies_fails_its_run_only(desk):
    (desk / "ptxfile.py").write_text(PTXFILE)
    command = ["train", "-m", *WORDS, "method.args={crash: 1},{}", "cluster=ray"]
    code, said = ptx(*command)
    assert code == 1, said
    statuses = sorted(result["status"] for result in records(desk).values())
    assert statuses == ["done", "done", "failed"]
    assert "the Ray task died" in said
    machine = [
        part["ingredients"]
        for record in records(desk, "run.json").values()
        for part in record["evaluations"]
        if part["name"] == "steady"
    ]
    assert all(json.dumps(part["machine"]) for part in machine)
