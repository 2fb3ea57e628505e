"""Figures and the HTML report; no figure keeps state, so stages may draw in threads."""
