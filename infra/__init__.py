"""The CDK app: everything that `cdk deploy` creates."""
