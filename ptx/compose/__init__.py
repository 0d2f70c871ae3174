"""From the words of a command to typed, checked configurations.

overrides (Hydra's grammar) → jobs (composed by Hydra, one per run) with groups (the choices), fields, presets
and recipes; and what is filled in where nothing was asked for: default_data, default_evaluators.
"""
