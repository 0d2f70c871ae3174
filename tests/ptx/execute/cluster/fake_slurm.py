"""Stands for sbatch, srun, sacct and scontrol: it does what the name under which it is called would do.

Jobs are processes of this machine. The folder $FAKE_SLURM holds for each job its script and a file with its
state. The tests copy this file under each name, with a first line that names the interpreter.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ["FAKE_SLURM"])
ONE_TASK = {
    "SLURM_NTASKS": "1",
    "SLURM_JOB_NUM_NODES": "1",
    "SLURM_NODEID": "0",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
}
#: runs the job's script; afterwards queues the job again if that was asked for, else writes its state
SCRIPT = """
{script}
code=$?
test -e {state}.requeue && exec {sbatch} --again {job}
test $code = 0 && echo COMPLETED > {state} || echo FAILED > {state}
"""


def start(job: str) -> None:
    number, _, task = job.partition("_")
    state = FOLDER / job
    state.write_text("RUNNING")
    names = ONE_TASK | {"SLURM_JOB_ID": f"9{number}{task}" if task else job}
    if task:
        names |= {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": task}
    script = SCRIPT.format(
        script=(FOLDER / f"{number}.script").read_text(), state=state, sbatch=sys.argv[0], job=job
    )
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.Popen(["bash", "-c", script], env={**os.environ, **names}, start_new_session=True, **quiet)


def sbatch(words: list[str]) -> None:
    if words[0] == "--again":
        (FOLDER / f"{words[1]}.requeue").unlink()
        start(words[1])
        return
    text = Path(words[0]).read_text()
    number = str(100 + len(list(FOLDER.glob("*.script"))))
    (FOLDER / f"{number}.script").write_text(text)
    array = re.search(r"--array=0-(\d+)", text)
    print(f"Submitted batch job {number}", flush=True)
    for job in [f"{number}_{task}" for task in range(int(array[1]) + 1)] if array else [number]:
        start(job)


def srun(words: list[str]) -> None:
    environ = os.environ
    places = {"%j": environ["SLURM_JOB_ID"], "%t": "0"}
    places |= {"%A": environ.get("SLURM_ARRAY_JOB_ID", ""), "%a": environ.get("SLURM_ARRAY_TASK_ID", "")}
    files = {}
    while words[0].startswith("--"):
        option = words.pop(0)
        if option in ("--output", "--error"):
            path = words.pop(0)
            for place, value in places.items():
                path = path.replace(place, value)
            files[option] = path
    with Path(files["--output"]).open("a") as output, Path(files["--error"]).open("a") as error:
        done = subprocess.run(words, stdout=output, stderr=error)
    sys.exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)


def sacct(_words: list[str]) -> None:
    print("JobID|State|NodeList")
    for state in FOLDER.iterdir():
        if not state.suffix:
            print(f"{state.name}|{state.read_text().strip()}|here")


def scontrol(words: list[str]) -> None:
    (FOLDER / f"{words[1]}.requeue").touch()


if __name__ == "__main__":
    {"sbatch": sbatch, "srun": srun, "sacct": sacct, "scontrol": scontrol}[Path(sys.argv[0]).name](
        sys.argv[1:]
    )
