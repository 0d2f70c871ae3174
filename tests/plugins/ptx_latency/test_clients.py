import threading
import time

import pytest

from ptx_latency.clients import by_threads, turn_of

PAUSE = 0.05


class Busy:
    """A runtime with slow requests that counts the open ones; ``together`` wait for each other."""

    def __init__(self, concurrent, together=1):
        self.concurrent, self.now, self.most, self.lock = concurrent, 0, 0, threading.Lock()
        self.others = threading.Barrier(together, timeout=60)

    def time_request(self, *_):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.others.wait()
        time.sleep(PAUSE)
        with self.lock:
            self.now -= 1
        return 0.01, 0.01


LOAD = {"prompt_tokens": 4, "new_tokens": 4, "batch_size": 1, "concurrency": 4, "per_client": 3}


def test_clients_use_a_runtime_at_once_where_it_allows_that():
    lm = Busy(concurrent=True, together=4)
    served, _ = turn_of(lm, lm.time_request, LOAD)
    assert len(served) == 12
    assert lm.most == 4


def test_clients_queue_before_a_runtime_that_answers_one_at_a_time_and_waiting_is_part_of_a_request():
    lm = Busy(concurrent=False)
    served, seconds = turn_of(lm, lm.time_request, LOAD)
    assert lm.most == 1
    assert seconds >= 12 * PAUSE
    assert len(served) == 12
    assert sum(waited >= 2 * PAUSE for waited, _, _ in served) >= 8  # behind three others
    assert all(first == pytest.approx(waited + 0.01) for waited, first, _ in served)


def test_an_engine_that_batches_as_requests_come_is_asked_itself():
    class Engine:
        def time_clients(self, *asked):
            self.asked = asked
            return [(0.5, 1.0)] * 12

    lm = Engine()
    served, _ = turn_of(lm, None, LOAD)
    assert lm.asked == (4, 4, 4, 3)
    assert served == [(0.0, 0.5, 1.0)] * 12


def test_an_error_of_a_client_ends_the_turn():
    def ask():
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        by_threads(ask, 3, 2, at_once=1)
