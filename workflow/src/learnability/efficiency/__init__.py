"""Speed and memory of classifiers (Table 3)."""
