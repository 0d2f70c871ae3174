import pytest

import ptx_hf
import ptx_safety
from ptx import RunConfig
from ptx_hf import HF
from ptx_safety import RefusalOpening, RefusalPhrases, Safety, TargetOpening
from ptx_safety.evaluate import Case, judge
from ptx_safety.prompts import Prompt


@pytest.fixture
def run(make_run):
    scorers = {
        "refusal_phrases": RefusalPhrases(),
        "refusal_opening": RefusalOpening(),
        "target_opening": TargetOpening(),
    }
    return make_run(RunConfig(runtime=HF(), scorer=scorers), [ptx_hf, ptx_safety])


@pytest.fixture
def verdicts():
    """``verdicts([reply, ...])``: judged rows of a harmful and a harmless request per reply."""

    def make(replies, config=None):
        """Rows of one harmful and one harmless request per reply, by the phrases and a mute judge."""
        config = config or Safety(detectors=["refusal_phrases", "mute"])
        cases = [
            Case(Prompt(f"ask {n}", harmful=harmful), reply=reply)
            for n, reply in enumerate(replies)
            for harmful in (True, False)
        ]

        def ask(name, prompts, replies, references):
            return (
                [float("nan")] * len(replies)
                if name == "mute"
                else [float("cannot" in reply) for reply in replies]
            )

        return judge(cases, config, ask, lambda name: "refusal")

    return make
