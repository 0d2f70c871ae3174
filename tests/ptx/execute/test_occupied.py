from ptx.execute.occupied import idle_share
from ptx.files import write_rows


def run(folder, *events):
    folder.mkdir()
    write_rows(folder / "events.jsonl", [{"time": time, "event": name} for time, name in events])
    return folder


def test_the_time_without_a_run_is_idle(tmp_path):
    one = run(tmp_path / "one", (100, "run_started"), (130, "step_started"), (150, "run_finished"))
    two = run(
        tmp_path / "two",
        (110, "run_started"),
        (140, "run_prepared"),
        (160, "run_started"),
        (170, "run_finished"),
    )
    assert idle_share([one, two], 2, 100, 200) == 1 - (50 + 40) / 200


def test_what_an_earlier_command_did_does_not_count(tmp_path):
    old = run(tmp_path / "old", (10, "run_started"), (90, "run_finished"))
    assert idle_share([old], 1, 100, 200) == 1.0


def test_a_run_that_is_interrupted_was_busy_to_the_end(tmp_path):
    assert idle_share([run(tmp_path / "cut", (150, "run_started"))], 1, 100, 200) == 0.5


def test_a_run_without_a_folder_takes_no_time(tmp_path):
    assert idle_share([tmp_path / "none"], 2, 100, 200) == 1.0
    assert idle_share([], 2, 100, 100) == 0.0
