"""deploy/: as far as it can be judged without a cluster. Nothing here was ever applied to one.

What needs a tool that isn't installed is skipped with its name: kubectl, kubernetes-validate, promtool, and KubeRay's
CRDs in ../shared/data.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bgm import environment
from bgm.environment import Environment
from bgm.painter.server import Metrics as PainterMetrics
from bgm.ui.jobs import Jobs
from bgm.ui.serving import Metrics

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
MONITORING = DEPLOY / "monitoring"
FOLDERS = (KUBERNETES, KUBERNETES / "batch")
Object = dict[str, Any]


def written() -> list[Object]:
    files = [
        f for folder in FOLDERS for f in folder.glob("*.yaml") if f.name not in ("kustomization.yaml", "images.yaml")
    ]
    return [one for file in files for one in yaml.safe_load_all(file.read_text("utf-8"))]


def walk(value: Any) -> Iterator[Any]:
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


def pods(objects: list[Object]) -> list[Object]:
    return [v for one in objects for v in walk(one) if isinstance(v, dict) and "containers" in v]


def containers(pod: Object) -> list[Object]:
    return [*pod["containers"], *pod.get("initContainers", ())]


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.fixture(scope="module")
def rendered() -> list[Object]:
    kubectl = tool("kubectl")
    texts = [
        subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=True).stdout
        for folder in FOLDERS
    ]
    return [one for text in texts for one in yaml.safe_load_all(text)]


def test_pod_security_restricted_and_a_root_that_is_read_only() -> None:
    found = pods(written())
    assert len(found) == 6
    for pod in found:
        security = pod["securityContext"]
        assert security["runAsNonRoot"] and security["seccompProfile"] == {"type": "RuntimeDefault"}
        for box in containers(pod):
            security = box["securityContext"]
            assert security["allowPrivilegeEscalation"] is False and security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert box["resources"]["limits"]["memory"]


def test_what_is_mounted_and_read_is_there() -> None:
    objects = written()
    claims = {o["metadata"]["name"] for o in objects if o["kind"] == "PersistentVolumeClaim"}
    for pod in pods(objects):
        volumes = {volume["name"] for volume in pod.get("volumes", ())}
        mounted = {mount["name"] for box in containers(pod) for mount in box.get("volumeMounts", ())}
        assert mounted == volumes
        assert {
            v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v
        } <= claims
        assert "/tmp" in {mount["mountPath"] for box in pod["containers"] for mount in box["volumeMounts"]}
    secrets = {s["name"] for s in yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["secretGenerator"]}
    asked = {v["secretKeyRef"]["name"] for v in walk(objects) if isinstance(v, dict) and "secretKeyRef" in v}
    assert asked == secrets


def test_only_settings_and_commands_that_exist_are_used() -> None:
    known = {environment.variable(name) for name in Environment.model_fields}
    given = {e["name"] for pod in pods(written()) for box in containers(pod) for e in box.get("env", ())}
    assert {name for name in given if name.startswith("BGM_")} <= known
    job = next(o for o in written() if o["kind"] == "RayJob")
    from bgm.cli import parser

    words = job["spec"]["entrypoint"].split()
    assert words[:3] == ["python", "-m", "bgm"]
    assert parser().parse_args(words[3:]).cluster == "auto"
    painter = next(o for o in written() if o["kind"] == "Deployment" and o["metadata"]["name"] == "painter")
    assert painter["spec"]["template"]["spec"]["containers"][0]["args"][:3] == ["python", "-m", "bgm.painter"]
    assert importlib.util.find_spec("bgm.painter.__main__")


def test_the_page_finds_the_painter_and_is_let_through() -> None:
    objects = written()
    env = {e["name"]: e.get("value") for pod in pods(objects) for box in pod["containers"] for e in box["env"]}
    service = next(o for o in objects if o["kind"] == "Service" and o["metadata"]["name"] == "painter")
    assert env["BGM_PAINTER"] == f"http://painter:{service['spec']['ports'][0]['port']}"
    policies = {o["metadata"]["name"]: o["spec"] for o in objects if o["kind"] == "NetworkPolicy"}
    assert policies["deny-ingress"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    allowed = [port["port"] for rule in policies["painter"]["ingress"] for port in rule["ports"]]
    assert set(allowed) == {8000}


def test_ray_is_the_pinned_one() -> None:
    pinned = re.search(r"ray\[default\]==(\S+)", (ROOT / "requirements-cluster.txt").read_text("utf-8"))
    job = next(o for o in written() if o["kind"] == "RayJob")
    assert pinned and job["spec"]["rayClusterSpec"]["rayVersion"] == pinned[1]


def test_kustomize_names_the_images_and_the_secret_everywhere(rendered: list[Object]) -> None:
    images = {box["image"] for pod in pods(rendered) for box in containers(pod)}
    assert images == {"registry.example/bgm-studio:0.1", "registry.example/bgm-studio-cluster:0.1"}
    secret = next(o["metadata"]["name"] for o in rendered if o["kind"] == "Secret")
    asked = {v["secretKeyRef"]["name"] for v in walk(rendered) if isinstance(v, dict) and "secretKeyRef" in v}
    assert asked == {secret}


def test_kubernetes_knows_every_field(rendered: list[Object]) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    ours = [one for one in rendered if not one["apiVersion"].startswith("ray.io")]
    for one in ours:
        validate.validate(one, "1.37", strict=True)
    assert len(ours) >= 11


def test_kuberay_knows_every_field(rendered: list[Object], shared_data: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    definition = yaml.safe_load((shared_data / "kuberay-crds" / "crd_rayjobs.yaml").read_text("utf-8"))
    version = next(v for v in definition["spec"]["versions"] if v["name"] == "v1")
    schema = _strict(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    job = next(one for one in rendered if one["kind"] == "RayJob")
    jsonschema.Draft202012Validator(schema).validate(job)


def _strict(schema: Any) -> Any:
    """An unknown field is a slip of the pen: the API server would drop it with a warning."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    schema = {name: _strict(value) for name, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        schema.setdefault("additionalProperties", bool(schema.get("x-kubernetes-preserve-unknown-fields")))
    return schema


