import json
import shutil

import pytest
from lm_eval.models.huggingface import HFLM

from ptx import ModelRef
from ptx.lm.progress import Pace
from ptx_bench import Bench
from ptx_bench.adapter import RuntimeLM, settings_of
from ptx_bench.evaluate import evaluate, harness_model
from ptx_hf import HF, ptx_load


def test_another_runtime_gets_the_same_scores_through_ptxs_interface(
    make_run, write_tasks, kinds, lm, values, bare
):
    config = Bench(tasks=[str(write_tasks(**kinds))])
    ours, theirs = (values(evaluate(make_run(), config, model)) for model in (bare(lm), lm))
    assert ours.keys() == theirs.keys()
    for key, metric in ours.items():
        assert metric.value == pytest.approx(theirs[key].value, rel=1e-5)


class Counting:
    """A runtime of one token per character, which knows no model."""

    max_length = 5

    class Letters:
        name_or_path, bos_token, bos_token_id, eos_token_id = "counting", "^", ord("^"), None

        def __call__(self, text, *, add_special_tokens):
            return {"input_ids": [ord(letter) for letter in ("^" if add_special_tokens else "") + text]}

    def __init__(self):
        self.asked, self.tokenizer = [], self.Letters()

    def loglikelihood_tokens(self, pairs):
        self.asked += [tuple("".join(map(chr, part)) for part in pair) for pair in pairs]
        return [(-float(len(continuation)), True) for _, continuation in pairs]

    def generate(self, prompts, max_new_tokens, *, stop, temperature):
        self.asked.append((tuple(prompts), max_new_tokens, tuple(stop), temperature))
        return [f"<{prompt}>" for prompt in prompts]


class Asked:
    """A request as lm-eval makes them."""

    def __init__(self, *args):
        self.args = args


def test_a_text_longer_than_the_context_is_read_in_lm_evals_overlapping_windows(make_run):
    model = RuntimeLM(Counting(), 1, Pace(make_run()))
    assert model.loglikelihood_rolling([Asked("abcdefghi"), Asked("xy")]) == [-10.0, -3.0]
    assert model.lm.asked == [("^", "^abcd"), ("d", "efghi"), ("^", "^xy")]


def test_long_texts_of_any_script_have_one_score_on_every_runtime_and_in_lm_eval(make_run, lm, bare):
    texts = [
        "Größe, naïve café: 東京タワーは高い。Привет! 😀 " * 40,
        "What is 12 + 7? It is 19. " * 60,
        "short",
    ]
    requests = [Asked(text) for text in texts]
    direct = HFLM(pretrained=lm.model, tokenizer=lm.tokenizer, batch_size=4).loglikelihood_rolling(requests)
    harness = harness_model(lm, 4, Pace(make_run())).loglikelihood_rolling(requests)
    served = RuntimeLM(bare(lm), 4, Pace(make_run())).loglikelihood_rolling(requests)
    assert harness == direct
    assert served == pytest.approx(direct, rel=1e-5)


def test_a_periodic_text_whose_windows_are_alike_has_the_same_score_alone_and_among_others(
    make_run, lm, bare
):
    texts = ["What is 12 + 7? The answer is 19. Is 12 larger than 21? No. " * 100]
    requests = [Asked(text[start:]) for text in texts for start in (0, 3, 5)]
    direct = HFLM(pretrained=lm.model, tokenizer=lm.tokenizer, batch_size=1).loglikelihood_rolling(requests)
    for batch_size in (1, 4, 64):
        together = harness_model(lm, batch_size, Pace(make_run())).loglikelihood_rolling(requests)
        assert together == pytest.approx(direct, rel=1e-6)
    served = RuntimeLM(bare(lm), 4, Pace(make_run())).loglikelihood_rolling(requests)
    assert served == pytest.approx(direct, rel=1e-6)


