"""Training with TRL: its arguments checked, rows in its columns, the loop with checkpoints, the reference's
log-probabilities.
"""
