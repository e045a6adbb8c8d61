"""What the command `learnability` does before and beside a study."""
