"""Measures: speed, quality, and the judges that stand outside; everything ends in a record."""
