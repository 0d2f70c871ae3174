"""The command line as it is typed: help, no ML library, and one screen for every mistake."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from ptx.cli import VERBS, main
from ptx.hooks.host import get_host
from ptx.testing import HEAVY

ROOT = Path(__file__).parents[3]
INTERRUPTED = 130  # an exit code


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty working folder; the cache of generated data is shared by the tests of a session."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    get_host.cache_clear()  # its plugins are those of the folder
    yield folder
    get_host.cache_clear()


def ptx(*words):
    """A command in a process of its own."""
    return subprocess.run([sys.executable, "-m", "ptx", *words], capture_output=True, text=True, timeout=300)


def here(*words):
    """The same in this process, which an exception that nobody caught would end too."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as ended:
            code = ended.code
    if code == INTERRUPTED:  # by a signal for the tests themselves: their time is over, or Ctrl-C
        raise KeyboardInterrupt
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def refused(*words, run=here):
    """Run a command that must fail: exit code 2, no traceback, nothing written; returns its message."""
    before = {
        path: path.stat().st_mtime_ns for path in Path.cwd().rglob("*") if "__pycache__" not in path.parts
    }
    done = run(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 24
    after = {
        path: path.stat().st_mtime_ns for path in Path.cwd().rglob("*") if "__pycache__" not in path.parts
    }
    assert after == before
    return done.stderr


def loaded_after(*commands, names):
    """Which of the modules a fresh process has loaded after each of some commands, given in turn."""
    program = f"""
import sys
from ptx.cli import main
for words in {commands!r}:
    try:
        main(words)
    except SystemExit:
        pass
    print(words, [name for name in {names!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout
    return done.stderr.splitlines()


def test_no_ml_library_is_imported_for_help_plugins_and_the_composed_configuration(empty):
    commands = [["plugins"], ["train", "--cfg", "job"], *([verb, "--help"] for verb in VERBS)]
    assert loaded_after(*commands, names=HEAVY) == [f"{words} []" for words in commands]


def test_the_help_of_ptx_reads_no_yaml_template_or_configuration(empty):
    names = (*HEAVY, "omegaconf", "hydra", "yaml", "jinja2", "rich", "pandas")
    assert loaded_after(["--help"], names=names) == ["['--help'] []"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert f"  ptx {verb}" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_a_command_as_ctrl_c_does_and_are_the_callers_again_behind_it(
    monkeypatch, capsys, number
):
    def stopped(*_):
        signal.raise_signal(number)

    monkeypatch.setattr("ptx.cli._dispatch", stopped)
    theirs = []
    before = signal.signal(number, lambda *_: theirs.append("caught"))
    try:
        assert main(["--help"]) == INTERRUPTED
        assert theirs == []
        signal.raise_signal(number)
        assert theirs == ["caught"]
    finally:
        signal.signal(number, before)
    assert "the same command again continues" in capsys.readouterr().err


def test_the_composed_configuration_is_printed_and_nothing_is_run(empty, capsys):
    assert main(["train", "method=dpo", "model=tiny", "method.beta=0.3", "--cfg", "job"]) == 0
    shown = capsys.readouterr().out
    assert "beta: 0.3" in shown
    assert "choice: method=dpo" in shown
    assert not list(empty.iterdir())


def test_an_unknown_verb_is_answered_with_the_nearest(empty):
    assert "did you mean 'train'?" in refused("trian", run=ptx)


def test_an_unknown_method(empty):
    assert "no method 'dppo'; did you mean 'dpo' or 'ppo'?" in refused("train", "method=dppo", run=ptx)


def test_a_misspelt_field_and_a_wrong_type_are_both_named(empty):
    said = refused("train", "method=dpo", "method.bta=1", "method.learning_rate=fast")
    assert "method has no field 'bta'; did you mean 'beta'?" in said
    assert "method.learning_rate=fast" in said


def test_a_misspelt_trl_argument(empty):
    said = refused("train", "method=sft", "method.args.neftune_noise_alfa=5")
    assert "did you mean 'neftune_noise_alpha'?" in said


def test_a_missing_file(empty):
    assert "lost.jsonl" in refused("train", "method=sft", "data=./lost.jsonl")


def test_malformed_jsonl_is_named_by_file_and_line(empty):
    (empty / "bad.jsonl").write_text('{"text": "fine"}\n{"text": \n')
    said = refused("train", "method=sft", "data=./bad.jsonl")
    assert "bad.jsonl" in said
    assert "line 2" in said


def test_data_of_the_wrong_shape_says_what_it_fits_and_what_is_missing(empty):
    (empty / "chat.jsonl").write_text(
        json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})
        + "\n"
    )
    said = refused("train", "method=dpo", "data=./chat.jsonl")
    assert "method=dpo needs pairs" in said
    assert "method=sft" in said
    assert "chosen, rejected" in said


def tiny_copy(folder, model):
    shutil.copytree(model, folder)
    return folder


def test_a_model_folder_without_tokenizer(empty, tiny_model):
    folder = tiny_copy(empty / "bare", tiny_model)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    assert "tokenizer" in refused("train", "method=sft", "model=./bare", "data=tiny")


def test_a_model_without_chat_template_given_messages(empty, tiny_model):
    folder = tiny_copy(empty / "plain", tiny_model)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert "chat template" in refused("train", "method=sft", "model=./plain", "data=tiny", "eval=[]")


def test_pickle_only_weights(empty, tiny_model):
    folder = tiny_copy(empty / "pickled", tiny_model)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "pickle only" in refused("train", "method=sft", "model=./pickled", "data=tiny")


def test_truncated_weights(empty, tiny_model):
    folder = tiny_copy(empty / "cut", tiny_model)
    weights = folder / "model.safetensors"
    size = struct.unpack("<Q", weights.read_bytes()[:8])[0]
    weights.write_bytes(weights.read_bytes()[: size + 100])
    assert "model.safetensors" in refused("eval", "model=./cut", "eval=[latency]")


def test_a_broken_ptxfile_is_an_error_with_file_and_line_and_can_be_switched_off(empty, monkeypatch):
    (empty / "ptxfile.py").write_text("\nimport nowhere_to_be_found\n")
    said = refused("train", "method=sft", "--cfg", "job")
    assert f"runs {empty / 'ptxfile.py'}; PTX_DISABLE=ptxfile leaves it out" in said
    assert "ModuleNotFoundError: No module named 'nowhere_to_be_found' (ptxfile.py:2)" in said
    monkeypatch.setenv("PTX_DISABLE", "ptxfile")
    done = ptx("train", "method=sft", "--cfg", "job")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("mount"), reason="mounting a small tmpfs needs root"
)
def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(empty):
    small = empty / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)], capture_output=True
    ).returncode:
        pytest.skip("this system does not let root mount a tmpfs")
    try:
        said = refused("train", "method=sft", "out=./small/ptx-out")
        assert "MB free" in said
        assert "out=" in said
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_dry_run_prints_the_plan_and_writes_nothing(empty):
    done = ptx(
        "train", "method=sft,dpo", "-m", "compress=[],[gptq]", "--dry-run"
    )  # words stand before and after a flag
    assert done.returncode == 0, done.stderr
    assert "5 runs; 6 steps asked for, 4 distinct, 0 of them in the store already" in done.stdout
    assert not list(empty.iterdir())
