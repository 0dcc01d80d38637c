"""A job store and a supervisor, for engines without unique names, labels or memory of their own."""