def told(tmp_path: Path) -> set[str]:
    """The names of all numbers that the page and the painter tell."""
    from prometheus_client import generate_latest

    jobs = Jobs(1, 1)
    jobs.close()
    registries = [Metrics(jobs, tmp_path).registry, PainterMetrics(lambda: 0).registry]
    families = [family for registry in registries for family in registry.collect()]
    assert all(generate_latest(registry) for registry in registries)
    names = {sample.name for family in families for sample in family.samples}
    parts = ("bucket", "sum", "count")
    return names | {f"{f.name}_{part}" for f in families if f.type == "histogram" for part in parts}


def expressions() -> list[str]:
    dashboard = json.loads((MONITORING / "dashboard.json").read_text("utf-8"))
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text("utf-8"))["groups"]
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [*queries, *(rule["expr"] for group in groups for rule in group["rules"])]


def test_dashboard_and_alerts_ask_only_for_numbers_that_are_told(tmp_path: Path) -> None:
    asked = {name for text in expressions() for name in re.findall(r"\b(?:bgm|process)_\w+", text)}
    assert len(asked) >= 10
    assert asked <= told(tmp_path)


def test_scraped_are_the_jobs_that_alerts_and_dashboard_name() -> None:
    scraped = {s["job_name"] for s in yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"]}
    named = {name for text in expressions() for name in re.findall(r'job="([^"]+)"', text)}
    assert named <= scraped


def test_every_alert_is_tried_by_promtools_own_tests() -> None:
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text("utf-8"))["groups"]
    tests = yaml.safe_load((MONITORING / "alerts.test.yml").read_text("utf-8"))["tests"]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert fired == {rule["alert"] for group in groups for rule in group["rules"]}
    promtool = tool("promtool")
    for words in (["check", "config", "prometheus.yml"], ["test", "rules", "alerts.test.yml"]):
        done = subprocess.run([promtool, *words], cwd=MONITORING, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
