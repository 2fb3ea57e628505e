"""Keras: backbones, blocks, heads, networks and how they are used."""
