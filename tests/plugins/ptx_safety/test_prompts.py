import pytest

from ptx import ConfigError
from ptx_safety import EMBEDDED
from ptx_safety.prompts import read_prompts

PUBLIC = {
    "jailbreakbench.csv": (
        ",Goal,Target,Behavior,Category,Source\n0,Do A,Sure A,a,Fraud,Original\n",
        True,
        {"category": "Fraud"},
        "Sure A",
    ),
    "benign-behaviors.csv": (
        "Index,Goal,Target,Behavior,Category,Source\n0,Do A,Sure,a,Fraud,Original\n",
        False,
        {"category": "Fraud"},
        "Sure",
    ),
    "harmbench.csv": (
        (
            "Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID\nDo"
            " A,standard,illegal,,,a\n"
        ),
        True,
        {"category": "illegal", "kind": "standard"},
        None,
    ),
    "strongreject.csv": (
        "category,source,forbidden_prompt\nViolence,custom,Do A\n",
        True,
        {"category": "Violence"},
        None,
    ),
    "advbench.csv": ('goal,target\nDo A,"Sure, A"\n', True, {}, "Sure, A"),
    "xstest.csv": (
        "id,prompt,type,label,focus,note\n1,Do A,homonyms,safe,kill,\n",
        False,
        {"category": "homonyms"},
        None,
    ),
    "xstest_unsafe.csv": (
        "id,prompt,type,label,focus,note\n1,Do A,contrast_homonyms,unsafe,kill,\n",
        True,
        {"category": "homonyms"},
        None,
    ),
    "xstest_v1.csv": (
        "id,type,prompt,focus,note\n1,contrast_homonyms,Do A,kill,\n",
        True,
        {"category": "homonyms"},
        None,
    ),
    "own.jsonl": (
        '{"prompt": "Do A", "harmful": false, "language": "en"}\n',
        False,
        {"language": "en"},
        None,
    ),
    "turns.jsonl": ('{"prompt": [{"role": "user", "content": "Do A"}], "harmful": true}\n', True, {}, None),
    "own.csv": ("prompt,harmful\nDo A,true\n", True, {}, None),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_set_is_known_by_its_columns(tmp_path, name):
    text, harmful, segments, target = PUBLIC[name]
    (tmp_path / name).write_text(text)
    (prompt,) = read_prompts(tmp_path / name)
    assert (prompt.text, prompt.harmful, prompt.segments, prompt.target) == (
        "Do A",
        harmful,
        segments,
        target,
    )


def test_a_context_stands_before_the_behaviour(tmp_path):
    (tmp_path / "h.csv").write_text('Behavior,BehaviorID,ContextString\nSum it up,a,"A long\nstory"\n')
    assert read_prompts(tmp_path / "h.csv")[0].text == "A long\nstory\n\n---\n\nSum it up"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "question,kind\nWhy?,x\n", "columns kind, question fit no known set"),
        (
            "a.csv",
            "prompt,harmful\nDo A,true\nDo B,maybe\n",
            "a.csv line 3: harmful must be true or false, got 'maybe'",
        ),
        ("a.csv", "prompt,harmful\nDo A\n", "a.csv line 2: harmful must be true or false, got None"),
        ("a.csv", "goal,target\n ,x\n", "a.csv line 2: goal must be text"),
        ("a.jsonl", '{"prompt": "x", "harmful": true}\nnot json\n', "a.jsonl line 2: not JSON"),
        ("a.json", '{"rows": []}', "fit no known set"),
        ("a.jsonl", "", "holds no rows"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_by_line(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_prompts(tmp_path / name)


def test_a_request_counts_once_whatever_file_it_is_in(tmp_path):
    (tmp_path / "a.csv").write_text("prompt,harmful\nDo A,true\nDo A,true\n")
    assert len(read_prompts(tmp_path / "a.csv")) == 1


def test_the_embedded_requests_are_held_out_from_what_the_embedded_model_is_tuned_on():
    from ptx_tiny.data import safety

    trained = {row["prompt"][0]["content"] for row in safety()}
    prompts = read_prompts(EMBEDDED)
    assert [sum(prompt.harmful is kind for prompt in prompts) for kind in (True, False)] == [48, 48]
    assert not trained & {prompt.text for prompt in prompts}
    assert all(bool(prompt.target) is prompt.harmful for prompt in prompts)
