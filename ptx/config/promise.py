"""What a compressor promises of its result; the plugin ``ptx_checks`` measures it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """The properties that the result of a compressor must have when it is read back from disk.

    The plugin ``ptx_checks`` measures them, and fails the step where a promise is broken. A property that is
    not promised is measured and reported only. *Layers* are the linear layers without the output embedding;
    shares are shares of their weights.
    """

    sparsity: float | None = None  # share of zeros in the layers that ``skip`` leaves
    pattern: str = ""  # n:m: at least n zeros in every m neighbours of a row
    bits: float | None = None  # stored bits per weight, without scales
    skip: tuple[str, ...] = ()  # regular expressions of layers that must not change by a bit
    every_layer: bool = False  # all layers but those of ``skip`` must change
    nothing_else: bool = False  # embeddings, norms and the output layer must not change by a bit
    same_function: bool = False  # it computes what its input computes, but for rounding
    keeps_zeros: bool = True  # weights that an earlier step pruned stay zero
    dtype: str = ""  # of the weights that are not quantised; empty: as in the input
    max_bytes: int | None = None  # of all files of the result
    size: float | None = (
        None  # bytes of the result as a share of the input's (an adapter counts with its base)
    )
