"""One-shot compression with llm-compressor: calibration, layers, the integer grid, sparsity, resuming."""
