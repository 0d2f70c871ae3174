"""A warm process is a process: its files, folder, environment, signals and end are those it was given."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("warm")
of_a_server = pytest.mark.skipif("PTX_COLD" in os.environ, reason="no process is warm")


def run(*words, **options):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, **options)


def test_arguments_folder_environment_and_output_are_those_of_who_asked(tmp_path):
    program = (
        "import os, sys; print(sys.argv, os.getcwd(), os.environ['ONE'], len(os.environ));"
        " print('beside', file=sys.stderr)"
    )
    done = run("-c", program, "word", cwd=tmp_path, env={"ONE": "1", "LC_CTYPE": "C.UTF-8"})
    assert done.stdout == f"['-c', 'word'] {tmp_path} 1 2\n"  # Python itself adds LC_CTYPE
    assert done.stderr == "beside\n"


def test_a_module_and_a_script_are_found_where_the_interpreter_finds_them(tmp_path):
    (tmp_path / "beside.py").write_text("WORD = 'beside'")
    (tmp_path / "script.py").write_text("import beside, sys; print(beside.WORD, sys.argv[1:], __name__)")
    assert run(str(tmp_path / "script.py"), "a").stdout == "beside ['a'] __main__\n"
    assert run("-m", "script", "b", cwd=tmp_path).stdout == "beside ['b'] __main__\n"
    there = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert run("-m", "script", cwd="/", env=there).stdout == "beside [] __main__\n"


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("pass", 0),
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('no')", 1),
        ("1 / 0", 1),
        ("import os; os.abort()", -signal.SIGABRT),
    ],
)
def test_it_ends_as_the_program_ends(program, code):
    assert run("-c", program).returncode == code


def test_input_and_further_files_reach_it():
    reading, writing = os.pipe()
    program = "import os, sys; os.write(int(sys.argv[1]), sys.stdin.read().encode())"
    assert run("-c", program, str(writing), input="told", pass_fds=[writing]).returncode == 0
    os.close(writing)
    assert os.fdopen(reading).read() == "told"


def started(program):
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def test_signals_reach_it_and_it_goes_with_who_asked():
    # not one long sleep: of a signal that comes just before it Python hears when it has ended
    wait = "import os, time; print(os.getpid(), flush=True); [time.sleep(0.1) for _ in range(600)]"
    process, _ = started(f"import signal, sys; signal.signal(15, lambda *_: sys.exit(7)); {wait}")
    process.terminate()
    assert process.wait(10) == 7
    process, _ = started(wait)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == -signal.SIGINT
    process, fork = started(wait)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{fork}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{fork}").exists()


def test_other_options_of_the_interpreter_start_the_interpreter_itself():
    assert run("-S", "-c", "import sys; print('site' in sys.modules, 'torch' in sys.modules)").stdout == (
        "False False\n"
    )


@of_a_server
def test_who_is_gone_before_it_has_said_what_it_wants_stops_nobody(warm_python):
    address = Path(warm_python).read_text().partition('ADDRESS, PYTHON = "')[2].partition('"')[0]
    for said in (b"", b"\0\0", (100).to_bytes(8, "big") + b"{"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(address)
            connection.sendall(said)
    assert run("-c", "print('here')").stdout == "here\n"


def said_of(file):
    """What pytest says of a file of tests that may use the fixture."""
    words = ["-p", "tests.warm.fixture", "-c", os.devnull, "--rootdir", file.parent, "-q", file]
    told = file.with_suffix(".txt")
    with told.open("w") as output:  # a pipe would be open for as long as a fork lives
        subprocess.run([sys.executable, "-m", "pytest", *words], cwd=Path(__file__).parents[2], stdout=output)
    return told.read_text()


@of_a_server
def test_the_process_that_compares_formulas_answers_and_ends_with_the_test(tmp_path):
    asking = tmp_path / "test_asking.py"
    asking.write_text(
        "from ptx.lm.evaluation.symbolic import equal_formulas\n"
        "def test_asks(warm):\n"
        "    assert equal_formulas('(x-1)(x+1)', 'x^2-1')\n"
    )
    told = said_of(asking)
    assert "1 passed" in told, told
    assert "left behind" not in told


@of_a_server
def test_nobody_waits_for_what_a_test_leaves_behind(tmp_path):
    leaving = tmp_path / "test_leaving.py"
    leaving.write_text(
        "import os, subprocess, sys, time\n"
        "def test_leaves(warm):\n"
        "    program = 'import time; print(1, flush=True); time.sleep(987)'\n"
        "    left = subprocess.Popen([sys.executable, '-c', program], stdout=subprocess.PIPE)\n"
        "    left.stdout.readline()\n"
        "    if not os.fork():\n"
        "        time.sleep(20)\n"
        "        os._exit(0)\n"
    )
    begun = time.monotonic()
    told = said_of(leaving)
    assert "1 passed" in told, told
    assert "left behind by a test, and killed: -c import time" in told
    assert time.monotonic() - begun < 20
