"""What serves a model: token-level runtimes, decoding, log-likelihoods, and how far a package is from its
model.
"""
