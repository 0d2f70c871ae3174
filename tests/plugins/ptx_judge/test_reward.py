import math

import pytest
import torch

from ptx import StepError
from ptx_judge import Reward
from ptx_judge.reward import encode


@pytest.fixture(scope="module")
def reward_model(tmp_path_factory, chat_model):
    """A one-label classifier with random weights over the chat model's tokens."""
    import shutil

    from transformers import AutoConfig, LlamaForSequenceClassification

    folder = tmp_path_factory.mktemp("reward")
    for path in chat_model.glob("*token*"):
        shutil.copy(path, folder)
    for path in chat_model.glob("*.jinja"):
        shutil.copy(path, folder)
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(chat_model, num_labels=1)
    LlamaForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_a_reward_model_s_scores_do_not_depend_on_their_batch(judging, reward_model):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    run = judging()
    answers = ["yes", "no, by no means", "x" * 300, "perhaps"]
    found = run.score(Reward(model=str(reward_model), batch_size=3), ["Why?"] * 4, answers, [None] * 4)
    assert (found[2].status, math.isnan(found[2])) == ("failed", True)
    model = AutoModelForSequenceClassification.from_pretrained(reward_model, dtype="float32").eval()
    tokenizer = AutoTokenizer.from_pretrained(reward_model)
    for index in (0, 1, 3):
        ids = torch.tensor([encode(tokenizer, "Why?", answers[index])])
        assert found[index] == pytest.approx(model(input_ids=ids).logits.item(), abs=1e-5)


def test_a_model_that_gives_no_reward_is_refused(judging, chat_model, reward_model, tmp_path):
    import shutil

    with pytest.raises(StepError, match="reward model"):
        judging().score(Reward(model=str(tmp_path)), ["q"], ["a"], [None])
    from transformers import AutoConfig, LlamaForSequenceClassification

    two = tmp_path / "two"
    shutil.copytree(reward_model, two)
    LlamaForSequenceClassification(AutoConfig.from_pretrained(chat_model, num_labels=2)).save_pretrained(two)
    with pytest.raises(StepError, match="has 2 labels, a reward model has one"):
        judging(name="other").score(Reward(model=str(two)), ["q"], ["a"], [None])


def test_a_conversation_is_scored_with_its_turns_and_not_as_one_turn(judging, reward_model):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    asked = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "Why?"}]
    scorer = Reward(model=str(reward_model))
    (found,) = judging().score(scorer, [asked], ["so"], [None])
    model = AutoModelForSequenceClassification.from_pretrained(reward_model, dtype="float32").eval()
    tokenizer = AutoTokenizer.from_pretrained(reward_model)
    turns = [*asked, {"role": "assistant", "content": "so"}]
    ids = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)["input_ids"]
    assert found == pytest.approx(model(input_ids=ids).logits.item(), abs=1e-5)
    (flat,) = judging(name="flat").score(scorer, ["system: be kind\n\nuser: Why?"], ["so"], [None])
    assert abs(flat - found) > 1e-3
