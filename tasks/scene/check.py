"""What must hold for scene rows: nothing besides what holds for all."""

from tasks.task import Check

CHECK = Check()
