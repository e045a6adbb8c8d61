"""One list of packages, envs/requirements.txt, and one Python, wherever an environment is made."""

import re

import yaml

from learnability.study.configuration import ROOT

LOCK = "requirements.txt"
CONDA = yaml.safe_load((ROOT / "envs/learnability.yaml").read_text(encoding="utf-8"))
IMAGE = (ROOT / "envs/Dockerfile").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_conda_has_python_and_the_lock_and_no_list_of_its_own():
    python, pip, packages = CONDA["dependencies"]
    assert pip == "pip"
    assert packages == {"pip": [f"-r {LOCK}"]}
    assert (ROOT / "envs" / LOCK).is_file()  # beside the environment file, from where conda reads it
    assert re.fullmatch(r"python=3\.\d+", python)


def test_the_container_has_the_same_python_and_installs_the_lock_and_the_package_alone():
    (base,) = re.findall(r"^FROM python:([\d.]+)-slim$", IMAGE, flags=re.MULTILINE)
    assert CONDA["dependencies"][0] == f"python={base}"
    installed = re.findall(r"pip install (.+)$", IMAGE, flags=re.MULTILINE)
    assert installed == [f"--no-cache-dir -r envs/{LOCK}", "--no-cache-dir --no-deps --editable ."]
    assert len(re.findall("^RUN ", IMAGE, flags=re.MULTILINE)) == 2
    assert IMAGE.index(f"COPY envs/{LOCK}") < IMAGE.index("COPY . .")


def test_make_installs_the_same():
    assert f"pip install --quiet --disable-pip-version-check -r envs/{LOCK}" in MAKEFILE
    least = re.search(r'requires-python = ">=(3\.\d+)"', (ROOT / "pyproject.toml").read_text())[1]
    assert f"sys.version_info < ({least.replace('.', ', ')})" in MAKEFILE
    assert CONDA["dependencies"][0] == f"python={least}"  # the oldest that may be, which the lock was made for


def test_everything_that_is_named_is_locked_to_a_version():
    named = re.findall(r"^([\w.-]+)", (ROOT / "envs/requirements.in").read_text(), flags=re.MULTILINE)
    locked = re.findall(r"^([\w.-]+)==\S+", (ROOT / "envs" / LOCK).read_text(), flags=re.MULTILINE)
    assert len(named) > 25
    normal = {re.sub("[-_.]+", "-", name).lower() for name in locked}
    assert [name for name in named if re.sub("[-_.]+", "-", name).lower() not in normal] == []


def test_the_image_gets_what_a_run_needs_and_no_results_or_data():
    lines = (ROOT / "envs/Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    taken = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert all((ROOT / name).exists() for name in taken)
    assert {"Snakefile", "config.yaml", "workflow", "profiles", "envs"} <= set(taken)
    assert not {"results", ".venv", ".git"} & set(taken)


def test_every_rule_that_has_a_script_has_the_environment():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        text = path.read_text(encoding="utf-8")
        assert text.count("    script:\n") == text.count('    conda:\n        "../../envs/learnability.yaml"\n'), path
