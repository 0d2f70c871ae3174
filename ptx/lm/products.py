"""Products of float32 on processors of AMD: by oneDNN, in half the time.

PyTorch multiplies float32 matrices with Intel's MKL, which leaves AVX-512 unused on processors of others.
oneDNN, which PyTorch carries for bfloat16, uses it: 210 against 100 GFLOPS on one core of an EPYC, and not
slower for a single row. Scores differ in the last digits (1e-6 of the largest), as they do between the
processors that MKL knows. Only products without gradients go there; ``PTX_ONEDNN=0`` leaves all to MKL.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ptx import machine

if TYPE_CHECKING:
    from torch import Tensor

NAME = "PTX_ONEDNN"


def use_the_faster() -> None:
    """Let float32 layers be multiplied by oneDNN from now on, where MKL is slow on this processor.

    It replaces ``nn.Linear.forward``: libraries tell packed weights apart by ``functional.linear`` itself.
    """
    import torch

    if hasattr(torch.nn.Linear.forward, "plain") or not wanted():
        return
    plain, product = torch.nn.Linear.forward, torch.ops.mkldnn._linear_pointwise  # noqa: SLF001 (Inductor's)

    def forward(self: torch.nn.Linear, input: Tensor) -> Tensor:  # noqa: A002 (torch's name)
        weight = self.weight
        if (
            type(input) is torch.Tensor
            and type(weight) in (torch.Tensor, torch.nn.Parameter)
            and input.dtype == weight.dtype == torch.float32
            and input.device.type == weight.device.type == "cpu"
            and not torch.is_grad_enabled()
            and not torch.is_autocast_enabled("cpu")
            and not torch.jit.is_tracing()
            and input.numel()
        ):
            return product(input, weight, self.bias, "none", [], "")  # type: ignore[no-any-return]
        return plain(self, input)

    forward.plain = plain  # type: ignore[attr-defined]
    torch.nn.Linear.forward = forward  # type: ignore[method-assign]


def wanted() -> bool:
    """Whether oneDNN multiplies float32 faster here than MKL, and may."""
    import torch

    there = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    return os.environ.get(NAME) != "0" and there and machine.mkl_leaves_avx512_unused()
