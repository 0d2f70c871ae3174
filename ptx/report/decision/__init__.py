"""The decision of a report: who leads, what a gate says, and the one sentence above everything."""