def test_prompts_longer_than_the_context_are_counted_per_item_and_task(
    make_run, write_tasks, kinds, lm, bare
):
    folder = write_tasks(choices=kinds["choices"], generated=kinds["generated"])
    docs = [json.loads(line) for line in (folder / "docs.jsonl").read_text().splitlines()]
    docs[0]["question"] = "Say it again. " * 300
    (folder / "docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    for model in (lm, bare(lm)):
        run = make_run()
        found = evaluate(run, Bench(tasks=[str(folder)]), model)
        shares = {one.name: one.value for one in found.metrics if one.name.endswith("/cut")}
        assert shares == {"bench/choices/cut": 1 / 6, "bench/generated/cut": 1 / 6}
        assert sorted("cut" in row for row in found.rows) == [False] * 10 + [True] * 2
        assert all(row["cut"] > 300 for row in found.rows if "cut" in row)
        said = f"1 of 6 prompts are longer than the model's context of {lm.max_length} tokens"
        assert any(said in line for line in run.console.lines)


def test_a_tokenizer_that_ends_every_text_changes_no_score_and_no_answer(
    make_run, write_tasks, kinds, chat_model, lm, values, tmp_path
):
    ending = tmp_path / "ending"
    shutil.copytree(chat_model, ending)
    tokenizer = json.loads((ending / "tokenizer.json").read_text())
    end = {"id": "<|end|>", "ids": [2], "tokens": ["<|end|>"]}
    single = [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<|end|>", "type_id": 0}}]
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [{"Sequence": {"id": name, "type_id": 0}} for name in "AB"],
        "special_tokens": {"<|end|>": end},
    }
    (ending / "tokenizer.json").write_text(json.dumps(tokenizer))
    other = ptx_load(HF(), ModelRef.of(ending), "cpu")
    assert other.tokenizer("a")["input_ids"][-1] == 2
    config = Bench(tasks=[str(write_tasks(**kinds))])
    plain, ended = (evaluate(make_run(), config, model) for model in (lm, other))
    assert [metric.value for metric in ended.metrics] == [metric.value for metric in plain.metrics]
    assert [row["output"] for row in ended.rows] == [row["output"] for row in plain.rows]


def test_penalties_of_the_models_folder_change_no_answer_on_any_runtime(
    make_run, write_tasks, kinds, chat_model, lm, bare, tmp_path
):
    strict = tmp_path / "strict"
    shutil.copytree(chat_model, strict)
    file = strict / "generation_config.json"
    file.write_text(
        json.dumps(json.loads(file.read_text()) | {"repetition_penalty": 50.0, "no_repeat_ngram_size": 1})
    )
    other = ptx_load(HF(), ModelRef.of(strict), "cpu")
    config = Bench(tasks=[str(write_tasks(generated=kinds["generated"]))])
    outputs = [
        [row["output"] for row in evaluate(make_run(), config, model).rows]
        for model in (lm, other, bare(other))
    ]
    assert outputs[0] == outputs[1] == outputs[2]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (256, [], 0.0)),
        ({"until": ".", "max_gen_toks": 3}, (3, ["."], 0.0)),
        ({"until": ["a", ""], "max_new_tokens": 4, "do_sample": False, "temperature": 0.7}, (4, ["a"], 0.0)),
        ({"do_sample": True, "temperature": 0.5}, (256, [], 0.5)),
    ],
)
def test_a_tasks_generation_settings_are_read_as_lm_eval_reads_them(given, expected):
    found = settings_of(given)
    assert (found["max_new_tokens"], found["stop"], found["temperature"]) == expected


def test_generations_of_equal_settings_go_together_and_come_back_in_order(make_run):
    model = RuntimeLM(Counting(), 1, Pace(make_run()))
    sampled = {"until": ["."], "do_sample": True, "temperature": 0.5, "max_gen_toks": 7}
    answers = model.generate_until([Asked("a", sampled), Asked("b", {"until": "!"}), Asked("c", sampled)])
    assert answers == ["<a>", "<b>", "<c>"]
    assert model.lm.asked == [(("a", "c"), 7, (".",), 0.5), (("b",), 256, ("!",), 0.0)]
