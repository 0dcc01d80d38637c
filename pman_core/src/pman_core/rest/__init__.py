"""HTTP in, hook calls out."""
