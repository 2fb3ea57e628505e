"""Where pictures and labels come from; each layout becomes the same table and the same ``read``."""
