"""The lmms-eval task files in the real lmms-eval, and the VLMEvalKit TSV."""

import base64
import csv
import io
import json
import sys

import pyarrow.parquet as pq
import pytest
import yaml
from benchmark_build import write_build
from outside import ROOT
from PIL import Image

from core.answers import parse_boxes
from core.items import load_items
from evaluation import vlmeval
from tasks import TASKS

TASK_FILES = ROOT / "evaluation/lmms_tasks"
CONFIGS = ("scene", "object", "state")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Named as the task files name it."""
    return write_build(tmp_path_factory.mktemp("b") / "lego-arta", manuals=4, test_manuals=2)


def test_every_metric_of_a_task_file_has_its_function():
    """Also where lmms-eval is not installed."""
    from evaluation.lmms_tasks import utils

    loader = type("Loader", (yaml.SafeLoader,), {})
    loader.add_constructor("!function", lambda made, node: made.construct_scalar(node))
    for config in TASKS:
        task = yaml.load((TASK_FILES / f"lego_arta_{config}.yaml").read_text(), loader)
        assert task["dataset_name"] == config
        names = [each["metric"] for each in task["metric_list"]]
        assert names == list(TASKS[config].score.harness)
        up = {each.name: each.up for each in TASKS[config].score.metrics}
        for each in task["metric_list"]:
            assert each["higher_is_better"] == up[each["metric"]]
            module, _, function = each["aggregation"].partition(".")
            assert module == "utils" and callable(getattr(utils, function))
        assert callable(getattr(utils, task["process_results"].removeprefix("utils.")))
    with pytest.raises(AttributeError):
        _ = utils.object_nothing


def test_the_frame_is_that_of_all_answers(build):
    """Thousandths of a part in the corner are no percents."""
    from evaluation.lmms_tasks import utils

    docs, told = [], []
    for path in sorted((build / "data/object").glob("test-*.parquet")):
        docs += pq.read_table(path).to_pylist()
    for doc in docs:
        boxes = [{"bbox_2d": [10 * v for v in box.box], "label": box.label}
                 for box in parse_boxes(doc["answer"]).boxes]  # fmt: skip
        told.append(utils.object_results(doc, [json.dumps(boxes)])["iou"])
    json.dumps(told)  # lmms-eval logs them
    assert utils.object_iou(told) == pytest.approx(100.0)


@pytest.mark.filterwarnings("ignore")  # lmms-eval's and its parts' own
def test_the_real_lmms_eval_loads_and_scores_them(build, monkeypatch, tmp_path):
    """Its TaskManager, its ConfigurableTask on a local build: perfect answers score 100."""
    pytest.importorskip("lmms_eval", reason="lmms-eval is not installed (pip install --no-deps)")
    # Installed but broken is a failure: skipping would hide that CI no longer checks it.
    from lmms_eval.tasks import TaskManager, get_task_dict

    monkeypatch.chdir(build.parent)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    manager = TaskManager(include_path=str(TASK_FILES), include_defaults=False)
    assert manager.all_groups == ["lego_arta"]
    assert manager.all_subtasks == sorted(f"lego_arta_{config}" for config in TASKS)
    for config in CONFIGS:
        task = get_task_dict([f"lego_arta_{config}"], manager)[f"lego_arta_{config}"]
        gold = load_items(build, config, "test")
        docs = list(task.test_docs())
        assert [doc["id"] for doc in docs] == [item.id for item in gold]
        assert task.doc_to_text(docs[0]) == gold[0].query
        assert task.doc_to_visual(docs[0])[0].mode == "RGB"
        assert task.doc_to_target(docs[0]) == gold[0].answer
        results = [task.process_results(doc, [doc["answer"]]) for doc in docs]
        for name, aggregate in task.aggregation().items():
            score = aggregate([result[name] for result in results])
            if name != "t_acc_novel":
                assert score == pytest.approx(100.0 if task.higher_is_better()[name] else 0.0)
        wrong = [task.process_results(doc, ["dunno"]) for doc in docs]
        for name, aggregate in task.aggregation().items():
            assert aggregate([result[name] for result in wrong]) < 5 or name == "t_acc_novel"


@pytest.mark.parametrize("config", CONFIGS)
def test_the_tsv_reads_back(build, tmp_path, config):
    """VLMEvalKit: index, image (base64), question, answer."""
    path = tmp_path / "out" / "LegoArta.tsv"
    items = load_items(build, config, "test")
    assert vlmeval.write_tsv(build, config, "test", path) == len(items)
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["index"] for row in rows] == [str(index) for index in range(len(items))]
    assert [row["question"] for row in rows] == [item.query for item in items]
    for row, item in zip(rows, items, strict=True):
        picture = Image.open(io.BytesIO(base64.b64decode(row["image"])))
        assert picture.size == (80, 60)
        wanted = item.answer.rstrip(".") if config == "state" else item.answer
        assert row["answer"] == wanted and row["id"] == item.id
    assert not list(path.parent.glob("*.tmp"))
