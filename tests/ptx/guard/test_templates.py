"""Templates of strangers: like transformers' where they are good, and bounded where they are not."""

import resource
import time

import pytest
from jinja2 import Environment, StrictUndefined, TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ptx.guard.templates import BoundedSandbox, TemplateBoundError, bounded_like

MESSAGES = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]
GROW = "{% set n = namespace(s='ab') %}{% for i in range(60) %}GROWN{% endfor %}{{ n.s | length }}"
GOOD = (
    "{%- for m in messages %}{{ m.role ~ ': ' ~ m['content'] | trim }}"
    "{% if loop.last %}!{{ loop.length }}{% endif %}{% endfor %}"
    "{% macro f(x) %}[{{ x }}]{% endmacro %}{{ f(3) }}"
    "{{ messages | tojson }}{{ messages | selectattr('role', 'equalto', 'user') | list | length }}"
    "{% for k in [1, 2, 3] %}{% if k == 2 %}{% break %}{% endif %}{{ k }}{% endfor %}{{ '%05.1f' % 3 }}"
)


def rendered(text, kind=BoundedSandbox):
    return kind(extensions=[loopcontrols]).from_string(text).render(messages=MESSAGES)


def test_a_good_template_is_rendered_as_in_jinjas_own_sandbox():
    assert rendered(GOOD) == rendered(GOOD, ImmutableSandboxedEnvironment)


def test_transformers_renders_in_the_bounded_sandbox():
    from ptx.lm.load import quiet

    quiet()
    from transformers.utils.chat_template_utils import render_jinja_template

    with pytest.raises(TemplateBoundError):
        render_jinja_template([MESSAGES], chat_template="{{ 'a' * 10**10 }}")
    good = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"
    assert render_jinja_template([MESSAGES], chat_template=good)[0] == ["hiyo"]


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(10**9) %}x{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in 'x'*100000 %}{% for b in 'x'*100000 %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ 'a' * 10**10 }}",
        "{{ [1] * 10**10 }}",
        "{{ 'a'.ljust(10**10) }}",
        "{{ 'a' | center(10**10) }}",
        "{{ '%09999999999d' | format(1) }}",
        "{{ '%9999999999d' % 1 }}",
        "{{ '{:>9999999999}'.format(1) }}",
        "{{ 9**9**9 }}",
        GROW.replace("GROWN", "{% set n.s = n.s ~ n.s %}"),
        GROW.replace("GROWN", "{% set n.s = n.s + n.s %}"),
        GROW.replace("GROWN", "{% set n.s = [n.s, n.s] | join %}"),
        GROW.replace("GROWN", "{% set n.s = n.s | replace('a', 'aaaaaaaaaaaaaaaaaaaa') %}"),
        GROW.replace("GROWN", "{% set x %}{{ n.s }}{{ n.s }}{% endset %}{% set n.s = x %}"),
    ],
)
def test_a_template_that_loops_recurses_or_allocates_ends_soon(text):
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(TemplateBoundError):
        rendered(text)
    assert time.process_time() - began < 15
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KB


def test_a_rendering_has_a_time_limit(monkeypatch):
    monkeypatch.setattr("ptx.guard.templates.MOST_SECONDS", 0.0)
    with pytest.raises(TemplateBoundError, match="seconds"):
        rendered("{% for i in range(9999) %}{% endfor %}")


def test_every_rendering_begins_with_a_fresh_budget(monkeypatch):
    monkeypatch.setattr("ptx.guard.templates.MOST_STEPS", 100)
    template = BoundedSandbox().from_string("{% for i in range(60) %}{% endfor %}")
    for _ in range(3):
        assert template.render() == ""


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ lipsum.__globals__ }}",
        "{{ messages.append(1) }}",
        "{% include 'x' %}",
        "{% import 'os' as os %}",
    ],
)
def test_no_template_reaches_python_or_a_file(text):
    with pytest.raises((TemplateError, TypeError)):
        rendered(text)


def test_a_librarys_environment_keeps_its_settings_and_filters():
    theirs = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    theirs.filters["shout"] = str.upper
    ours = bounded_like(theirs)
    assert isinstance(ours, BoundedSandbox)
    assert ours.from_string("{{ 'a' | shout }}\n").render() == "A\n"
    with pytest.raises(TemplateError):
        ours.from_string("{{ nothing }}").render()
