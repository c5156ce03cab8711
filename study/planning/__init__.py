"""What a study will take: time, machines, memory."""
