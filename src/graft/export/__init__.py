"""The champion in formats that run without Keras, each proved to give what the champion gives."""
