from __future__ import annotations

import shutil

import numpy as np
import pytest

from ptx import ModelRef, StepError
from ptx.files import read_json
from ptx.lm.load import load_model
from ptx.lm.serving.exported import Limit, compare_and_describe
from ptx.lm.serving.fidelity import logits_of
from ptx.lm.serving.token_model import TokenModel
from ptx.models.package import write_package

LIMIT = Limit(1.2, "runtime.mode=dynamic")


class Opened(TokenModel):
    """A package whose scores are those of the model with ``noise`` added, the same at every call."""

    def __init__(self, model, noise, most=256):
        super().__init__(model, None, max_length=most, vocabulary=300, ends=2, batch_size=8)
        self.ask, self.noise, self.closed = logits_of(load_model(model)), noise, False

    def prefill(self, rows):
        found = np.stack([self.ask(row) for row in rows])
        generator = np.random.default_rng(0)
        return found + self.noise * generator.standard_normal(found.shape[1:]).astype(np.float32)

    def steps(self, rows, most, noise=None, *, endless=False):
        texts = [list(row) for row in rows]
        for _ in range(most):
            tokens = self.prefill(texts)[:, -1].argmax(axis=-1)
            for text, token in zip(texts, tokens.tolist(), strict=True):
                text.append(token)
            yield tokens

    def close(self):
        self.closed = True


@pytest.fixture
def described(make_run, plain_model, tmp_path):
    """``described(noise)``: the run, the opened package, and a function that compares and describes it."""

    def make(noise=0.0, kind="int8", limit=LIMIT):
        folder = tmp_path / "package"
        shutil.copytree(plain_model, folder, dirs_exist_ok=True)
        run, opened = make_run(), Opened(plain_model, noise)
        model, made = ModelRef.of(plain_model), ModelRef.of(folder)
        facts = {"mode": kind, "serve": "serve {folder}"}

        def go():
            return compare_and_describe(
                run, "onnx", model, made, lambda _: opened, kind=kind, limit=limit, facts=facts
            )

        return run, opened, go

    return make


def test_a_package_is_closed_and_described_with_its_fidelity(described, plain_model):
    run, opened, go = described(noise=0.05)
    package = go()
    assert opened.closed
    assert package.kind == "package"
    facts = read_json(package.path / "package.json")
    assert facts["mode"] == "int8"
    assert facts["parameters"] > 0
    assert [metric["name"] for metric in facts["fidelity"]] == ["kl", "flips"]
    logged = run.console.progressed[-1]
    assert 0 < logged["kl"] < 0.1
    assert logged["bytes_before"] == ModelRef.of(plain_model).bytes
    assert run.console.lines[-1].startswith("step: int8: ")
    assert "KL to the model" in run.console.lines[-1]


def test_a_package_that_is_not_the_model_is_refused_and_closed(described):
    _, opened, go = described(noise=3.0)
    with pytest.raises(
        StepError, match=r"the int8 package has .* allowed are 1\.2; try runtime\.mode=dynamic"
    ):
        go()
    assert opened.closed


NOISE = {"as asked": 3.0, "larger": 0.05, "largest": 0.0}


@pytest.fixture
def written(plain_model, tmp_path):
    """A folder as a script in another environment leaves it, with three ways."""
    folder = tmp_path / "package"
    for n, name in enumerate(NOISE):
        shutil.copytree(plain_model, folder / "ways" / str(n))
        (folder / "ways" / str(n) / "graph").write_text(name)
    write_package(folder, "onnx", "", {"writer": "elsewhere", "ways": list(NOISE)})
    return folder


def test_of_several_ways_the_first_that_passes_is_kept_and_all_that_were_tried_are_recorded(
    make_run, plain_model, written
):
    run, asked = make_run(), []

    def opened(folder):
        asked.append((folder / "graph").read_text())
        return Opened(plain_model, NOISE[asked[-1]])

    models = ModelRef.of(plain_model), ModelRef.of(written)
    package = compare_and_describe(run, "onnx", *models, opened, kind="int4", limit=LIMIT, facts={})
    assert asked == ["as asked", "larger", "larger"]  # the last time for the long text
    facts = read_json(package.path / "package.json")
    assert facts["way"] == "larger"
    assert [one["way"] for one in facts["tries"]] == ["as asked", "larger"]
    assert facts["tries"][0]["kl"] > 0.5 > facts["tries"][1]["kl"]
    assert facts["writer"] == "elsewhere"
    assert "ways" not in facts
    assert (package.path / "graph").read_text() == "larger"
    assert not (package.path / "ways").exists()
    assert any("taken: larger" in line for line in run.console.lines)


def test_if_no_way_passes_the_figures_of_all_are_in_the_message(make_run, plain_model, written):
    limit = Limit(1.0 + 1e-12, "more bits")
    models = ModelRef.of(plain_model), ModelRef.of(written)
    with pytest.raises(StepError, match=r"the int4 package \(largest\)(?s:.*)as asked: (?s:.*)larger: "):
        compare_and_describe(
            make_run(),
            "onnx",
            *models,
            lambda folder: Opened(plain_model, 0.01 + NOISE[(folder / "graph").read_text()]),
            kind="int4",
            limit=limit,
            facts={},
        )


def test_a_package_in_float32_must_be_the_model_exactly(described):
    _, _, go = described(noise=0.0, kind="fp32")
    assert go().kind == "package"
    _, _, go = described(noise=0.05, kind="fp32")
    with pytest.raises(StepError, match="the fp32 package is not the model"):
        go()
