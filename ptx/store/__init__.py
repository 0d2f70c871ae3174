"""The store of finished steps and evaluations, found by the content that decides them; shared by processes
and machines.
"""
