import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from ptx.guard.children import start_child


class Late(subprocess.Popen):
    """A process whose parent is interrupted after the child's start, before its own code goes on."""

    number = signal.SIGINT
    pids: list[int] = []

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.pids.append(self.pid)
        os.kill(os.getpid(), self.number)
        time.sleep(0.01)  # Python handles the signal here


def sleeper(kind=subprocess.Popen):
    return kind([sys.executable, "-c", "import time; time.sleep(60)"])


def test_a_child_is_killed_if_its_start_is_interrupted():
    with pytest.raises(KeyboardInterrupt):
        start_child(lambda: sleeper(Late))
    with pytest.raises(ProcessLookupError):
        os.kill(Late.pids[-1], 0)


def test_the_handler_of_a_signal_is_back_and_has_been_called(monkeypatch):
    def end(number, frame):
        raise SystemExit(number)

    monkeypatch.setattr(Late, "number", signal.SIGTERM)
    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(SystemExit):
            start_child(lambda: sleeper(Late))
        assert signal.getsignal(signal.SIGTERM) is end
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)
    with pytest.raises(ProcessLookupError):
        os.kill(Late.pids[-1], 0)


def test_a_child_can_be_interrupted_by_itself():
    child = start_child(sleeper)
    child.send_signal(signal.SIGINT)
    assert child.wait(30) != 0


def test_a_program_that_is_not_there_is_an_error_and_the_handlers_are_back():
    with pytest.raises(FileNotFoundError):
        start_child(lambda: subprocess.Popen(["no-such-program"]))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_starts_from_any_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(start_child(sleeper)))
    thread.start()
    thread.join()
    found[0].kill()
    assert found[0].wait() == -signal.SIGKILL
