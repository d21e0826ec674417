"""Formats a build is written in, one file each."""

# By the name on the command line. Each module has CONFIGS, SETTING (how is asked; None for formats
# that keep the columns, which have FRAME), EXAMPLES (which can be shown), README and write(job);
# those that ask have RESERVED (tokens that the trainer takes for its own) and, for trainers, TRAIN
# (the command, {folder} in it). BOXES and FRAMES: what can be asked for, where not everything can.
# EXTRA: what of pyproject.toml it needs. NOT_IN_PATHS: signs that the trainer can't have in paths,
# and why.
FORMATS = {
    "llava": "LLaVA: one JSON list, pictures beside it",
    "llava-jsonl": "LLaVA lines with several pictures: qwen-vl-finetune, LLaVA-NeXT",
    "internvl": "InternVL: lines, meta.json and a launch script",
    "otter": "Otter: MIMIC-IT JSON, pictures in Parquet",
    "llamafactory": "LLaMA-Factory: ShareGPT lines, dataset_info.json, SFT recipe",
    "vlm-r1": "VLM-R1: GRPO lines and a launch script",
    "ms-swift": "ms-swift: lines of messages, boxes in the stored picture's own pixels",
    "messages": "chat messages in Parquet: TRL (SFT, GRPO), Unsloth, mlx-vlm",
    "dpo": "preference pairs in Parquet: TRL's DPOTrainer",
    "verl": "verl: Parquet for GRPO and a launch script",
    "easyr1": "EasyR1: Parquet for GRPO and a launch script",
    "legacy": "the folder layout of the originally released dataset",
    "coco": "COCO detection JSON with masks, for FiftyOne too",
    "ivm": "Instruction-Guided Visual Masking: lines of instructions, a grey mask a row",
    "label-studio": "tasks with predictions for Label Studio, and its labeling configurations",
    "yolo": "YOLO labels, a dataset a task",
    "voc": "Pascal VOC XML, a dataset a task",
    "webdataset": "tar shards of a picture and a JSON a row",
}
