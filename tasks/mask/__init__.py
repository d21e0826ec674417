"""Instruction-guided masks: which pixels of a picture an instruction is about."""
