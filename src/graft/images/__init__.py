"""Reading, checking, hashing and decoding pictures and labels."""
