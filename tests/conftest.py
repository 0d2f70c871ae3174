"""A plugin without any ML library ("toy"), with which the core is tested in milliseconds."""

from __future__ import annotations

import gc
import json
import os
import signal
import struct
import types
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pluggy
import pytest

import ptx.builtin
from ptx import (
    QAT,
    Choice,
    Compressor,
    Evaluation,
    Evaluator,
    Method,
    Metric,
    ModelRef,
    Runtime,
    Scorer,
    SettingError,
    StepError,
    hookimpl,
    setting,
)
from ptx.hooks import hookspecs
from ptx.hooks import host as hosts

pytest_plugins = ("tests.warm.fixture",)


def pytest_configure(config: pytest.Config) -> None:
    """Distribute tests over workers (``-n``) by work stealing, and let SIGINT interrupt the tests.

    Neighbouring tests share fixtures, so a worker begins with its own share and steals when that is done. A
    shell ignores SIGINT for background jobs, and children inherit that: the tests of Ctrl-C would never end.
    """
    if config.getoption("dist", "no") == "load":
        config.option.dist = "worksteal"
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put modules with many slow tests first, so that none of them is left for a single worker at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(autouse=True, scope="session")
def nothing_waits_for_the_disk() -> Iterator[None]:
    """Replace fsync, which takes a quarter of a toy run and matters only when the power fails.

    Tests of fsync itself patch it again.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(autouse=True, scope="module")
def imported_libraries_are_not_searched_for_garbage() -> None:
    """Exclude the objects of imported libraries from garbage collection.

    ptx collects between models, and half a million objects of torch, TRL and llm-compressor cost 0.3 s each
    time.
    """
    gc.collect()
    gc.freeze()


@dataclass
class ToyMethod(Method):
    needs = ("text",)
    rate: float = setting(0.1, "how fast")
    fail: bool = setting(False, "raise in the middle")
    quiet: int = setting(1, "log every so many steps", identity=False)
    args: dict[str, Any] = setting({}, "free")

    def __post_init__(self) -> None:
        if self.rate <= 0:
            what = f"method.rate must be positive, got {self.rate}"
            raise SettingError(f"{what}; try method.rate=0.1", "method.rate")


@dataclass
class OtherMethod(ToyMethod):
    pass


@dataclass
class Halve(Compressor):
    keep: float = setting(0.5, "share kept")


@dataclass
class Round(Compressor):
    needs = ()
    digits: int = setting(1, "digits kept")


@dataclass
class Plain(Runtime):
    pass


@dataclass
class Count(Evaluator):
    scale: float = setting(1.0, "factor")


@dataclass
class Quiz(Evaluator):
    tasks: list[str] = setting([], "task files")


@dataclass
class Same(Scorer):
    pass


class Opened:
    """The methods of a language model; the toys only look at its value."""

    def __init__(self, value: float) -> None:
        self.value = value

    def generate(self, *_: Any) -> Any:
        raise NotImplementedError

    loglikelihood = logits = time_request = generate

    def close(self) -> None:
        pass


@pytest.fixture
def opened() -> type[Opened]:
    return Opened


#: the least that the library reads as a tokenizer
TOKENIZER = '{"version": "1.0", "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}'


def write_model(folder: Path, value: float = 1.0) -> Path:
    """A folder that looks like a Hugging Face model to code that reads headers only."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(
        json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"]})
    )
    (folder / "tokenizer.json").write_text(TOKENIZER)
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "a"}))
    header = json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(
        struct.pack("<Q", len(header)) + header + struct.pack("<f", value)
    )
    return folder


def read_model(folder: Path) -> float:
    return struct.unpack("<f", (folder / "model.safetensors").read_bytes()[-4:])[0]


