"""The templates as CloudFormation reads them: parsed, and resolved with given parameters.

Only the functions that the templates use; any other is an error, so that nothing is passed over.
"""

import re

import yaml

NO_VALUE = object()


class Loader(yaml.SafeLoader):
    """Plain YAML with the short forms of CloudFormation. No anchors: StackSets and older tools refuse them."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        if getattr(self.peek_event(), "anchor", None):
            raise yaml.YAMLError("an anchor")
        return super().compose_node(parent, index)


def short_form(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", short_form)


def parse(path):
    return yaml.load(path.read_text(), Loader)


class Stack:
    """The resources of a template with these parameters. `attributes` are what the resources answer to Ref and GetAtt."""

    def __init__(self, template, parameters, pseudo, attributes):
        self.template, self.attributes = template, attributes
        self.values = {name: str(parameter["Default"]) for name, parameter in template["Parameters"].items() if "Default" in parameter}
        unknown = parameters.keys() - template["Parameters"].keys()
        assert not unknown, unknown
        self.values |= parameters
        self.values |= pseudo
        self.resources = {
            name: self.resolve(resource.get("Properties", {}))
            for name, resource in template["Resources"].items()
            if "Condition" not in resource or self.holds(resource["Condition"])
        }

    def holds(self, name):
        return self.resolve(self.template["Conditions"][name])

    def of_type(self, type):
        return {name: properties for name, properties in self.resources.items() if self.template["Resources"][name]["Type"] == type}

    def reference(self, name):
        if name == "AWS::NoValue":
            return NO_VALUE
        return self.values[name] if name in self.values else self.attributes[name]

    def resolve(self, value):
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref":
                return self.reference(argument)
            if name == "Condition" and isinstance(argument, str):
                return self.holds(argument)
            if name.startswith("Fn::"):
                return getattr(self, name[4:].lower())(argument)
        resolved = {name: self.resolve(item) for name, item in value.items()}
        return {name: item for name, item in resolved.items() if item is not NO_VALUE}

    def getatt(self, argument):
        return self.attributes[".".join(argument)]

    def sub(self, argument):
        text, own = (argument, {}) if isinstance(argument, str) else argument
        return re.sub(r"\$\{([^}]+)\}", lambda found: str(self.resolve(own[found[1]]) if found[1] in own else self.reference(found[1])), text)

    def equals(self, argument):
        left, right = map(self.resolve, argument)
        return str(left) == str(right)

    def bool_list(self, argument):
        values = [self.resolve(item) for item in argument]
        assert all(isinstance(item, bool) for item in values), argument
        return values

    def _not(self, argument):
        return not self.bool_list(argument)[0]

    def _and(self, argument):
        return all(self.bool_list(argument))

    def _if(self, argument):
        condition, yes, no = argument
        return self.resolve(yes if self.holds(condition) else no)

    def split(self, argument):
        separator, text = argument
        return self.resolve(text).split(separator)

    def findinmap(self, argument):
        mapping, first, second = map(self.resolve, argument)
        return self.template["Mappings"][mapping][first][second]


# Python's own words.
for word in ("not", "and", "if"):
    setattr(Stack, word, getattr(Stack, f"_{word}"))


def references(value):
    """Every name that a Ref, GetAtt, Sub or Condition means."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "Ref" or (name == "Condition" and isinstance(item, str)):
                yield item
            elif name == "Fn::GetAtt":
                yield item[0]
            elif name == "Fn::Sub":
                text, own = (item, {}) if isinstance(item, str) else item
                yield from (found.split(".")[0] for found in re.findall(r"\$\{([^}]+)\}", text) if found not in own)
                yield from references(own)
            else:
                if name == "Fn::If":
                    yield item[0]
                yield from references(item)
