"""Pages for people. Self-contained: no address outside, readable in light and dark."""
