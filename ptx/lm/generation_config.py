"""Make a model's configurations savable when it is loaded, not when the work is done.

transformers reads a generation config that it refuses to write: Llama 2's first chat models, and many after
them, name ``temperature`` and ``top_p`` without ``do_sample``. The training then runs to its end and nothing
is saved. Here the config is mended as those models were mended by their authors, and written once to nowhere.
"""

from __future__ import annotations

import re
import tempfile
from typing import TYPE_CHECKING, Any

from ptx.errors import StepError
from ptx.models.generation import SAMPLING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: how transformers names a setting that it will not save
NAMED = re.compile(r"^- `(\w+)`:", re.MULTILINE)


def make_savable(network: PreTrainedModel, name: str) -> None:
    """Mend the generation config of ``network``, and make sure that both configurations can be saved.

    Raises:
        StepError: they cannot, with the reason of transformers.
    """
    generation = getattr(network, "generation_config", None)  # a classifier has none
    if generation is not None:
        mend(generation)
    with tempfile.TemporaryDirectory() as nowhere:
        try:
            if generation is not None:
                generation.save_pretrained(nowhere)
            network.config.save_pretrained(nowhere)
        except (ValueError, TypeError, AttributeError) as error:
            raise StepError(
                f"a model made of {name} could not be saved: {' '.join(str(error).split())}; correct its"
                " generation_config.json or config.json"
            ) from error


def mend(config: Any) -> None:
    """Make a ``GenerationConfig`` valid in place.

    Settings of sampling mean that the model samples. Any other setting that transformers calls invalid has
    no effect, and takes its default.
    """
    if names := invalid(config):
        if config.do_sample is not True and not names.isdisjoint(SAMPLING):
            config.do_sample = True
        blank = type(config)()
        for name in invalid(config):
            setattr(config, name, getattr(blank, name, None))


def invalid(config: Any) -> set[str]:
    """The settings for which transformers refuses to save the config."""
    try:
        config.validate(strict=True)
    except ValueError as error:
        return set(NAMED.findall(str(error)))
    return set()
