"""What is measured, each one command; figures in RESULTS.md."""
