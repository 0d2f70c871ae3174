"""The pictures of a report, as SVG: the trade-off plots and the training curves."""
