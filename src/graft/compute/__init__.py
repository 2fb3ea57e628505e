"""Rows of work: in blocks that memory holds, in processes that may die, taken over where known."""
