"""Code that evaluators share: questions, answers, rates with intervals, windows over texts, divergence."""
