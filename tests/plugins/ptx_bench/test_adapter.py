import pytest

from ptx.lm.progress import Pace
from ptx_bench import Bench
from ptx_bench.adapter import RuntimeLM
from ptx_bench.evaluate import evaluate


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
        name_or_path = "counting"

        def __new__(cls, text, add_special_tokens):
            return {"input_ids": [ord(letter) for letter in text]}

        @staticmethod
        def decode(ids):
            return "".join(map(chr, ids))

    def __init__(self):
        self.asked, self.tokenizer = [], self.Letters

    def loglikelihood(self, pairs):
        self.asked += pairs
        return [(-float(len(continuation)), True) for _, continuation in pairs]

    def generate(self, prompts, max_new_tokens, *, stop, temperature):
        self.asked.append((tuple(prompts), max_new_tokens, tuple(stop), temperature))
        return [f"<{prompt}>" for prompt in prompts]


class Asked:
    """A request as lm-eval makes them."""

    def __init__(self, *args):
        self.args = args


def test_a_text_longer_than_the_window_is_scored_in_pieces(make_run):
    model = RuntimeLM(Counting(), 1, Pace(make_run()))
    assert model.loglikelihood_rolling([Asked("abcdefghi"), Asked("xy")]) == [-9.0, -2.0]
    assert model.lm.asked == [("", "abcd"), ("", "efgh"), ("", "i"), ("", "xy")]


def test_generations_of_equal_settings_go_together_and_come_back_in_order(make_run):
    model = RuntimeLM(Counting(), 1, Pace(make_run()))
    sampled = {"until": ["."], "do_sample": True, "temperature": 0.5, "max_gen_toks": 7}
    answers = model.generate_until([Asked("a", sampled), Asked("b", {"until": "!"}), Asked("c", sampled)])
    assert answers == ["<a>", "<b>", "<c>"]
    assert model.lm.asked == [(("a", "c"), 7, (".",), 0.5), (("b",), 256, ("!",), 0.0)]
