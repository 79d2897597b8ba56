"""The files for Docker and Kubernetes are valid, and say what the code says. No engine is needed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from app.settings import Settings

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
COMPOSES = sorted(DOCKER.glob("compose*.yaml"))
MANIFESTS = sorted(set((DOCKER / "kubernetes").glob("*.yaml")) - {DOCKER / "kubernetes" / "kustomization.yaml"})


def run(program: str, *arguments: str | Path) -> str:
    """A program that came with a development dependency."""
    command = [Path(sys.executable).with_name(program), *arguments]
    environment = {"PATH": os.defpath, "HOME": "/nonexistent"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def composed(path: Path) -> dict[str, Any]:
    """As Compose understands it, with all that is said by default."""
    found: dict[str, Any] = orjson.loads(run("docker-compose", "-f", path, "config", "--format", "json"))
    return found


def manifest(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOCKER / "kubernetes" / f"{name}.yaml").read_text())
    return found


@pytest.mark.parametrize("path", sorted(DOCKER.rglob("*Dockerfile")), ids=lambda path: path.name)
def test_dockerfiles_have_no_faults(path: Path) -> None:
    run("hadolint", path)


def test_the_image_takes_the_locked_packages_and_runs_as_nobody() -> None:
    build, last = (DOCKER / "Dockerfile").read_text().split("\nFROM ")[-2:]
    assert build.count("uv sync --locked --no-dev --all-extras") == 2
    assert "USER 10001" in last
    assert "RUN useradd" in last
    assert "apt-get" not in last
    version = next(line for line in (ROOT / "scripts" / "install").read_text().splitlines() if "uv_version=" in line)
    assert f"astral-sh/uv:{version.partition('=')[2]} " in build


@pytest.mark.parametrize("path", COMPOSES, ids=lambda path: path.name)
def test_compose_files_are_valid(path: Path) -> None:
    services = composed(path)["services"]
    fields = {f"UPESI_{name.upper()}" for name in Settings.model_fields}
    for name, service in services.items():
        given = {key: value for key, value in service.get("environment", {}).items() if key.startswith("UPESI_")}
        assert set(given) <= fields, name
        if given:
            assert Settings(**{key[6:].lower(): value for key, value in given.items()}).database_url
        for volume in service.get("volumes", ()):
            assert volume["type"] != "bind" or Path(volume["source"]).is_file(), name
        for other in service.get("depends_on", {}):
            assert other in services


def test_the_cluster_writes_to_all_servers_and_reads_from_replicas() -> None:
    services = composed(DOCKER / "compose.cluster.yaml")["services"]
    environment = services["api"]["environment"]
    settings = Settings(**{name[6:].lower(): value for name, value in environment.items()})
    assert "@primary,replica1,replica2/" in str(settings.database_url)
    assert [url.rpartition("/")[2] for url in settings.read_database_urls] == ["replica1", "replica2"]
    pooled = (DOCKER / "cluster" / "pgbouncer.ini").read_text()
    for name in ("replica1", "replica2"):
        assert f"{name} = host={name} dbname=upesi" in pooled
    assert "pool_mode = transaction\nmax_prepared_statements = 200" in pooled


@pytest.mark.parametrize("path", sorted((DOCKER / "cluster").glob("*.sh")), ids=lambda path: path.name)
def test_scripts_can_be_read_by_a_shell(path: Path) -> None:
    subprocess.run(["/bin/sh", "-n", path], check=True)


def test_the_balancer_takes_its_configuration() -> None:
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("haproxy is not installed")
    done = subprocess.run(
        [program, "-c", "-f", DOCKER / "cluster" / "haproxy.cfg"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_are_valid(path: Path) -> None:
    run("kubernetes-validate", "--strict", path)


def test_manifests_belong_together() -> None:
    assert sorted(manifest("kustomization")["resources"]) == [path.name for path in MANIFESTS]
    pod = manifest("deployment")["spec"]["template"]
    selectors = [
        manifest("deployment")["spec"]["selector"]["matchLabels"],
        manifest("disruption")["spec"]["selector"]["matchLabels"],
        manifest("service")["spec"]["selector"],
    ]
    assert all(selector == pod["metadata"]["labels"] for selector in selectors)
    # Else the service would send requests to the job.
    assert manifest("migrate")["spec"]["template"]["metadata"]["labels"] != pod["metadata"]["labels"]
    (container,) = pod["spec"]["containers"]
    (port,) = container["ports"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]
    assert manifest("service")["spec"]["ports"][0]["targetPort"] == port["name"]
    assert container["resources"]["requests"]
    assert container["resources"]["limits"]["memory"]
