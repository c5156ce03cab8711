"""What the scores say: each module is one kind of question, `catalogue` lists all statistics."""
