"""The store of finished steps and evaluations, shared by processes and machines.

A result is found by a key that is made of everything that decides it.
"""
