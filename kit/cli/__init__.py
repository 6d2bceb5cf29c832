"""The command line and `kit.run`. Heavy: import its modules by name."""
