"""The command in the summary names no folder of the machine: `learnability export` would refuse the page."""

from pathlib import Path

from learnability.workflow.shown_command import shown_command


def test_a_folder_is_removed_wherever_it_is_in_a_word():
    words = [
        "--config",
        "results=/scratch/me/study",
        "study={a: /x/y/b}",
        "--configfile=/home/me/x.yaml",
        "/a/my own.yaml",
    ]
    shown = shown_command([*words, "/here/results/table1", "a/b", "../c", "s3://d/e"], Path("/here"))
    assert shown == (
        "snakemake --config results=study 'study={a: b}' --configfile=x.yaml 'my own.yaml' results/table1 a/b ../c s3://d/e"
    )
