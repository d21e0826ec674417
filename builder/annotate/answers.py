"""What models are asked and what they answered: a store of files.

Every answer is a file of its own, named by a hash of the picture, the question, the model and the
code that asks it. What reads answers is not in that name: reading them better costs no GPU.
"""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

from builder.annotate import ANNOTATORS, FILE, FROM_FILE, READERS
from builder.annotate.models import Answer, ModelOptions, Question, check_place
from core import code, store
from core.cli import require
from core.part_names import part_labels
from core.records import Instruction, Manual, load


def module_of(name: str) -> ModuleType:
    """The module of an annotator."""
    return import_module(FROM_FILE if name.startswith(FILE) else ANNOTATORS[name])


def reader_of(name: str) -> ModuleType:
    """The module that reads what an annotator's model answered: its own, or one apart."""
    return import_module(READERS.get(name, ANNOTATORS[name]))


def needs_model(name: str) -> bool:
    """Whether an annotator is asked in batches; the others work by picture in the workers."""
    # Rows of an imported data set were annotated elsewhere: nobody is asked.
    return name in ANNOTATORS and hasattr(module_of(name), "open_model")


def with_models(annotator: str) -> list[str]:
    """Those of an `--annotator` value that are asked in batches."""
    return [name for name in annotator.split(",") if needs_model(name)]


def check_models(annotator: str, options: ModelOptions) -> None:
    """Raise `UserError` for models that can't be run here, or are not where they should lie."""
    for name, place in options.places:
        check_place(name, place)
    for name in with_models(annotator):
        identity_of(name, options)
        more = getattr(module_of(name), "NEEDS", ())
        require("annotate", f"--annotator {name}", "torch", "transformers", *more)


def rows_to_annotate(manual: Manual) -> Iterator[Instruction]:
    """The eop rows that have a picture."""
    for instruction in manual.instructions:
        if instruction.VLM.task_label == "object" and instruction.VLM.img_path:
            yield instruction


def question_of(instruction: Instruction) -> Question:
    """What a row asks of an annotator."""
    return Question(
        instruction.img_sha256 or "", tuple(instruction.text), tuple(part_labels(instruction))
    )


def identity_of(name: str, options: ModelOptions) -> str:
    """All that a model's answers depend on besides the question: what it says of itself, and the
    code that asks it. Versions of libraries are left out, for answers are also read where there is
    no torch.
    """
    asking = module_of(name)
    return f"{asking.identity(options)} {code.of(asking.__name__, with_libraries=False)[:16]}"


def key_of(identity: str, question: Question) -> str:
    """The name of an answer in the store."""
    return store.sha256(json.dumps([identity, question]).encode())


def answer_file(work: Path, name: str, key: str) -> Path:
    """Where an answer is kept."""
    return work / store.ANSWERS / name / key[:2] / f"{key}.json"


def files_of(work: Path, manual_id: str, annotator: str, options: ModelOptions) -> list[str]:
    """What models answered to a manual's questions: names of files below `work`."""
    names = with_models(annotator)
    if not names:
        return []
    manual = load(work / store.PARSE / manual_id / "manual.json", Manual)
    questions = [question_of(row) for row in rows_to_annotate(manual)]
    return [
        answer_file(work, name, key_of(identity_of(name, options), question))
        .relative_to(work)
        .as_posix()
        for name in names
        for question in questions
        if question.labels
    ]


def stored_answer(work: Path, name: str, options: ModelOptions, question: Question) -> Answer:
    """The answer of a model to a question that was asked; raises `UserError` if it was not."""
    key = key_of(identity_of(name, options), question)
    return load(answer_file(work, name, key), Answer)
