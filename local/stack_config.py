"""The config file of a stack: what it sets, and where it points the stack to."""

import json
from typing import Any
from urllib.parse import urlsplit

import idna
import yaml

from infra.paths import REPOSITORY
from local.cluster.layout import CONTEXT
from local.console import capture, run, say
from local.workspace import DEFAULT_STACK, LOOPBACK, PROJECT, ROOT, LocalError, Workspace


def read_config(workspace: Workspace) -> dict[str, Any]:
    """Return what the stack's file sets, with secrets encrypted. Raises `LocalError`."""
    file = workspace.config_file
    if not file.is_file() and workspace.stack == DEFAULT_STACK:
        raise LocalError(f"{file.name} does not exist. Run `git checkout {file.name}` to restore it.")
    if not file.is_file():
        raise LocalError(
            f"{file.name} does not exist. For a stack beside {DEFAULT_STACK}, run `{workspace.command('up')}` "
            f"without ports. For one with its own ports, run `cp Pulumi.{DEFAULT_STACK}.yaml {file.name}` first."
        )
    try:
        content = yaml.safe_load(file.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LocalError(f"{file.name} is not valid YAML: {error}") from error
    config = (content.get("config") or {}) if isinstance(content, dict) else None
    if not isinstance(config, dict):
        raise LocalError(f"{file.name} is not the config of a stack; its keys and values must be below `config:`.")
    return config


def platform_keys(workspace: Workspace, *, zone: str) -> dict[str, Any]:
    """Return the keys that say where the platform of this machine is. Raises `LocalError` for another Kong."""
    file = workspace.config_file
    kong = str(read_config(workspace).get(f"{PROJECT}:kongAdminUrl"))
    if kong.startswith(("http://", "https://")) and urlsplit(kong).hostname not in LOOPBACK:
        raise LocalError(
            f"{file.name} names the Kong at {kong}, but `make` deploys to a gateway of its own. Run `pulumi up` "
            f"to deploy to that Kong, or remove kongAdminUrl from {file.name}."
        )
    return {
        f"{PROJECT}:kongAdminUrl": workspace.admin_url,
        f"{PROJECT}:hostedZoneId": zone,
        **({} if on_kubernetes(workspace) else {f"{PROJECT}:network": workspace.platform}),
        "aws:endpoints": [{"route53": workspace.route53_url}],
    }


def point_at_platform(workspace: Workspace, *, zone: str) -> None:
    """Set the keys that say where the platform of this machine is, where they differ."""
    config = read_config(workspace)
    for key, value in platform_keys(workspace, zone=zone).items():
        if config.get(key) == value:
            continue
        say(f"{workspace.config_file.name}: set {key} to {json.dumps(value)}")
        to = ["--path", f"{key}[0].route53", value[0]["route53"]] if isinstance(value, list) else [key, value]
        run(["pulumi", "config", "set", "--stack", workspace.stack, *to], log="config-set")


def on_kubernetes(workspace: Workspace) -> bool:
    """Return whether a Kubernetes cluster runs the stack's service."""
    return read_config(workspace).get(f"{PROJECT}:containerHost") == "kubernetes"


def uses_local_cluster(workspace: Workspace) -> bool:
    """Return whether the stack is for the cluster of `make cluster`."""
    return on_kubernetes(workspace) and read_config(workspace).get(f"{PROJECT}:kubeContext") == CONTEXT


def labels(workspace: Workspace) -> list[str]:
    """Return the labels of the stack's containers and volumes, in the form of Docker's filters."""
    return [f"session-context.project={PROJECT}", f"session-context.stack={workspace.stack}"]


def docker_host(workspace: Workspace) -> str:
    """Return the Docker host that the stack names; empty for this machine's engine."""
    return str(read_config(workspace).get(f"{PROJECT}:dockerHost") or "")


def image_repository(workspace: Workspace) -> str:
    """Return the name of the stack's images, without a tag or a digest."""
    config = read_config(workspace)
    pinned = str(config.get(f"{PROJECT}:image") or "").partition("@")[0]
    return pinned or str(config.get(f"{PROJECT}:imageRepository") or REPOSITORY)


def keep_images(workspace: Workspace) -> int:
    """Return how many images of the service to keep on the engine."""
    return int(read_config(workspace).get(f"{PROJECT}:keepImages") or 5)


def hostname(workspace: Workspace) -> str:
    """Return the name that the stack serves."""
    name = _read(workspace, "hostname").strip().removesuffix(".")
    try:
        return idna.encode(name, uts46=True).decode() if not name.isascii() else name.lower()
    except idna.IDNAError as error:
        raise LocalError(f"hostname {name} in {workspace.config_file.name} is not valid: {error}") from error


def upstream(workspace: Workspace) -> str:
    """Return the name of the stack's upstream in Kong."""
    return _read(workspace, "upstreamName")


def keeps_data(workspace: Workspace) -> bool:
    """Return whether a destroy leaves the stack's volume."""
    return str(read_config(workspace).get(f"{PROJECT}:keepData")).lower() == "true"


def plain_http(workspace: Workspace) -> str:
    """Return what the stack's route does with plain HTTP: serve, redirect or refuse."""
    return str(read_config(workspace).get(f"{PROJECT}:plainHttp") or "serve")


def requests_per_minute(workspace: Workspace) -> int | None:
    """Return the stack's rate limit; None without one."""
    limit = str(read_config(workspace).get(f"{PROJECT}:requestsPerMinute") or "")
    return int(limit) if limit.isdecimal() else None


def api_key_header(workspace: Workspace) -> dict[str, str] | None:
    """Return the header with the key of one of the stack's consumers.

    It is empty where no key is needed, and None where the stack has no consumer: the keys of consumers that others
    manage are not known here.
    """
    if str(read_config(workspace).get(f"{PROJECT}:keyAuth")).lower() != "true":
        return {}
    keys: list[str] = list(json.loads(_read_secret(workspace, "consumers") or "{}").values())
    return {"apikey": keys[0]} if keys else None


def registry_login(workspace: Workspace) -> dict[str, str] | None:
    """Return the stack's own login for its registry; None without one."""
    user = read_config(workspace).get(f"{PROJECT}:registryUsername")
    password = _read_secret(workspace, "registryPassword") if user else ""
    return {"username": str(user), "password": password} if password else None


def uses_postgresql(workspace: Workspace) -> bool:
    """Return whether the sessions are in a PostgreSQL, and not in the stack's volume."""
    return _read_secret(workspace, "databaseUrl").startswith("postgres")


def _read(workspace: Workspace, key: str) -> str:
    """Return the value of a key, else its default."""
    default = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"][key]["default"]
    return str(read_config(workspace).get(f"{PROJECT}:{key}") or default)


def _read_secret(workspace: Workspace, key: str) -> str:
    """Return the value of a key, decrypted; empty without one."""
    if f"{PROJECT}:{key}" not in read_config(workspace):
        return ""
    done = capture(["pulumi", "--non-interactive", "config", "get", key, "--stack", workspace.stack])
    if done.returncode:
        raise LocalError(f"{key} of stack {workspace.stack} can't be read: {done.stderr.strip()}")
    return done.stdout.strip()
