"""The page's data: one JSON value that the page's script draws, and that a live page can draw again."""
