"""What the project says of its methods, measured again by one command, and the page about it."""
