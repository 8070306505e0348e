"""The values that a study's file may choose from. ``config/schema.yaml`` refers to these lists."""

from __future__ import annotations

from typing import Any

#: Networks: the paper's number of layers -> number of Conv3D blocks.
BLOCKS = {5: 1, 6: 2, 7: 3}

#: How clips are cut into windows, see `lib.sequences.cutting.windows`.
WINDOW_RULES = ("windows", "first", "middle", "last", "split_at_150")

#: Orders of a sequence's frames: as filmed, or a control of notebook 10; ``take-5`` has five frames, evenly spaced.
FRAME_ORDERS = ("filmed", "shuffled", "last", "take-5", "take-15", "take-35")

#: How sequences are assigned to the parts, see `lib.sequences.splits`: the protocol and its name in figures.
PROTOCOLS = {"random": "random split", "clip": "clips apart", "actor": "actors apart", "mae-dfer": "published folds"}


def definitions() -> dict[str, Any]:
    """The lists as definitions of a JSON schema, by their names in ``config/schema.yaml``."""
    blocks = max(BLOCKS.values())
    return {
        "layers": {"enum": [*BLOCKS]},
        "window_rule": {"enum": [*WINDOW_RULES]},
        "frame_order": {"enum": [*FRAME_ORDERS]},
        "split_protocol": {"enum": [*PROTOCOLS]},
        "one_per_block": {"type": "array", "minItems": blocks, "maxItems": blocks},
    }


#: Notebooks about the paper and CREMA-D's records, which run once for all studies, in ``papermill_runs/paper``.
OF_PAPER = ("08_paper_audit", "09_human_baseline")

#: The notebook about a twin, and the study of a twin whose results are committed.
REHEARSAL, SIMULATION = "13_rehearsal", "twin-pilot"
