"""What must hold: an answer with a number."""

from tasks.task import Check

CHECK = Check(lambda row, size_wh, imported: () if row["answer"][0].isdigit() else ["no number"])
