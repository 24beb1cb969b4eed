"""Tables 3, 4, 6 and 7 of the reader-study paper, for the methods of the project."""
