"""A synthesized CloudFormation template, with methods to find resources in it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Template:
    """A template; resources are found by type and by a part of their logical id."""

    body: dict[str, Any]

    def resources(self, type_: str, containing: str = "") -> dict[str, dict[str, Any]]:
        """Return resources of a type (`AWS::` may be left out) by logical id."""
        full_type = f"AWS::{type_.removeprefix('AWS::')}"
        return {
            name: resource
            for name, resource in self.body["Resources"].items()
            if resource["Type"] == full_type and containing in name
        }

    def properties(self, type_: str, containing: str = "") -> list[dict[str, Any]]:
        """Return the properties of all resources of a type."""
        return [resource.get("Properties", {}) for resource in self.resources(type_, containing).values()]

    def one(self, type_: str, containing: str = "") -> dict[str, Any]:
        """Return the properties of the only matching resource."""
        (found,) = self.properties(type_, containing)
        return found

    def closure(self, name: str) -> set[str]:
        """Return the logical ids of everything that a resource depends on, by DependsOn or references."""
        dependencies: set[str] = set()
        to_visit = [name]
        while to_visit:
            resource = self.body["Resources"][to_visit.pop()]
            references = {*listed(resource.get("DependsOn", [])), *_references(resource.get("Properties"))}
            new = (references & self.body["Resources"].keys()) - dependencies
            dependencies |= new
            to_visit += new
        return dependencies

    def statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield all statements of all policies of roles, with the logical id of the policy."""
        for name, policy in self.resources("IAM::Policy").items():
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                yield name, statement

    @property
    def outputs(self) -> dict[str, Any]:
        """Return the outputs' values by name."""
        return {name: output["Value"] for name, output in self.body["Outputs"].items()}


def listed(value: Any) -> list[Any]:
    """Return a policy's value as a list."""
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """Return a value as text with its references, in which parts can be searched."""
    return value if isinstance(value, str) else json.dumps(value)


def _references(value: Any) -> Iterator[str]:
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case dict():
            for member in value.values():
                yield from _references(member)
        case list():
            for member in value:
                yield from _references(member)
