import numpy as np
import pytest

from ptx.lm.serving.decoding import LOOKBACK, Noise, Stops, log_softmax, prompt_seeds, reply_text

END = 0


class Letters:
    """Token n is the n-th letter; token 0 ends a reply."""

    def __init__(self):
        self.decoded = []

    def decode(self, ids, *, skip_special_tokens=False):
        self.decoded.append(len(ids))
        shown = [token for token in ids if token != END or not skip_special_tokens]
        return "".join("#" if token == END else chr(96 + token) for token in shown)


def ids(text):
    return [END if letter == "#" else ord(letter) - 96 for letter in text]


def test_the_argmax_of_the_noisy_scores_has_the_distribution_of_the_softmax():
    scores = np.log(np.array([[0.5, 0.3, 0.2]], np.float32))
    noise = Noise([1], temperature=0.5)
    drawn = np.array([noise.perturb(scores).argmax() for _ in range(4000)])
    sharpened = np.array([0.25, 0.09, 0.04]) / 0.38  # p ** (1 / temperature)
    assert np.bincount(drawn, minlength=3) / 4000 == pytest.approx(sharpened, abs=0.03)


def test_the_noise_of_a_prompt_does_not_depend_on_its_batch():
    together, alone = Noise([3, 4], 1.0), Noise([4], 1.0)
    for _ in range(2):
        assert (together.draw(5)[1] == alone.draw(5)[0]).all()


def test_prompts_have_different_seeds_and_the_same_place_the_same():
    assert len(set(prompt_seeds(0, range(9)))) == 9
    assert prompt_seeds(7, [2, 5]) == [prompt_seeds(7, range(9))[place] for place in (2, 5)]
    assert prompt_seeds(7, [2]) != prompt_seeds(8, [2])


def test_a_stop_string_is_found_at_the_end_and_only_the_end_is_decoded():
    tokenizer = Letters()
    stops = Stops(tokenizer, ["cd"])
    assert not stops.met(ids("abc"))
    assert stops.met(ids("abcd"))
    assert not stops.met(ids("cd" + "a" * 200))
    assert max(tokenizer.decoded) == 2 + LOOKBACK
    assert not Stops(tokenizer, []).met(ids("abcd"))


def test_tokens_are_cut_after_the_first_stop_string():
    assert Stops(Letters(), ["cd", "e"]).cut(ids("abcdde")) == ids("abcd")
    assert Stops(Letters(), ["x"]).cut(ids("abc")) == ids("abc")


@pytest.mark.parametrize(
    ("new", "stop", "reply"),
    [
        ("abc#de", [], "abc"),
        ("abc", [], "abc"),
        ("abcde", ["cd"], "ab"),
        ("abcde", ["e", "bc"], "a"),
        ("#", [], ""),
    ],
)
def test_a_reply_ends_at_its_end_token_or_before_a_stop_string(new, stop, reply):
    assert reply_text(Letters(), ids(new), [END], stop) == reply


def test_log_probabilities_are_exact_for_large_scores():
    found = log_softmax(np.array([[1000.0, 1000.0], [0.0, -1000.0]], np.float32))
    assert found.dtype == np.float64
    assert found[0] == pytest.approx([np.log(0.5)] * 2)
    assert found[1] == pytest.approx([0.0, -1000.0])
