"""Every environment is made from one list of packages, envs/requirements.txt, and one Python."""

import re
import tomllib

import yaml

from learnability.study.configuration import ROOT

LOCK = "requirements.txt"
CONDA = yaml.safe_load((ROOT / "envs/learnability.yaml").read_text(encoding="utf-8"))
IMAGE = (ROOT / "envs/Dockerfile").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ANOTHER = r"(?<=[0-9a-f]{64})\n"  # the end of an entry of the lock: a hash without a backslash


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


def locked() -> dict[str, tuple[str, set[str]]]:
    """Version and hashes of each package of envs/requirements.txt."""
    found = {}
    for entry in filter(None, re.split(ANOTHER, (ROOT / "envs" / LOCK).read_text(encoding="utf-8"))):
        name, version = re.match(r"([\w.-]+)==([\w.+]+)(?: ; [^\n]+)? \\\n", entry).groups()
        found[name] = version, set(re.findall(r"--hash=(sha256:[0-9a-f]{64})(?: \\)?(?:\n|$)", entry))
    return found


def test_every_package_has_hashes_and_both_locks_are_one():
    """If one package has a hash, pip requires them all; `uv sync` installs what `make environment` does."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    fetched = [package for package in packages if "registry" in package["source"]]
    assert [package["name"] for package in packages if package not in fetched] == [PROJECT["project"]["name"]]
    files = {
        package["name"]: [*package.get("wheels", []), *filter(None, [package.get("sdist")])] for package in fetched
    }
    versions = {package["name"]: package["version"] for package in fetched}
    assert locked() == {name: (versions[name], {file["hash"] for file in files[name]}) for name in files}
    assert all(hashes for _, hashes in locked().values())
    assert {package["source"]["registry"] for package in fetched} == {"https://pypi.org/simple"}
    addresses = {file["url"].split("/")[2] for each in files.values() for file in each}
    assert addresses == {"files.pythonhosted.org"}


def test_the_lock_is_of_what_is_named():
    """The project depends on envs/requirements.in and nothing else, and uv.lock was made from its present state."""
    assert PROJECT["tool"]["setuptools"]["dynamic"] == {"dependencies": {"file": ["envs/requirements.in"]}}
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    (own,) = [package for package in packages if package["name"] == PROJECT["project"]["name"]]
    named = re.findall(r"^([\w.-]+)", (ROOT / "envs/requirements.in").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {package["name"] for package in own["dependencies"]} == {name.lower().replace("_", "-") for name in named}


def test_cuda_is_for_linux_alone():
    text = (ROOT / "envs" / LOCK).read_text(encoding="utf-8")
    lines = re.findall(r"^(?:nvidia|triton|cuda).*$", text, flags=re.MULTILINE)
    assert len(lines) > 10
    assert [line for line in lines if "sys_platform == 'linux'" not in line] == []


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
