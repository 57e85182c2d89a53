"""Build a Bento in a process of its own: BentoML keeps its stores and its imports for the life of a process.

python -m assay.serving.pack CONTEXT MODEL TAG DESCRIPTION
"""

import shutil
import sys

import bentoml


def main(context: str, model: str, tag: str, description: str) -> None:
    """Store a model folder, then build the Bento of the context, both under one tag."""
    name, version = tag.split(":")
    with bentoml.models.create(tag) as stored:
        shutil.copytree(model, stored.path, dirs_exist_ok=True)
    bentoml.build(
        "entry:service",
        name=name,
        version=version,
        build_ctx=context,
        description=description,
        include=["entry.py", "assay/"],
        # The requirements are a complete lock already; locking again would need the network.
        python={"requirements_txt": "requirements.txt", "lock_packages": False},
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
