"""What each command does: a public function and what it answers, one module a command."""
