"""A template as the rules ask about it: intrinsic functions resolved as far as they can be.

What is known only at deployment stays as text in `${…}`: `${FileSystem}` for a Ref,
`${Role.Arn}` for a GetAtt; so equal references are equal texts.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from checker.values import PLACEHOLDER, is_known, listed, referred

NO_VALUE = object()


class Resource(NamedTuple):
    """One resource, resolved."""

    name: str
    type: str
    properties: dict[str, Any]
    attributes: Mapping[str, Any]
    """Condition, DependsOn, DeletionPolicy and the like."""

    def get(self, *path: str, default: Any = None) -> Any:
        """The property at the path, through mappings only."""
        value: Any = self.properties
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return default if value is None else value


class Template:
    """One view of a template: `assume` says what every condition is, None works them out."""

    def __init__(self, document: Mapping[str, Any], assume: bool | None = None) -> None:
        self.document = document
        self._assume = assume
        self._parameters = _mapping(document.get("Parameters"))
        self._conditions = _mapping(document.get("Conditions"))
        self._working_out: set[str] = set()

    @cached_property
    def resources(self) -> dict[str, Resource]:
        found = {}
        for name, body in _mapping(self.document.get("Resources")).items():
            if not isinstance(body, Mapping) or not isinstance(body.get("Type"), str):
                continue
            if "Condition" in body and not self.holds(str(body["Condition"])):
                continue
            properties = self.resolve(body.get("Properties") or {})
            attributes = {key: body[key] for key in body if key not in ("Type", "Properties")}
            if isinstance(properties, dict):
                found[str(name)] = Resource(str(name), body["Type"], properties, attributes)
        return found

    def of_type(self, *types: str) -> list[Resource]:
        return [each for each in self.resources.values() if each.type in types]

    def is_a_list(self, value: Any) -> bool:
        """Is it a parameter that will be several values? They are not known one by one."""
        types = [str(_mapping(self._parameters.get(n)).get("Type", "")) for n in referred(value)]
        return any(each.startswith(("List", "CommaDelimited")) for each in types)

    def target(self, value: Any, *types: str) -> Resource | None:
        """The one resource of these types that a resolved value refers to."""
        for name in sorted(referred(value)):
            found = self.resources.get(name)
            if found is not None and (not types or found.type in types):
                return found
        return None

    def comes_before(self, resource: Resource) -> set[str]:
        """Every resource that is made before this one, however that is said."""
        found: set[str] = set()
        waiting = [resource]
        while waiting:
            each = waiting.pop()
            direct = set(map(str, listed(each.attributes.get("DependsOn"))))
            direct |= referred(each.properties)
            direct |= referred(self.resolve(each.attributes.get("Metadata") or {}))
            for name in direct - found:
                if name in self.resources and name != resource.name:
                    found.add(name)
                    waiting.append(self.resources[name])
        return found

    def holds(self, condition: str) -> bool:
        """Is it met? By assumption, else worked out from the parameters' defaults."""
        if self._assume is not None:
            return self._assume
        if condition in self._working_out:
            return True
        self._working_out.add(condition)
        try:
            return self._meets(self._conditions.get(condition)) is not False
        finally:
            self._working_out.discard(condition)

    def _meets(self, condition: Any) -> bool | None:
        """None where it depends on what is known at deployment only."""
        if not isinstance(condition, Mapping) or len(condition) != 1:
            return None
        ((name, given),) = condition.items()
        if name == "Condition":
            return self.holds(str(given))
        parts = listed(given)
        if name == "Fn::Equals" and len(parts) == 2:
            left, right = (self._plain(part) for part in parts)
            unknown = left is None or right is None or "${" in left or "${" in right
            return None if unknown else left == right
        met = [self._meets(part) for part in parts]
        if name == "Fn::Not" and len(met) == 1:
            return None if met[0] is None else not met[0]
        if name == "Fn::And":
            return False if False in met else None if None in met else True
        if name == "Fn::Or":
            return True if True in met else None if None in met else False
        return None

    def _plain(self, value: Any) -> str | None:
        """A side of Fn::Equals: an empty default is a value here."""
        if isinstance(value, Mapping) and isinstance(value.get("Ref"), str):
            default = _mapping(self._parameters.get(value["Ref"])).get("Default")
            return None if default is None else _text(default)
        return _text(self.resolve(value))

    def resolve(self, value: Any) -> Any:
        """The value with every intrinsic function worked out, or as text with `${…}`."""
        if isinstance(value, list):
            return [each for each in map(self.resolve, value) if each is not NO_VALUE]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            ((name, given),) = value.items()
            if name in ("Ref", "Condition") and isinstance(given, str) and name == "Ref":
                return self._reference(given)
            if isinstance(name, str) and name.startswith("Fn::"):
                return self._function(name, given)
        found = {str(key): self.resolve(member) for key, member in value.items()}
        return {key: member for key, member in found.items() if member is not NO_VALUE}

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        parameter = _mapping(self._parameters.get(name))
        default = parameter.get("Default")
        if default in (None, ""):
            return f"${{{name}}}"
        if str(parameter.get("Type", "")).startswith(("List", "CommaDelimited")):
            return [each.strip() for each in str(default).split(",")]
        return default

    def _function(self, name: str, given: Any) -> Any:
        if name == "Fn::If" and isinstance(given, list) and len(given) == 3:
            return self.resolve(given[1 if self.holds(str(given[0])) else 2])
        if name == "Fn::GetAtt":
            return "${" + ".".join(map(str, listed(given))) + "}"
        if name == "Fn::Sub":
            return self._substitute(given)
        if name == "Fn::Join" and isinstance(given, list) and len(given) == 2:
            parts = self.resolve(given[1])
            if isinstance(parts, list):
                return str(given[0]).join(_text(part) for part in parts)
        if name == "Fn::Select" and isinstance(given, list) and len(given) == 2:
            choice, index = self.resolve(given[1]), str(self.resolve(given[0]))
            if isinstance(choice, list) and index.isdigit() and int(index) < len(choice):
                return choice[int(index)]
        # Not worked out; what it refers to is kept, and its form tells it from others.
        names = "".join(f"${{{each}}}" for each in sorted(referred(self.resolve(_inner(given)))))
        return f"${{{name.removeprefix('Fn::')}}}{names}{_trace(given)}"

    def _substitute(self, given: Any) -> str:
        text, own = [*listed(given), {}, {}][:2]
        values = self.resolve(own) if isinstance(own, Mapping) else {}

        def put(name: str) -> str:
            if isinstance(values, Mapping) and name in values:
                return _text(values[name])
            return _text(self._reference(name)) if "." not in name else f"${{{name}}}"

        return PLACEHOLDER.sub(lambda match: put(match[1]), str(text).replace("${!", "$\u2063{"))


def views(document: Mapping[str, Any]) -> Iterator[Template]:
    """As deployed with the defaults; with every condition met; with none."""
    for assume in (None, True, False):
        yield Template(document, assume)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    if value is NO_VALUE:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)


def _inner(given: Any) -> Any:
    return given if isinstance(given, list | Mapping) else [given]


def _trace(given: Any) -> str:
    """Tells apart what could not be worked out, in texts that are compared."""
    known = [str(each) for each in listed(given) if is_known(each) and not isinstance(each, dict)]
    return "/".join(known)
