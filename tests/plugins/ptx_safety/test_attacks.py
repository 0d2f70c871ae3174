import pytest

from ptx_safety import ATTACKS
from ptx_safety.attacks import Attack, read_attacks


def test_templates_wrap_encode_and_split_the_request():
    assert Attack("a", "Now: {prompt}!").apply("do {prompt}") == "Now: do {prompt}!"
    assert Attack("a", "{prompt}", encode="base64").apply("hi") == "aGk="
    assert Attack("a", "{prompt}", encode="rot13").apply("hi") == "uv"
    assert Attack("a", "{first}|{second}").apply("one two three") == "one two |three"


def test_every_packaged_template_holds_the_request_and_its_source():
    attacks = read_attacks(ATTACKS)
    assert len(attacks) == 10
    assert all(attack.source and attack.apply("Do A now") != attack.apply("Do B now") for attack in attacks)
    assert [attack.name for attack in read_attacks(ATTACKS, ["prefill"])] == ["prefill"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- name: a\n  template: nothing\n", "template 1 needs a name, and a template with {prompt}"),
        ("- name: a\n  template: '{prompt}'\n  prefil: x\n", "did you mean 'prefill'"),
        (
            "- name: a\n  template: '{prompt}'\n  encode: rot14\n",
            "encode must be one of base64, rot13, leetspeak",
        ),
        ("- name: a\n  template: '{prompt}'\n" * 2, "two templates are called 'a'"),
        ("a: [", "a.yaml: it is not YAML: line 2"),
        ("a: b", "must hold a list of templates"),
    ],
)
def test_what_is_wrong_with_a_file_of_templates_is_said(tmp_path, text, said):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_attacks(tmp_path / "a.yaml")


def test_a_template_that_is_not_there_is_named_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'prefill'"):
        read_attacks(ATTACKS, ["prefil"])
