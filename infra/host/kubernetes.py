"""The service in a namespace of a Kubernetes cluster, rolled from one version to the next without a gap."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pulumi
from pulumi_kubernetes import apps, autoscaling, core, meta, networking, policy

from infra.config.container_hosts import KubernetesConfig
from infra.host.pod import PORT, pod_template
from infra.image import Image

ROLLOUT_SECONDS = 180
"""How long a rollout may take, with new nodes for its pods. Without it the plugin waits past every deadline."""

CPU_PERCENT = 70


def kubernetes_provider(host: KubernetesConfig) -> pulumi.ProviderResource:
    """Declare the provider of the cluster.

    The SDK's own class would declare KUBECONFIG itself, and each engineer's would be a change of the stack.
    """
    inputs: dict[str, Any] = {"context": host.context, "kubeconfig": host.kubeconfig}
    opts = pulumi.ResourceOptions(version=version("pulumi-kubernetes"))
    return pulumi.ProviderResource("kubernetes", "kubernetes", inputs, opts)


class KubernetesHost(pulumi.ComponentResource):
    """A Deployment of the service, its Service, and what keeps both safe and available."""

    addresses: dict[str, tuple[pulumi.Resource, pulumi.Output[str]]]
    """By name: what serves, and its HOST:PORT for the gateway."""

    outputs: dict[str, pulumi.Output[str]]
    """What the stack exports of its host."""

    def __init__(
        self,
        name: str,
        *,
        image: Image,
        host: KubernetesConfig,
        variables: Mapping[str, str],
        secrets: Mapping[str, pulumi.Output[str]],
    ) -> None:
        opts = pulumi.ResourceOptions(providers=[kubernetes_provider(host)])
        super().__init__("session-context:index:KubernetesHost", name, None, opts)
        self._name = name
        self._host = host
        self._object_name = f"{name}-{pulumi.get_stack()}"
        self._labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": pulumi.get_stack()}
        self._child = pulumi.ResourceOptions(parent=self)
        network_policy = self._network_policy()
        secret = core.v1.Secret(
            f"{name}-secrets",
            # Without a name, so that another content makes another Secret beside the one that pods still mount.
            metadata=self._metadata(named=False),
            immutable=True,
            string_data=secrets,
            opts=self._child,
        )
        template = pod_template(
            image=image.reference,
            secret=secret.metadata.name,
            host=host,
            variables=variables,
            labels=self._labels,
        )
        deployment = self._deployment(template, after=network_policy)
        endpoint = self._service(after=deployment)
        policy.v1.PodDisruptionBudget(
            name,
            metadata=self._metadata(),
            spec=policy.v1.PodDisruptionBudgetSpecArgs(max_unavailable=1, selector=self._selector()),
            opts=self._child,
        )
        if host.max_replicas:
            self._autoscaler(host.max_replicas, after=deployment)
        self.addresses = self._addresses(endpoint)
        self.outputs = {"workload": pulumi.Output.concat(host.namespace, "/", deployment.metadata.name)}
        self.register_outputs(self.outputs)

    def _metadata(self, *, named: bool = True) -> meta.v1.ObjectMetaArgs:
        return meta.v1.ObjectMetaArgs(
            name=self._object_name if named else None,
            namespace=self._host.namespace,
            labels=self._labels | {"app.kubernetes.io/managed-by": "pulumi"},
            annotations={
                "pulumi.com/timeoutSeconds": str(ROLLOUT_SECONDS),
                # What was changed by hand belongs to kubectl, and a plain update would end in a conflict.
                "pulumi.com/patchForce": "true",
            },
        )

    def _selector(self) -> meta.v1.LabelSelectorArgs:
        return meta.v1.LabelSelectorArgs(match_labels=self._labels)

    def _network_policy(self) -> pulumi.Resource:
        """Let in the gateway alone. A cluster whose network plugin has no policies takes it and does nothing."""
        peers = [
            networking.v1.NetworkPolicyPeerArgs(ip_block=networking.v1.IPBlockArgs(cidr=source))
            if self._host.node_addresses
            else networking.v1.NetworkPolicyPeerArgs(
                namespace_selector=meta.v1.LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": source})
            )
            for source in self._host.gateway_sources
        ]
        return networking.v1.NetworkPolicy(
            self._name,
            metadata=self._metadata(),
            spec=networking.v1.NetworkPolicySpecArgs(
                pod_selector=self._selector(),
                policy_types=["Ingress"],
                ingress=[
                    networking.v1.NetworkPolicyIngressRuleArgs(
                        from_=peers, ports=[networking.v1.NetworkPolicyPortArgs(port=PORT, protocol="TCP")]
                    )
                ],
            ),
            opts=self._child,
        )

    def _deployment(self, template: core.v1.PodTemplateSpecArgs, *, after: pulumi.Resource) -> apps.v1.Deployment:
        return apps.v1.Deployment(
            self._name,
            metadata=self._metadata(),
            spec=apps.v1.DeploymentSpecArgs(
                replicas=self._host.replicas,
                selector=self._selector(),
                revision_history_limit=3,
                strategy=apps.v1.DeploymentStrategyArgs(
                    type="RollingUpdate",
                    # A whole new generation is ready before the old one goes.
                    rolling_update=apps.v1.RollingUpdateDeploymentArgs(max_surge="100%", max_unavailable=0),
                ),
                template=template,
            ),
            opts=pulumi.ResourceOptions.merge(
                self._child,
                pulumi.ResourceOptions(
                    depends_on=[after],
                    # The autoscaler sets it. Left out instead, it would be 1 until the autoscaler looks again.
                    ignore_changes=["spec.replicas"] if self._host.max_replicas else None,
                ),
            ),
        )

    def _service(self, *, after: pulumi.Resource) -> core.v1.Service:
        outside = bool(self._host.node_addresses)
        return core.v1.Service(
            self._name,
            metadata=self._metadata(),
            spec=core.v1.ServiceSpecArgs(
                type="NodePort" if outside else "ClusterIP",
                # A node passes requests to pods of its own alone: so a lost node takes no other node's requests.
                external_traffic_policy="Local" if outside else None,
                selector=self._labels,
                ports=[
                    core.v1.ServicePortArgs(
                        name="http",
                        port=PORT,
                        target_port=PORT,
                        protocol="TCP",
                        node_port=self._host.node_port if outside else None,
                    )
                ],
            ),
            opts=pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(depends_on=[after])),
        )

    def _autoscaler(self, max_replicas: int, *, after: apps.v1.Deployment) -> None:
        autoscaling.v2.HorizontalPodAutoscaler(
            self._name,
            metadata=self._metadata(),
            spec=autoscaling.v2.HorizontalPodAutoscalerSpecArgs(
                scale_target_ref=autoscaling.v2.CrossVersionObjectReferenceArgs(
                    api_version="apps/v1", kind="Deployment", name=self._object_name
                ),
                min_replicas=self._host.replicas,
                max_replicas=max_replicas,
                metrics=[
                    autoscaling.v2.MetricSpecArgs(
                        type="Resource",
                        resource=autoscaling.v2.ResourceMetricSourceArgs(
                            name="cpu",
                            target=autoscaling.v2.MetricTargetArgs(
                                type="Utilization", average_utilization=CPU_PERCENT
                            ),
                        ),
                    )
                ],
            ),
            opts=pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(depends_on=[after])),
        )

    def _addresses(self, service: core.v1.Service) -> dict[str, tuple[pulumi.Resource, pulumi.Output[str]]]:
        if self._host.node_addresses:
            return {
                f"{self._name}-{address}": (service, pulumi.Output.from_input(f"{address}:{self._host.node_port}"))
                for address in self._host.node_addresses
            }
        host = pulumi.Output.concat(service.metadata.name, f".{self._host.namespace}.svc.cluster.local:{PORT}")
        return {self._name: (service, host)}
