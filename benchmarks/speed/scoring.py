"""Scoring: the reference of DPO beside TRL's own pass, and texts beside lm-eval's rolling likelihood."""

import contextlib
import json
import uuid

from setting import Watch, apart
from training import trl, with_turns


def reference(setting):
    from trl import DPOTrainer

    pairs = setting.pairs(setting.asked.pairs)
    method = setting.method("dpo", 1e-6)
    method.max_steps = setting.asked.pairs  # all are drawn, so all are scored; no step is trained
    data = setting.data("pairs", pairs)

    def other():
        with fresh_cache(setting.scratch), Watch(DPOTrainer, "_precompute_ref_logps", setting.device) as w:
            rows = [with_turns(row) for row in pairs]
            trainer = trl(setting, "DPO", rows, {}, precompute_ref_log_probs=True)
        rows = trainer.train_dataset
        return w.seconds, sorted([*rows["ref_chosen_logps"], *rows["ref_rejected_logps"]])

    def ours():
        from ptx.lm.training import reference

        run = setting.run(method)
        with (
            Watch(reference, "_build", setting.device) as watch,
            contextlib.suppress(Stop),
            stopped_after(reference),
        ):
            setting.host.first("ptx_train", run=run, method=method, model=setting.model, data=data)
        (file,) = run.folder.glob("products/*/values.json")
        return watch.seconds, sorted(json.loads(file.read_text()))

    return other, ours, apart("log-probabilities")


def perplexity(setting):
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    from ptx.lm.evaluation.texts import Text
    from ptx.lm.tokens import first_token
    from ptx_perplexity.evaluate import scored

    texts = [f"{row['question']}\n{row['answer']}" for row in setting.rows[: setting.asked.texts]]
    run = setting.run(setting.method("sft", 1e-5))
    lm = run.load(setting.model)
    size = lm.max_length
    direct = HFLM(
        pretrained=lm.model, tokenizer=setting.tokenizer, batch_size=lm.batches.rows, max_length=size
    )
    asked = [Instance("loglikelihood_rolling", {}, (text,), n) for n, text in enumerate(texts)]
    parts = [Text(str(n), text, {}) for n, text in enumerate(texts)]
    prefix = first_token(setting.tokenizer)

    def timed(call):
        watch = Watch(None, "", setting.device)
        started = watch.now()
        values = call()
        return watch.now() - started, values

    return (
        lambda: timed(lambda: direct.loglikelihood_rolling(asked, disable_tqdm=True)),
        lambda: timed(lambda: [-row["nats"] for row in scored(run, lm, parts, prefix, windows_of=(size, 1))]),
        apart("log-likelihoods"),
    )


class Stop(BaseException):
    """Ends a training before its first step."""


@contextlib.contextmanager
def stopped_after(module):
    usual = module.stored

    def stored(*args, **options):
        usual(*args, **options)
        raise Stop

    module.stored = stored
    try:
        yield
    finally:
        module.stored = usual


@contextlib.contextmanager
def fresh_cache(folder):
    """TRL's cache of the reference is another file each time, so it computes what it is timed for."""
    from datasets import Dataset

    usual = Dataset._get_cache_file_path  # noqa: SLF001 (TRL asks it)
    Dataset._get_cache_file_path = lambda *_: str(folder / f"{uuid.uuid4().hex}.arrow")  # noqa: SLF001
    try:
        yield
    finally:
        Dataset._get_cache_file_path = usual  # noqa: SLF001
