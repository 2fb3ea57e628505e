"""Parameters that stages share, checked by Pydantic before any work begins."""
