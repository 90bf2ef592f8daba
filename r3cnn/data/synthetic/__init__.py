"""Images of drawn shapes with exact annotations."""
