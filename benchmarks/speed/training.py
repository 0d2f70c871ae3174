"""Trainings: TRL's trainer with TRL's defaults beside the method of ptx, on the same rows."""

from setting import Watch, apart, prompt


def trl(setting, kind, rows, **settings):
    """TRL's trainer with TRL's defaults."""
    import trl
    from datasets import Dataset
    from transformers import AutoModelForCausalLM

    on_cpu = {"use_cpu": True, "bf16": False} if setting.device == "cpu" else {}
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
        model=model, args=config, train_dataset=Dataset.from_list(rows), processing_class=setting.tokenizer
    )


def trained_by_trl(setting, kind, rows, **settings):
    from transformers import Trainer

    steps = {"max_steps": setting.asked.steps, "per_device_train_batch_size": setting.asked.rows}
    trainer = trl(setting, kind, rows, **steps, **settings)
    with Watch(Trainer, "train", setting.device) as watch:
        trainer.train()
    return watch.seconds, [one["loss"] for one in trainer.state.log_history if "loss" in one]


def trained_by_ptx(setting, method, data):
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
    losses = [metrics["loss"] for metrics in logged if "loss" in metrics]
    return watch.seconds + before.seconds, losses


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


def with_turns(row):
    sides = {side: [{"role": "assistant", "content": row[side]}] for side in ("chosen", "rejected")}
    return {"prompt": [{"role": "user", "content": row["prompt"]}], **sides}
