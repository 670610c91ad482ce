"""The report and its words."""
