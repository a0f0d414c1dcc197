"""The system card: tasks by section (sections/), their runs (run.py), the page from the logs (page.py)."""
