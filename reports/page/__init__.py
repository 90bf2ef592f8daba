"""The report page and its images."""
