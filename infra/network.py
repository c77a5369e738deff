"""Where the GPU tasks run."""

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from infra import settings


class Network(Construct):
    """A VPC with private subnets and one NAT gateway, or an existing VPC; and a group that lets nobody in."""

    def __init__(self, scope: Construct, id_: str, *, settings: settings.Network) -> None:
        super().__init__(scope, id_)
        self.vpc = self._existing(settings.vpc_id) if settings.vpc_id else self._new()
        # With awsvpc every container of a task shares one interface: SD Web UI listens on it, and this
        # group, which has no ingress rule, is what keeps everyone else out.
        self.security_group = ec2.SecurityGroup(
            self, "Tasks", vpc=self.vpc, description="GPU tasks: nothing comes in", allow_all_outbound=True
        )

    def _existing(self, vpc_id: str) -> ec2.IVpc:
        return ec2.Vpc.from_lookup(self, "Vpc", vpc_id=vpc_id)

    def _new(self) -> ec2.IVpc:
        private = ec2.SubnetConfiguration(name="Tasks", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
        public = ec2.SubnetConfiguration(
            name="Nat", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=26, map_public_ip_on_launch=False
        )
        vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            # One: what goes through it are links of callers and calls to SQS, SNS and ECR. Checkpoints and
            # images, the bulk, take the free gateway endpoints.
            nat_gateways=1,
            subnet_configuration=[public, private],
        )
        vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        vpc.add_gateway_endpoint("DynamoDB", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        return vpc

    @property
    def subnets(self) -> list[ec2.ISubnet]:
        """The private subnets."""
        return self.vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS).subnets
