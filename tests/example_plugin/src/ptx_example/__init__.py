"""A third-party compressor that stores weights in fewer bytes; an example of a whole packaged plugin."""

from __future__ import annotations

from dataclasses import dataclass

import ptx


@dataclass
class Cast(ptx.Compressor):
    """Store the weights in another floating-point format."""

    needs = ()
    dtype: str = ptx.setting("bfloat16", "bfloat16 or float16")

    def __post_init__(self) -> None:
        if self.dtype not in ("bfloat16", "float16"):
            raise ValueError(
                f"compress.cast.dtype must be bfloat16 or float16, got {self.dtype}; try"
                " compress.cast.dtype=bfloat16"
            )

    def promise(self) -> ptx.Promise:
        """Return what ptx checks after the step: the dtype must be the one that was asked for."""
        return ptx.Promise(dtype=self.dtype)


@ptx.hookimpl
def ptx_choices() -> list[ptx.Choice]:
    """Offer ``compress=[cast]``."""
    return [
        ptx.Choice("compress", "cast", Cast, "store weights in 16 bits", libraries=("torch", "transformers"))
    ]


@ptx.hookimpl
def ptx_compress(run: ptx.Run, compressor: ptx.Compressor, model: ptx.ModelRef) -> ptx.ModelRef | None:
    """Load the model, cast its weights and save it; returns the folder."""
    if not isinstance(compressor, Cast):
        return None
    import torch

    from ptx.lm.load import load_model, load_tokenizer, save_model

    cast = load_model(model).to(getattr(torch, compressor.dtype))
    save_model(cast, load_tokenizer(model.path), run.folder / "model")
    return ptx.ModelRef.of(run.folder / "model")
