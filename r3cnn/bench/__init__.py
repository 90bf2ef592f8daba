"""Speed as ratios: each row times two implementations in turn in one run."""
