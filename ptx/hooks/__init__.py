"""The interface between ptx and its plugins.

The hooks (hookspecs), the plugin manager that calls them (host), and the run that plugins receive (run).
"""
