"""The model hub: checks whether files exist, and fetches them. All jobs except fetch_weights are offline."""

import os
import shutil
from functools import cache
from pathlib import Path

from ..autoencoders.families.weights import weight_files
from ..classifiers.weights import CONFIG
from ..classifiers.weights import FILE as PRETRAINED
from ..errors import InputError
from ..storage.contracts import file_digest, write_json
from ..storage.whole_files import written_whole
from ..study.sources import is_folder


def weights_to_fetch(config: dict) -> dict[str, dict]:
    """What fetch_weights must fetch, by name: repository, revision and files of every entry with a hub id as source."""
    sources = {name: (entry, weight_files(entry)) for name, entry in config["autoencoders"].items() if "class" in entry}
    # timm itself knows what the config.json of its own weights says.
    sources |= {
        name: (entry, [PRETRAINED] if entry["source"].startswith("timm/") else [PRETRAINED, CONFIG])
        for name, entry in config["pretrained"].items()
    }
    return {
        name: {"repository": entry["source"], "revision": entry.get("revision"), "files": files}
        for name, (entry, files) in sources.items()
        if "source" in entry and not is_folder(entry["source"])
    }


def token() -> str | bool:
    """The user's token from the environment, and from nowhere else; False sends none."""
    return os.environ.get("HF_TOKEN") or False


def fetch(repository: str, revision: str | None, files: list[str], folder: Path) -> None:
    """Fetch files of one commit into `folder`, and write source.json beside them once all are there.

    `revision`, or the newest commit, is resolved when the first file is requested. A hub that changes in the meantime
    thus cannot mix weights with another config.json. Files in the hub's cache on this machine are copied from there.
    source.json states the commit.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    commit = commit_of(repository, revision, files)
    for name in files:
        cached = try_to_load_from_cache(repository, name, revision=commit)
        if isinstance(cached, str):
            with written_whole(folder / name) as temporary:
                shutil.copyfile(cached, temporary)
        else:
            hf_hub_download(repository, name, revision=commit, local_dir=folder, token=token())
        print(f"{repository}/{name}: {(folder / name).stat().st_size / 1e6:.1f} MB", flush=True)
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the hub client's notes about its downloads
    digests = {name: file_digest(folder / name) for name in files}
    write_json({"repository": repository, "revision": commit, "files": digests}, folder / "source.json")


def commit_of(repository: str, revision: str | None, files: list[str]) -> str:
    """The commit of all files: that of the cache if it has them all, otherwise that of the hub."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

    cached = [try_to_load_from_cache(repository, name, revision=revision) for name in files]
    if all(isinstance(path, str) for path in cached):
        # .../snapshots/{commit}/{name}
        (commit,) = {Path(path).parts[-1 - len(Path(name).parts)] for path, name in zip(cached, files, strict=True)}
        return commit
    commit = get_hf_file_metadata(hf_hub_url(repository, files[0], revision=revision), token=token()).commit_hash
    if not commit:
        raise InputError(f"{repository}: the hub does not say which commit that is; name one with `revision`")
    return commit


@cache  # several autoencoders may need the same file
def why_missing(repository: str, files: tuple[str, ...], revision: str | None) -> str | None:
    """Say why files of a hub repository are unavailable and what to do, or return None."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        cached = [isinstance(try_to_load_from_cache(repository, name, revision=revision), str) for name in files]
    except HFValidationError:
        return f"{repository} is neither a hub id (owner/name) nor a folder; begin a relative folder with ./"
    if all(cached):
        return None
    if Path(repository).is_dir():
        return f"{repository} reads as a hub id, owner/name, and is a folder here too: write ./{repository} for that"
    name = files[cached.index(False)]
    fetch_it = " ".join(["`hf download", repository, *files, *(["--revision", revision] if revision else [])]) + "`"
    try:
        get_hf_file_metadata(hf_hub_url(repository, name, revision=revision), timeout=5, token=token())
    except GatedRepoError:
        return f"{repository} is gated: accept its licence at https://huggingface.co/{repository}, then set HF_TOKEN"
    except OfflineModeIsEnabled:
        return f"{repository} is not in the local cache and the hub is switched off; run {fetch_it} where it is not"
    except HfHubHTTPError as error:
        return refusal(repository, name, error)
    except Exception as error:  # no network, for which every HTTP library has its own error
        return (
            f"{repository} is neither a folder nor in the local cache, and the hub cannot be reached "
            f"({type(error).__name__}); run {fetch_it} where it can, or give a local folder, which begins with ./ or /"
        )
    return None


def refusal(repository: str, name: str, error) -> str:
    """Explain an HTTP error of the hub to the user."""
    status = error.response.status_code if error.response is not None else None
    if status in (401, 403):
        state = "is refused" if token() else "is not set"
        return (
            f"{repository} does not exist or needs a token, and HF_TOKEN {state}; check the id, or accept its "
            f"licence on the hub and set it. A folder of this machine begins with ./ (./{repository})"
        )
    if status is not None and status >= 500:
        return f"the hub answered {status} for {repository}/{name}; try again later"
    return (
        f"{repository}/{name} is not on the hub ({error}); check the id and the revision. Where it has the weights in "
        "another way, as .bin or in parts, download it, and name the folder: what to do then is said"
    )