class ToyPlugin:
    """The hooks of a third-party plugin; ``calls`` is the transcript of the calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    @hookimpl
    def ptx_choices(self) -> list[Choice]:
        return [
            Choice("method", "toy", ToyMethod, "adds the rate"),
            Choice("method", "other", OtherMethod),
            Choice("compress", "halve", Halve),
            Choice("compress", "round", Round),
            Choice("runtime", "hf", Plain),
            Choice("eval", "bench", Quiz),
            Choice("eval", "latency", Count),
            Choice("scorer", "same", Same),
        ]

    @hookimpl
    def ptx_train(self, run: Any, method: Any, model: ModelRef, data: Any) -> ModelRef | None:
        if not isinstance(method, ToyMethod):
            return None
        self.calls.append(f"train {type(method).__name__} {method.rate}")
        assert data.rows("text")
        run.log({"loss": 1.0}, 1, 2)
        if method.args.get("interrupt"):
            signal.raise_signal(signal.SIGINT)
        if method.args.get("stray"):
            return ModelRef.of(model.path)
        if method.fail:
            raise StepError("told to fail")
        run.log({"loss": 0.5}, 2, 2)
        return ModelRef.of(write_model(run.folder / "model", read_model(model.path) + method.rate + run.seed))

    @hookimpl
    def ptx_compress(self, run: Any, compressor: Any, model: ModelRef) -> ModelRef | None:
        self.calls.append(f"compress {type(compressor).__name__}")
        keep = compressor.keep if isinstance(compressor, Halve) else 1.0
        return ModelRef.of(write_model(run.folder / "model", read_model(model.path) * keep))

    @hookimpl
    def ptx_load(self, runtime: Any, model: ModelRef) -> Opened | None:
        self.calls.append("load")
        return Opened(read_model(model.path)) if isinstance(runtime, Plain) else None

    @hookimpl
    def ptx_evaluate(self, evaluator: Any, lm: Opened) -> Evaluation | None:
        self.calls.append(f"evaluate {type(evaluator).__name__}")
        value = lm.value * getattr(evaluator, "scale", 1.0)
        metric = Metric("latency/value", value, "s", "lower", value - 0.1, value + 0.1, 3)
        return Evaluation(
            [metric], [{"item": str(i), "scores": {"latency/value": value}, "segments": {}} for i in range(3)]
        )


@pytest.fixture
def toy() -> ToyPlugin:
    return ToyPlugin()


@pytest.fixture
def toy_host(toy: ToyPlugin) -> hosts.Host:
    return make_host(toy=toy)


def make_host(**plugins: Any) -> hosts.Host:
    manager = pluggy.PluginManager("ptx")
    manager.add_hookspecs(hookspecs)
    host = hosts.Host(manager)
    for name, plugin in {"builtin": ptx.builtin, **plugins}.items():
        hosts._load(host, name, f"{name} in a test", "1", lambda plugin=plugin: plugin)
    return host


@pytest.fixture
def host_with() -> Callable[..., hosts.Host]:
    return make_host


@dataclass
class Coarse(QAT):
    digits: int = setting(1, "digits seen")


@pytest.fixture
def coarse() -> Callable[..., Any]:
    """``coarse("2")``: the second version of a plugin with a choice of ``qat=``."""

    def make(version: str = "1") -> Any:
        class Plugin:
            @hookimpl
            def ptx_choices(self) -> list[Choice]:
                return [Choice("qat", "coarse", Coarse, "few digits", version=version)]

        return Plugin()

    return make


@pytest.fixture
def qat_host(toy: ToyPlugin, coarse: Callable[..., Any]) -> hosts.Host:
    return make_host(toy=toy, coarse=coarse())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with a model folder and a text file in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PTX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PTX_DISABLE", "checks")  # toy models have no weights to read back
    write_model(tmp_path / "model")
    (tmp_path / "text.jsonl").write_text("".join(json.dumps({"text": f"line {i}"}) + "\n" for i in range(5)))
    return tmp_path


@pytest.fixture
def module_named() -> Callable[..., types.ModuleType]:
    def make(name: str, **members: Any) -> types.ModuleType:
        module = types.ModuleType(name)
        module.__dict__.update(members)
        return module

    return make
