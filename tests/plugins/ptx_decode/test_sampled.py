import pytest

import ptx_decode
import ptx_hf
import ptx_scorers
from ptx import ModelRef, RunConfig, StepError
from ptx.lm.evaluation.answers import vote
from ptx_decode import BestOf, Majority
from ptx_decode.sampled import majority
from ptx_hf import HF, ptx_load
from ptx_latency import child
from ptx_scorers import Length


class Scripted:
    """A language model whose samples are known: the answers in turn, whatever is asked."""

    tokenizer, max_length, emulated = "words", 64, "not at all"

    def __init__(self, *answers):
        self.answers, self.calls, self.timed = answers, [], []

    def generate(self, prompts, max_new_tokens, *, stop=(), temperature=0.0, seed=0):
        self.calls.append(
            {"prompts": list(prompts), "temperature": temperature, "seed": seed, "stop": tuple(stop)}
        )
        return [self.answers[place % len(self.answers)] for place in range(len(prompts))]

    def loglikelihood(self, pairs):
        return [(-float(len(a)), False) for a, _ in pairs]

    def time_request(self, prompt_tokens, new_tokens, batch_size=1):
        self.timed.append((prompt_tokens, new_tokens, batch_size))
        return 0.5, 1.0


@pytest.fixture
def wrapped(make_run):
    def wrap(decode, lm, seed=0):
        run = make_run(
            RunConfig(runtime=HF(), decode=decode, scorer={"length": Length(words=2)}),
            [ptx_decode, ptx_hf, ptx_scorers],
            seed=seed,
        )
        return run.decoding(lm)

    return wrap


def test_the_vote_gives_the_first_reply_with_the_commonest_answer(wrapped):
    lm = Scripted("I think it is 7.", "The answer is 8.", "It must be 9.", "The answer is $8.00.", "12")
    assert wrapped(Majority(n=5), lm).generate(["a", "b"], 8) == ["The answer is 8.", "The answer is 8."]
    assert lm.calls[0]["prompts"] == ["a"] * 5 + ["b"] * 5


@pytest.mark.parametrize(
    ("ballots", "place"),
    [
        (["a"], 0),
        (["a", "b", "b"], 1),
        (["a", "b"], 0),
        ([None, "b", None], 1),
        ([None, None], 0),
        (["a", "b", "b", "a"], 0),
    ],
)
def test_a_tie_goes_to_the_answer_given_first_and_no_vote_is_no_vote(ballots, place):
    assert majority(ballots) == place


def test_a_pattern_says_what_votes(wrapped):
    lm = Scripted("x=1 so B", "x=2 so B", "x=2 so C")
    assert wrapped(Majority(n=3, pattern=r"x=(\d)"), lm).generate(["a"], 8) == ["x=2 so B"]
    assert wrapped(Majority(n=3, pattern=r"so (\w)"), lm).generate(["a"], 8) == ["x=1 so B"]


def test_best_of_n_gives_what_its_scorer_likes_best(wrapped):
    lm = Scripted("one two three four", "one two", "one two three")
    assert wrapped(BestOf(n=3, scorer="length"), lm).generate(["a"], 8) == ["one two"]


def test_best_of_n_without_any_score_says_so_instead_of_taking_the_first(make_run):
    config = RunConfig(
        runtime=HF(), decode=BestOf(n=2, scorer="exact"), scorer={"exact": ptx_scorers.Exact()}
    )
    run = make_run(config, [ptx_decode, ptx_hf, ptx_scorers])
    with pytest.raises(StepError, match="could score none of 2 replies"):
        run.decoding(Scripted("a")).generate(["q"], 8)


def test_samples_follow_the_seeds_of_the_run_and_of_the_call(wrapped):
    def seeds(run_seed, *call_seeds):
        lm = Scripted("a")
        model = wrapped(Majority(n=2), lm, seed=run_seed)
        for seed in call_seeds:
            model.generate(["q"], 8, seed=seed)
        return [call["seed"] for call in lm.calls]

    assert seeds(1, 0, 1) == seeds(1, 0, 1)
    assert len({*seeds(1, 0, 1), *seeds(2, 0, 1)}) == 4


def test_a_caller_s_temperature_and_stop_strings_reach_the_model(wrapped):
    lm = Scripted("a")
    model = wrapped(Majority(n=2, temperature=0.3), lm)
    model.generate(["q"], 8, stop=["\n"])
    model.generate(["q"], 8, temperature=1.5)
    assert [call["temperature"] for call in lm.calls] == [0.3, 1.5]
    assert lm.calls[0]["stop"] == ("\n",)


def test_a_request_of_latency_is_all_samples_of_one_answer_and_likelihood_stays_the_model_s(wrapped):
    lm = Scripted("a")
    model = wrapped(Majority(n=5), lm)
    assert model.time_request(16, 8, 2) == (0.5, 1.0)
    assert lm.timed == [(16, 8, 10)]
    assert model.loglikelihood([("abc", "d")]) == [(-3.0, False)]
    assert (model.tokenizer, model.max_length, model.emulated) == ("words", 64, "not at all")


def test_a_runtime_without_a_clock_of_its_own_is_timed_through_its_answers(wrapped):
    class Clockless(Scripted):
        time_request = property()  # not there

    assert not hasattr(wrapped(Majority(n=5), Clockless("a")), "time_request")


def test_the_process_that_measures_latency_wraps_the_artifact_and_not_the_baseline(monkeypatch):
    lm, spec = (
        Scripted("a"),
        {
            "decode": "majority",
            "decode_config": {"n": 3, "temperature": 0.7, "pattern": ""},
        },
    )
    child.decoding(spec, lm).time_request(4, 2)
    assert lm.timed == [(4, 2, 3)]
    assert child.decoding({"decode": None}, lm) is lm


def test_the_embedded_model_s_votes_repeat_exactly_and_are_those_of_its_own_samples(make_run):
    import ptx_tiny

    lm = ptx_load(HF(), ModelRef(ptx_tiny.MODEL_FOLDER), "cpu")
    chats = [[{"role": "user", "content": f"What is {n} + 4?"}] for n in (3, 11)]
    prompts = [
        lm.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats
    ]
    run = make_run(RunConfig(runtime=HF(), decode=Majority(n=5)), [ptx_decode, ptx_hf])
    first, again = (run.decoding(lm).generate(prompts, 16) for _ in range(2))
    samples = lm.generate([prompt for prompt in prompts for _ in range(5)], 16, temperature=0.7)
    groups = [[vote(reply) for reply in samples[start : start + 5]] for start in (0, 5)]
    assert first == again
    assert all(
        group.count(vote(reply)) == max(map(group.count, group))
        for reply, group in zip(first, groups, strict=True)
    )
