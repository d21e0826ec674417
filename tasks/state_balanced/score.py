"""Scoring of Yes and No, where two of four are Yes: always-Yes has F1 66.67."""

from dataclasses import replace

from tasks.state.score import SCORE as STATE

SCORE = replace(
    STATE,
    about="balanced: mean of TPR and TNR, 50 is chance; always-Yes has F1 66.67. Picture, text and "
    "place alone are at chance by construction.",
)
