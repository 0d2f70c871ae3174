"""Training with TRL: checked arguments, rows as columns, the loop with checkpoints, the reference model."""
