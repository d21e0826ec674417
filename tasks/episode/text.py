"""The words of the turns of an episode; those of find, place and check are the tasks' own."""

from tasks.task import Text

TURNS = ("find", "place", "check", "fix", "recheck")
FIX = "What is wrong, and how do I put it right? Answer in one sentence."
RECHECK = "I have changed it. Is it right now? Just tell me Yes or No."

TEXT = Text(
    title="Episodes",
    asks="the next turn of a conversation about a step",
    bodies=dict.fromkeys(("paper", "readable"), "{wanted}"),
    directives=dict.fromkeys(("paper", "readable"), ""),
    tells_before=False,
    shared=("episode_id",),
    shared_name="episodes",
)


def so_far(instructions: list[str]) -> str:
    """What was done in the session before; empty at its first step.

    >>> so_far(["Put it on the table.", "Put it on top."])
    'Done so far: 1. Put it on the table. 2. Put it on top.'
    """
    told = " ".join(f"{number}. {text}" for number, text in enumerate(instructions, 1))
    return f"Done so far: {told}" if told else ""
