import logging

from ptx.lm.training.trl_warnings import report_trl_warnings


class Run:
    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def test_every_distinct_warning_of_trl_is_reported_once_and_not_printed(capsys):
    run, logger = Run(), logging.getLogger("trl.trainer.sft_trainer")
    with report_trl_warnings(run):
        for _ in range(2):
            logger.warning("[RANK 0] the padding side is %s", "left")
        logger.warning("another")
        logger.info("no warning")
    assert run.lines == ["TRL: the padding side is left", "TRL: another"]
    assert capsys.readouterr().err == ""


def test_the_warning_about_absent_rewards_is_left_out_because_ptx_counts_them():
    run = Run()
    with report_trl_warnings(run):
        logging.getLogger("trl").warning("All reward functions returned None for the following kwargs: 7")
    assert run.lines == []


def test_afterwards_trl_logs_as_before_also_after_an_error():
    logger = logging.getLogger("trl")
    before, handlers = logger.propagate, list(logger.handlers)
    context = report_trl_warnings(Run())
    context.__enter__()
    assert logger.propagate is False
    assert not context.__exit__(KeyError, KeyError(), None)
    assert (logger.propagate, logger.handlers) == (before, handlers)
