"""Figures, the report and other pages; no figure keeps state, so stages may draw in threads."""
