"""Trainings: TRL's trainer with TRL's defaults beside the method of ptx, on the same rows."""

from setting import Watch, apart, prompt

GENERATED = 8  # answers to a prompt


def trl(setting, kind, rows, extra, **settings):
    """TRL's trainer with TRL's defaults; ``extra`` are further arguments of its class."""
    import trl
    from datasets import Dataset
    from transformers import AutoModelForCausalLM

    from ptx.lm.training.method import gains_by_bfloat16

    # TRL's default on a CPU is bfloat16; where that is slower it gets float32
    on_cpu = {"use_cpu": True, "bf16": gains_by_bfloat16(setting.shape)} if setting.device == "cpu" else {}
    config = getattr(trl, f"{kind}Config")(
        output_dir=str(setting.scratch / "trl"),
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        logging_steps=1,
        seed=0,
        **on_cpu,
        **settings,
    )
    model = AutoModelForCausalLM.from_pretrained(setting.folder, dtype="float32")
    return getattr(trl, f"{kind}Trainer")(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=setting.tokenizer,
        **extra,
    )


def trained_by_trl(setting, kind, rows, extra=(), shown="loss", **settings):
    from transformers import Trainer

    steps = {"max_steps": setting.asked.steps, "per_device_train_batch_size": setting.asked.rows}
    trainer = trl(setting, kind, rows, dict(extra), **steps, **settings)
    with Watch(Trainer, "train", setting.device) as watch:
        trainer.train()
    return watch.seconds, [one[shown] for one in trainer.state.log_history if shown in one]


def trained_by_ptx(setting, method, data, shown="loss"):
    from transformers import Trainer

    from ptx.files import read_rows as events_of
    from ptx.lm.training import reference

    run = setting.run(method)
    with (
        Watch(Trainer, "train", setting.device) as watch,
        Watch(reference, "_build", setting.device) as before,
    ):
        setting.host.first("ptx_train", run=run, method=method, model=setting.model, data=data)
    logged = [event["metrics"] for event in events_of(run.events) if event["event"] == "log"]
    found = [metrics[shown] for metrics in logged if shown in metrics]
    return watch.seconds + before.seconds, found


def sft(setting):
    rows = setting.rows[: setting.asked.rows * setting.asked.steps]
    method = setting.method("sft", 2e-5)
    data = setting.data("answers", [{"prompt": row["question"], "completion": row["answer"]} for row in rows])
    turns_of = [
        {"prompt": prompt(row), "completion": [{"role": "assistant", "content": row["answer"]}]}
        for row in rows
    ]
    return (
        lambda: trained_by_trl(setting, "SFT", turns_of, learning_rate=2e-5, warmup_steps=0.03),
        lambda: trained_by_ptx(setting, method, data),
        apart("losses"),
    )


def dpo(setting):
    pairs = setting.pairs(setting.asked.rows * setting.asked.steps)
    method, data = setting.method("dpo", 1e-6), setting.data("dpo", pairs)
    turns_of = [with_turns(row) for row in pairs]
    return (
        lambda: trained_by_trl(setting, "DPO", turns_of, learning_rate=1e-6, warmup_steps=0.03),
        lambda: trained_by_ptx(setting, method, data),
        apart("losses"),
    )


def kto(setting):
    pairs = setting.pairs(setting.asked.rows * setting.asked.steps // 2)
    rows = [
        {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen"}
        for row in pairs
        for side in ("chosen", "rejected")
    ]
    method, data = setting.method("kto", 1e-6), setting.data("kto", rows)
    turns_of = [
        {
            "prompt": prompt({"question": row["prompt"]}),
            "completion": [{"role": "assistant", "content": row["completion"]}],
            "label": row["label"],
        }
        for row in rows
    ]
    return (
        lambda: trained_by_trl(setting, "KTO", turns_of, learning_rate=1e-6, warmup_steps=0.03),
        lambda: trained_by_ptx(setting, method, data),
        apart("losses"),
    )


def grpo(setting):
    """Groups of GENERATED answers of at most ``--tokens`` tokens, paid for being short."""
    sampled = {"num_generations": GENERATED, "max_completion_length": setting.asked.tokens}
    rows = setting.rows[: setting.asked.rows * setting.asked.steps // GENERATED]
    method = setting.method("grpo", 1e-6, rewards=["length"], **sampled)
    data = setting.data("prompts", [{"prompt": row["question"], "answer": row["answer"]} for row in rows])
    return (
        lambda: trained_by_trl(
            setting,
            "GRPO",
            [{"prompt": prompt(row)} for row in rows],
            {"reward_funcs": [short(setting.asked.words)]},
            "completions/mean_length",
            learning_rate=1e-6,
            warmup_steps=0.03,
            **sampled,
        ),
        lambda: trained_by_ptx(setting, method, data, "completions/mean_length"),
        lengths,
    )


def short(words):
    """A reward for TRL that pays what scorer=length does: 0 up to so many words, then falling to -1."""

    def paid(completions, **_):
        counts = [len(turns[-1]["content"].split()) for turns in completions]
        return [-min(1.0, max(0.0, (count - words) / words)) for count in counts]

    return paid


def lengths(theirs, mine):
    both = [f"{sum(found) / len(found):.1f}" for found in (theirs, mine)]
    return f"answers of {both[0]} and {both[1]} tokens"


def with_turns(row):
    sides = {side: [{"role": "assistant", "content": row[side]}] for side in ("chosen", "rejected")}
    return {"prompt": [{"role": "user", "content": row["prompt"]}], **sides}
