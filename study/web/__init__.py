"""The pages and endpoints of the study."""
