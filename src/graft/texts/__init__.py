"""Texts as word indices: reading, padding, showing. Knows nothing of Kedro or Keras."""
