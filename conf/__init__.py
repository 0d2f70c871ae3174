"""The packaged configuration tree: one primary config per verb, and groups that only hold data."""
