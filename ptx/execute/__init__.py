"""Running a plan.

Runs are executed one after another, in worker processes or on a cluster. The steps of a run are executed in
this process or in a process of their own.
"""
