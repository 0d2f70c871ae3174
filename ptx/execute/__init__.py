"""Running a plan: its runs one by one, in worker processes or on a cluster; and the steps of one run, here or
in a process of their own.
"""
