"""The one room that imports TensorFlow or JAX: what Keras does not do alike on both."""
