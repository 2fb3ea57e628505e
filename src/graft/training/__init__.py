"""Training of networks: the loop, the order of rows, losses, optimizers, callbacks, resuming."""
