"""A catalogue entry and a scale make one complete mmdet config."""
