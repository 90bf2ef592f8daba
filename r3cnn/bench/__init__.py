"""Speed, measured side by side: each row is a ratio of two things timed in turn in one run."""
