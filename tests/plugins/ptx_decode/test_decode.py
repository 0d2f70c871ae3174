import json

import pytest

from ptx.testing import check_plugin
from ptx_decode import BestOf, Majority


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Majority(n=0), "decode.n must be at least 1"),
        (lambda: Majority(temperature=0), "all samples would be equal"),
        (lambda: Majority(pattern="("), "is no regular expression"),
        (lambda: Majority(pattern="answer"), "must have a group"),
        (BestOf, "must name the scorer"),
    ],
)
def test_wrong_settings_are_refused_with_what_to_type(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_the_decoding_is_in_the_key_of_every_evaluation_and_frozen_with_the_run(tmp_path, monkeypatch):
    from ptx.compose.jobs import compose_jobs
    from ptx.hooks.host import get_host
    from ptx.plan.planner import make_plan
    from ptx.plan.serialize import plain, thaw

    monkeypatch.chdir(tmp_path)
    host = get_host()
    jobs = compose_jobs(
        host, "eval", ["model=tiny", "eval=[latency]", "decode=majority", "decode.n=1,5"], multirun=True
    )
    plain_jobs = compose_jobs(host, "eval", ["model=tiny", "eval=[latency]"])
    keys = [
        run.evaluations[0].key
        for jobs_of in (jobs, plain_jobs)
        for run in make_plan(host, "eval", jobs_of, "ptx eval").runs
    ]
    assert len(set(keys)) == 3
    frozen = json.loads(json.dumps(plain(jobs[1].config, host)))
    assert thaw(frozen, host).decode == Majority(n=5)


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_decode")
