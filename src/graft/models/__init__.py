"""Keras: backbones, heads, training. Importing this package loads TensorFlow, quietly."""

import os
import sys
import tempfile

# TensorFlow's C++ core writes its notes to file descriptor 2 while it is imported, whatever
# TF_CPP_MIN_LOG_LEVEL says. They are held back, and shown only if the import fails.
_stderr = os.dup(2)
with tempfile.TemporaryFile() as _notes:
    os.dup2(_notes.fileno(), 2)
    try:
        import keras  # noqa: F401
        import tensorflow  # noqa: F401
    except BaseException:
        _notes.seek(0)
        os.write(_stderr, _notes.read())
        raise
    finally:
        sys.stderr.flush()
        os.dup2(_stderr, 2)
        os.close(_stderr)
