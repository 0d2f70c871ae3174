"""The plan of a command: every run, step and measurement with its key, checked before the first of them
starts.

planner makes the plan; keys says what decides a result; preflight and model_inputs check; names and serialize
are what is written down.
"""
