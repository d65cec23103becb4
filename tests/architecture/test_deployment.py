"""The files in deploy/ agree with the program."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands
from django.urls import resolve
from django.utils import timezone

from jobs.registry import known_queues
from jobs.worker.signals import RETIRE_SIGNAL
from monitoring.metrics.collector import RenderowlCollector
from monitoring.metrics.queues import read_queues
from renders.job_types import RENDER_QUEUE

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
# Read by the launcher and the containers, not by the settings.
OTHER_NAMES = {"PORT"}


def documents():
    for path in KUBERNETES:
        yield from (document for document in yaml.safe_load_all(path.read_text()) if document)


def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def pods():
    for document in documents():
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield document["metadata"]["name"], spec["template"]["spec"]


def environment_names():
    for document in documents():
        if document["kind"] == "ConfigMap":
            yield from document["data"]
    yield from compose()["services"]["web"]["environment"]
    yield from re.findall(r"--from-literal=([A-Z_]+)=", (DEPLOY / "kubernetes/config.yaml").read_text())


def test_every_environment_variable_is_read_by_the_program():
    example = (ROOT / ".env.example").read_text()
    unknown = {name for name in environment_names() if not re.search(rf"^#? ?{name}=", example, re.MULTILINE)}
    assert unknown - OTHER_NAMES == set()


def test_every_command_exists():
    lines = [" ".join(service["command"]) for service in compose()["services"].values() if "command" in service]
    lines += [" ".join(c.get("command", [])) for _, pod in pods() for c in pod["containers"]]
    lines += [line for unit in UNITS for line in re.findall(r"^Exec\w+=(.*)$", unit.read_text(), re.MULTILINE)]
    called = [shlex.split(line.partition("manage.py ")[2])[0] for line in lines if "manage.py" in line]
    assert len(called) >= 6
    assert set(called) <= set(get_commands())
    assert all("renderowl.serve" in line for line in lines if " -m " in line)


def test_probes_use_existing_paths():
    probes = [
        container[kind]["httpGet"]
        for _, pod in pods()
        for container in pod["containers"]
        for kind in ("startupProbe", "livenessProbe", "readinessProbe")
        if kind in container
    ]
    assert {probe["path"] for probe in probes} == {"/live", "/ready"}
    for path in ("/live", "/ready", "/metrics"):
        assert resolve(path)
    assert "/ready" in (DEPLOY / "Dockerfile").read_text()


@pytest.mark.django_db
def test_autoscalers_use_existing_metrics():
    triggers = [
        t for document in documents() if document["kind"] == "ScaledObject" for t in document["spec"]["triggers"]
    ]
    api, prometheus = (trigger["metadata"] for trigger in triggers)
    path = re.sub(r"^http://[^/]+", "", api["url"])
    queue = resolve(path).kwargs["queue"]
    # The queue of renders: scaling workers of other queues would not help.
    assert queue == RENDER_QUEUE
    assert queue in known_queues()
    reading = read_queues(timezone.now()).of(queue)
    assert isinstance(getattr(reading, api["valueLocation"]), int)
    exported = {metric.name for metric in RenderowlCollector().collect()}
    queried = set(re.findall(r"renderowl_\w+", prometheus["query"]))
    assert queried
    assert queried <= exported
    host = re.match(r"http://([^/:]+)", api["url"]).group(1)
    config = next(document for document in documents() if document["kind"] == "ConfigMap")
    assert host in config["data"]["ALLOWED_HOSTS"].split(",")


def test_every_file_parses_and_names_are_unique():
    files = [path for pattern in ("*.yaml", "*.yml") for path in sorted(DEPLOY.rglob(pattern))]
    assert len(files) > len(KUBERNETES) + 4
    for path in files:
        assert [document for document in yaml.safe_load_all(path.read_text()) if document], path
    named = [(document["kind"], document["metadata"]["name"]) for document in documents() if "metadata" in document]
    assert len(set(named)) == len(named)


def test_pods_run_without_privileges():
    for name, pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False, name


def test_kubernetes_names_agree():
    files = yaml.safe_load((DEPLOY / "kubernetes/kustomization.yaml").read_text())["resources"]
    assert {path.name for path in KUBERNETES} == {*files, "keda.yaml", "kustomization.yaml"}
    deployments = {d["metadata"]["name"]: d for d in documents() if d["kind"] == "Deployment"}
    for name, deployment in deployments.items():
        spec = deployment["spec"]
        assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"] == {"app": name}
    targets = [
        document["spec"]["scaleTargetRef"]["name"]
        for document in documents()
        if document["kind"] in {"HorizontalPodAutoscaler", "ScaledObject"}
    ]
    assert set(targets) == set(deployments)
    budgets = {d["spec"]["selector"]["matchLabels"]["app"] for d in documents() if d["kind"] == "PodDisruptionBudget"}
    assert budgets == set(deployments)


def test_grace_periods_cover_the_shutdown():
    config = next(document for document in documents() if document["kind"] == "ConfigMap")
    grace_s = {name: pod.get("terminationGracePeriodSeconds", 0) for name, pod in pods()}
    assert grace_s["renderowl-web"] > 5 + 30
    assert grace_s["renderowl-worker"] >= int(config["data"]["JOBS_GRACE_S"]) + 10
    (worker,) = next(pod for name, pod in pods() if name == "renderowl-worker")["containers"]
    script = worker["lifecycle"]["preStop"]["exec"]["command"][-1]
    assert f"-{RETIRE_SIGNAL.name.removeprefix('SIG')} 1" in script
    # The grace period includes the wait of the hook and the shutdown after it.
    waits_s = int(re.search(r"until=\$\(\( \$\(date \+%s\) \+ (\d+) \)\)", script)[1])
    assert grace_s["renderowl-worker"] >= waits_s + int(config["data"]["JOBS_GRACE_S"]) + 10


def test_compose_refers_to_existing_files_and_services():
    parsed = compose()
    for service in parsed["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in parsed["volumes"] or (DEPLOY / source).exists(), source
        for name in service.get("depends_on", {}):
            assert name in parsed["services"]
        for name in service.get("secrets", []):
            assert name in parsed["secrets"]
    scraped = yaml.safe_load((DEPLOY / "compose/prometheus.yml").read_text())["scrape_configs"][0]
    assert scraped["static_configs"] == [{"targets": ["web:8000"]}]
