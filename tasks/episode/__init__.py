"""Episodes: a step as a conversation, find, place, check, put right, check again."""
