"""Products of float32 on processors of AMD: by oneDNN, in half the time.

PyTorch multiplies float32 matrices with Intel's MKL, which leaves AVX-512 unused on processors of others.
oneDNN, which PyTorch carries for bfloat16, uses it: 210 against 100 GFLOPS on one core of an EPYC, and not
slower for a single row. Results differ in the last digits (1e-6 of the largest), as they do between the
processors that MKL knows. ``PTX_ONEDNN=0`` leaves all products to MKL.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ptx import machine

NAME = "PTX_ONEDNN"


def use_the_faster() -> None:
    """Let float32 layers be multiplied by oneDNN from now on, where MKL is slow on this processor.

    It replaces ``nn.Linear.forward``: libraries tell packed weights apart by ``functional.linear`` itself.
    """
    if hasattr(torch.nn.Linear.forward, "plain") or not wanted():
        return
    plain = torch.nn.Linear.forward

    def forward(self: torch.nn.Linear, input: Tensor) -> Tensor:  # noqa: A002 (torch's name)
        weight = self.weight
        if (
            type(input) is Tensor
            and type(weight) in (Tensor, torch.nn.Parameter)
            and input.dtype == weight.dtype == torch.float32
            and input.device.type == weight.device.type == "cpu"
            and input.numel()
            and not torch.is_autocast_enabled("cpu")
            and not torch.jit.is_tracing()
            and not torch.compiler.is_compiling()
        ):
            return (
                _Product.apply(input, weight, self.bias)
                if torch.is_grad_enabled()
                else product(input, weight, self.bias)
            )
        return plain(self, input)

    forward.plain = plain  # type: ignore[attr-defined]
    torch.nn.Linear.forward = forward  # type: ignore[method-assign]


def wanted() -> bool:
    """Whether oneDNN multiplies float32 faster here than MKL, and may."""
    there = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    return os.environ.get(NAME) != "0" and there and machine.mkl_leaves_avx512_unused()


def product(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``inputs`` (..., K) times ``weight`` (N, K), transposed: (..., N). It is the operator of Inductor."""
    operator: Any = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001
    made: Tensor = operator(inputs, weight, bias, "none", [], "")
    return made


class _Product(torch.autograd.Function):  # type: ignore[misc]
    """The product and both of its gradients."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return product(inputs, weight, bias)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        rows, given = gradient.reshape(-1, gradient.shape[-1]), inputs.reshape(-1, inputs.shape[-1])
        to_inputs, to_weight, to_bias = ctx.needs_input_grad
        return (
            product(gradient, weight.t().contiguous()) if to_inputs else None,
            product(rows.t().contiguous(), given.t().contiguous()) if to_weight else None,
            rows.sum(dim=0) if to_bias else None,
        )
