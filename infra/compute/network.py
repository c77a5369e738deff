"""The network of the ECS tasks that run workers: a VPC with its NAT and endpoints, and a security group."""

from collections.abc import Sequence
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct, IDependable

from adapters.listing import PENDING
from domain.keys import REPORT_PREFIX
from infra.settings import deployment as settings

_GatewayService: Final = ec2.GatewayVpcEndpointAwsService

# The CDK's default. A security rule uses it instead of a reference to the VPC's own attribute, because
# cdk-nag cannot check references.
_VPC_ADDRESSES: Final = ec2.Vpc.DEFAULT_CIDR_RANGE

# The cheapest type. Its network is fast only in bursts, which is enough for calls to AWS and callers' links,
# but slow for images from public registries. The machine image is looked up once and kept in
# cdk.context.json, because a new one would replace the instance and thereby its public address.
_NAT_INSTANCE: Final = "t4g.nano"
_NAT_CPU: Final = ec2.AmazonLinuxCpuType.ARM_64


class Network(Construct):
    """A VPC with private subnets and one NAT gateway or instance, or an existing VPC, and a security group.

    The endpoints of a new VPC allow writing to `written_bucket` and of what workers report to
    `report_bucket`, listing the first and the `read_buckets`, reading any bucket, and access to the `table`.
    The endpoints of an existing VPC are left to its owner.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: settings.Network,
        written_bucket: s3.IBucket,
        report_bucket: s3.IBucket,
        read_buckets: Sequence[s3.IBucket],
        table: dynamodb.ITable,
    ) -> None:
        super().__init__(scope, id_)
        self._written_bucket = written_bucket
        self._report_bucket = report_bucket
        self._read_buckets = read_buckets
        self._table = table
        self._nat = settings.nat
        self.vpc = self._look_up_vpc(settings.vpc_id) if settings.vpc_id else self._create_vpc()
        # With the network mode awsvpc, all containers of an ECS task share one network interface, on which
        # the engine listens. Only the lack of ingress rules in this group prevents access from outside the
        # ECS task.
        self.security_group = ec2.SecurityGroup(
            self, "Tasks", vpc=self.vpc, description="GPU tasks, without ingress", allow_all_outbound=True
        )

    def _look_up_vpc(self, vpc_id: str) -> ec2.IVpc:
        return ec2.Vpc.from_lookup(self, "Vpc", vpc_id=vpc_id)

    def _create_vpc(self) -> ec2.IVpc:
        private_subnets = ec2.SubnetConfiguration(
            name="Tasks", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS
        )
        public_subnets = ec2.SubnetConfiguration(
            name="Nat", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=26, map_public_ip_on_launch=False
        )
        nat_instance = _nat_instance() if self._nat == "instance" else None
        vpc = ec2.Vpc(
            self,
            "Vpc",
            # All that the stack names; the CDK's default is at most three.
            max_azs=len(cdk.Stack.of(self).availability_zones),
            # One is enough: calls to AWS, callers' links and images of public registries pass through it.
            # Checkpoints and the layers of images in ECR, most of the traffic, use the free gateway
            # endpoints.
            nat_gateways=1,
            nat_gateway_provider=nat_instance,
            ip_addresses=ec2.IpAddresses.cidr(_VPC_ADDRESSES),
            subnet_configuration=[public_subnets, private_subnets],
        )
        if nat_instance is not None:
            nat_instance.connections.allow_from(
                ec2.Peer.ipv4(_VPC_ADDRESSES), ec2.Port.all_traffic(), "from the VPC, to forward"
            )
        s3_endpoint = vpc.add_gateway_endpoint("S3", service=_GatewayService.S3)
        # Reads are not restricted, because callers' links point to their own buckets, and image layers come
        # from buckets of AWS.
        _allow(s3_endpoint, "s3:GetObject", "s3:GetObjectVersion", on=["*"])
        _allow(s3_endpoint, "s3:PutObject", "s3:DeleteObject", on=[self._written_bucket.arn_for_objects("*")])
        _allow(s3_endpoint, "s3:PutObject", on=[self._report_bucket.arn_for_objects(f"{REPORT_PREFIX}*")])
        bucket_arns = [bucket.bucket_arn for bucket in (self._written_bucket, *self._read_buckets)]
        _allow(s3_endpoint, "s3:ListBucket", on=bucket_arns)
        dynamodb_endpoint = vpc.add_gateway_endpoint("DynamoDB", service=_GatewayService.DYNAMODB)
        table_arns = [self._table.table_arn]
        _allow(
            dynamodb_endpoint, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", on=table_arns
        )
        _allow(dynamodb_endpoint, "dynamodb:Query", on=[f"{self._table.table_arn}/index/{PENDING}"])
        return vpc

    @property
    def dependency(self) -> IDependable:
        """What must exist while ECS tasks run: subnets, routes, NAT and endpoints."""
        return self.vpc

    @property
    def subnets(self) -> list[ec2.ISubnet]:
        """The private subnets, in which the ECS tasks run."""
        return self.vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS).subnets


def _nat_instance() -> ec2.NatInstanceProviderV2:
    return ec2.NatProvider.instance_v2(
        instance_type=ec2.InstanceType(_NAT_INSTANCE),
        machine_image=ec2.MachineImage.latest_amazon_linux2023(cpu_type=_NAT_CPU, cached_in_context=True),
        default_allowed_traffic=ec2.NatTrafficDirection.OUTBOUND_ONLY,
        # The subnet does not assign public addresses.
        associate_public_ip_address=True,
    )


def _allow(endpoint: ec2.GatewayVpcEndpoint, *actions: str, on: list[str]) -> None:
    statement = iam.PolicyStatement(principals=[iam.AnyPrincipal()], actions=list(actions), resources=on)
    endpoint.add_to_policy(statement)
