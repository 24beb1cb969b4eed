"""Ratings from tables of text: long or wide, by any spreadsheet, or an export of this program."""
