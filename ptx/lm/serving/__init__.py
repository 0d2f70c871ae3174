"""Serving models: token-level runtimes, decoding, log-likelihoods, the fidelity of exported packages."""
