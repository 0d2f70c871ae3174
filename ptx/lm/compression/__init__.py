"""One-shot compression with llm-compressor: calibration, target layers, the integer grid, sparsity patterns,
resuming by layer.
"""
