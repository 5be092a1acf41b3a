"""From a file with `${NAME}`s to a registered task definition."""
