"""An example of an admission policy: which images may run, and how many jobs of one owner."""
