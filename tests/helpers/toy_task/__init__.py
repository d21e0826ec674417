"""A task from outside: how many pieces does a row of a manual ask one to find?"""
