"""What a study of many cases costs: time, memory and bytes of each step, and how they grow."""
