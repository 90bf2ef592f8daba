"""Figure 2 and the charts."""
