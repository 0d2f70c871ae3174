"""The seam between ptx and its plugins: the hooks (hookspecs), who answers them (host) and what a plugin is
handed (run).
"""
