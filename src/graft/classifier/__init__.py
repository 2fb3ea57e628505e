"""The champion in use: loaded, checked, asked; from a picture file to an answer."""
