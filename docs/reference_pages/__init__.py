"""The pages of docs/reference, made from the code; ``docs/make_reference.py`` writes them."""
