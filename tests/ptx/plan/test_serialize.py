"""Configurations as plain data, and back."""

import json

import pytest

from ptx import ConfigError
from ptx.plan.serialize import plain, thaw


def test_a_configuration_survives_the_record(toy_host, config_of):
    config = config_of("compress=[halve,round]", "compress.halve.keep=0.25", "seed=3", "method.args={a: [1]}")
    assert thaw(json.loads(json.dumps(plain(config, toy_host))), toy_host) == config


def test_a_recipe_survives_the_record(toy_host, config_of, desk):
    (desk / "conf" / "recipe").mkdir(parents=True)
    (desk / "conf" / "recipe" / "two.yaml").write_text(
        "steps:\n  tune: {method: toy, rate: 0.3}\n  prune: {compress: halve}\n"
    )
    config = config_of("method=null", "recipe=two")
    assert thaw(json.loads(json.dumps(plain(config, toy_host))), toy_host).chain() == config.chain()


def test_a_choice_is_named_before_its_fields(toy_host, config_of):
    frozen = plain(config_of("method.rate=0.5"), toy_host)
    assert next(iter(frozen["method"])) == "choice"
    assert (frozen["method"]["choice"], frozen["method"]["rate"]) == ("method=toy", 0.5)


def test_a_choice_of_a_missing_plugin_is_named(toy_host, config_of):
    frozen = plain(config_of(), toy_host) | {"method": {"choice": "method=theirs", "rate": 1}}
    with pytest.raises(ConfigError, match="uses method=theirs, which no loaded plugin contributes; install"):
        thaw(frozen, toy_host)


def test_fields_of_another_version_are_left_out(toy_host, config_of):
    config = config_of()
    assert thaw(plain(config, toy_host) | {"gone": 1}, toy_host) == config
