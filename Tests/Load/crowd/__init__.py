"""The clients of the soak: those that are owed every byte, and those that are owed nothing."""
