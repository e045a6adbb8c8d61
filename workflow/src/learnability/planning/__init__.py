"""What a study will cost, before it is paid for, and where the hours of a run went."""
