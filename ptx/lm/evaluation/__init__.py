"""What evaluators share: asking a model, reading its answers, rates with intervals, texts in windows, KL
divergence.
"""
