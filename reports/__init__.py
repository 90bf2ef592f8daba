"""What a person reads: tables, figures and a page made of result files alone."""
