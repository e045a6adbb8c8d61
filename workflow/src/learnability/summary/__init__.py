"""The summary: one light page that holds a whole study, without scripts and without anything to fetch."""
