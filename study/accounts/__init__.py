"""Who may come in: readers and staff, their secrets, cookies and rate limits."""
