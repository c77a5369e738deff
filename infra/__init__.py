"""The CDK app: everything that `cdk deploy` creates."""

import os

# jsii prints a banner for a Node major that is past its end of life; all that is done here works with it.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")
