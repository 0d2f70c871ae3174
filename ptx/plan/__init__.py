"""The plan of a command: every run, step and measurement with its key, checked before the first one starts.

planner makes the plan, replan makes that of one recorded run again. inputs and model_inputs resolve models
and data, feeds and preflight check them. work holds the steps and keys what decides their results. names and
serialize make what is written down.
"""
