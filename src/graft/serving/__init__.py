"""The service: a web page and an interface that ask an exported champion. No TensorFlow in here."""
