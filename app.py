"""The CDK app: the only place that knows environments."""

import aws_cdk as cdk

app = cdk.App()
app.synth()
