"""One dry run of the published study, in which tests look up what its parts need, and studies merged over it."""

import pytest

from tests.jobs import Plan, planned

TABLES = ("table1", "table2", "table3", "table4", "gap_decomposition", "significance", "figures",
          "diagnostics")  # fmt: skip
# Of a run without noise in Table 4, which `all` does not make.
CURVE = "runs/cardium/latent/flux2/latent/fold3/noise_curve.parquet"
CELLS = (
    "isic2019",
    "isic2019/latent/flux2",
    "isic2019/image/original",
    "cardium/latent/medvae_ft",
    "cardium/latent/flux2",
)


@pytest.fixture(scope="session")
def published(checkout) -> Plan:
    """Plan the whole published study and the targets that are parts of it, in a checkout without results."""
    return planned("--", "all", *TABLES, *(f"train/{cell}" for cell in CELLS), f"results/{CURVE}", folder=checkout)


@pytest.fixture
def study(tmp_path):
    """Options for a study merged over the published one."""

    def merged(content: str) -> tuple[str, str, str]:
        path = tmp_path / "study.yaml"
        path.write_text(content)
        return "--configfile", str(path), "--"

    return merged
