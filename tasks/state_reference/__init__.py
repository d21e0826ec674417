"""States beside the manual's picture: is an attempt, the second picture, what the first shows?"""
