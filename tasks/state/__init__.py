"""State detection: was the step done right?"""
