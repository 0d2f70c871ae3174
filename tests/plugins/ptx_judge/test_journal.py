import fcntl
import os
import threading

from ptx_judge.journal import Journal, path_of


def test_replies_are_kept_by_key_for_the_next_process(tmp_path):
    path = tmp_path / "journals" / "judge.jsonl"
    with Journal(path) as journal:
        assert journal.replies == {}
        journal.add("k1", reply="[[A]]", tokens=7, attempts=2, sweep="s")
        journal.add("k2", reply="[[B]]", sweep="other")
    with Journal(path) as again:
        assert {key: row["reply"] for key, row in again.replies.items()} == {"k1": "[[A]]", "k2": "[[B]]"}
        assert again.spent("s") == (2, 7)
        assert again.spent("other") == (1, 0)
        assert again.spent("none") == (0, 0)


def test_a_half_written_last_line_is_cut_off_before_the_next_reply(tmp_path):
    path = tmp_path / "judge.jsonl"
    with Journal(path) as journal:
        journal.add("k1", reply="[[A]]")
    with path.open("a") as file:
        file.write('{"event": "reply", "key": "k2", "rep')
    with Journal(path) as journal:
        journal.add("k3", reply="[[C]]")
    with Journal(path) as journal:
        assert list(journal.replies) == ["k1", "k3"]


def test_a_journal_waits_while_another_process_holds_its_lock(tmp_path):
    path, said = tmp_path / "judge.jsonl", threading.Event()
    held = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)

    def let_go():
        said.wait(60)
        os.close(held)

    helper = threading.Thread(target=let_go)
    helper.start()
    with Journal(path, said.set) as journal:
        journal.add("k", reply="x")
    helper.join()
    assert said.is_set()


def test_each_judge_has_a_journal_below_the_cache(tmp_path):
    assert path_of("endpoint-12") == tmp_path / "cache" / "judge" / "journals" / "endpoint-12.jsonl"
