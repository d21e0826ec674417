"""Recipes for tuning models on a build: SFT and GRPO with TRL, SFT with LLaMA-Factory."""
