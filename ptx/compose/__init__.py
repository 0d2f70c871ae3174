"""From the words of a command to typed, checked configurations.

overrides (Hydra's grammar) → jobs (composed by Hydra, one per run), with groups (the choices), fields,
presets and recipes. default_data and default_evaluators add what the user did not name; former_names answers
words of earlier versions.
"""
