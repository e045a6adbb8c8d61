"""What a study will cost before it runs, and where the hours of a run went."""
