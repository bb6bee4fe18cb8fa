"""Takes the files and commands out of docs/ci.md, and runs the commands where the files are."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

BLOCK = re.compile(r"<!-- (?P<kind>file|run|workflow)(?:: (?P<name>\S+))? -->\n```\w+\n(?P<text>.*?)```\n", re.DOTALL)
program = pathlib.Path(os.environ["SKERRY"])
page = (pathlib.Path(__file__).parents[3] / "docs/ci.md").read_text()
blocks = [match.groupdict() for match in BLOCK.finditer(page)]
assert len(blocks) == page.count("```") // 2, "a block of docs/ci.md does not say what it is"


def lines_of(workflow):
    """All texts in a workflow that run something on a network."""
    if isinstance(workflow, str):
        return [workflow] if "skerry exec" in workflow else []
    inner = workflow.values() if isinstance(workflow, dict) else workflow if isinstance(workflow, list) else []
    return [line for each in inner for line in lines_of(each)]


def commands(block):
    if block["kind"] == "run":
        return [block["text"]]
    found = lines_of(yaml.safe_load(block["text"]))
    assert found, "a workflow that runs nothing"
    return found


with tempfile.TemporaryDirectory() as folder:
    place = pathlib.Path(folder)
    (place / "skerry").mkdir()
    (place / "skerry/bin").symlink_to(program.parent)
    path = os.pathsep.join([str(program.parent), str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    for block in blocks:
        if block["kind"] == "file":
            (place / block["name"]).write_text(block["text"])
            continue
        for command in commands(block):
            print(command, flush=True)
            subprocess.run(["sh", "-e", "-c", command], cwd=place, env={**os.environ, "PATH": path}, check=True)
