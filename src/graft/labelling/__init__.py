"""The page on which people label pictures, and what it writes down."""
