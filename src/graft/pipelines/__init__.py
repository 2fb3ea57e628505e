"""One package a stage: ``pipeline.py`` wires, ``nodes.py`` computes, ``parameters.py`` checks."""
