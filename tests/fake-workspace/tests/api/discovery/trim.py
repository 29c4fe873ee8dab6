#!/usr/bin/env python3
"""Makes the trimmed discovery documents in `documents/` from Google's whole ones.

    python3 trim.py FOLDER

FOLDER holds the documents as https://www.googleapis.com/discovery/v1/apis/NAME/VERSION/rest (or the API's own
host below /$discovery/rest?version=VERSION) gives them, under the names in DOCUMENTS.

What is kept: the methods whose ids stand as a string in the sources of the fake, the schemas which these
methods name or which those schemas name, and of both only what a check can use. Descriptions, icons and
annotations go. One method or schema is one line, so that a new revision can be read as a diff.
"""

import json
import pathlib
import re
import sys

DOCUMENTS = ["gmail.v1", "calendar.v3", "drive.v3", "admin.directory_v1", "pubsub.v1", "iamcredentials.v1"]
METHOD = ["httpMethod", "path", "flatPath", "request", "response", "scopes", "mediaUpload", "supportsMediaDownload"]
PARAMETER = ["type", "format", "location", "required", "repeated", "enum"]
SCHEMA = ["type", "format", "$ref", "enum", "default"]
# Values that the documents give in words only, by the path of the field.
WORDS = {
    "drive:v3": {
        "Change.changeType": ["file", "drive"],
        "Permission.type": ["user", "group", "domain", "anyone"],
        "Permission.role": ["owner", "organizer", "fileOrganizer", "writer", "commenter", "reader"],
        "Permission.permissionDetails[].permissionType": ["file", "member"],
        "Permission.permissionDetails[].role": ["owner", "organizer", "fileOrganizer", "writer", "commenter", "reader"],
        "Permission.view": ["published", "metadata"],
    },
}
HERE = pathlib.Path(__file__).parent


def served():
    """All strings in the sources that look like the id of a method; price lists name methods that are not served."""
    sources = HERE.parents[2] / "src"
    files = [file for file in sorted(sources.rglob("*.rs")) if "quota" not in file.parts]
    text = "".join(file.read_text() for file in files)
    return set(re.findall(r'"([a-z]+(?:\.[A-Za-z]+)+)"', text))


def methods_of(node):
    """All methods of a document, at any depth."""
    yield from node.get("methods", {}).values()
    for inner in node.get("resources", {}).values():
        yield from methods_of(inner)


def trim_schema(schema, path, words):
    """A schema without its words, but for lists of values in them: Calendar has no others."""
    trimmed = {name: schema[name] for name in SCHEMA if name in schema}
    if schema.get("type") == "string" and "enum" not in schema:
        listed = re.findall(r'^\s*- "(\w+)"', schema.get("description", ""), re.MULTILINE)
        values = words.get(path, listed)
        if values:
            trimmed["enum"] = values
    if "properties" in schema:
        trimmed["properties"] = {
            name: trim_schema(inner, f"{path}.{name}", words) for name, inner in schema["properties"].items()
        }
    if "items" in schema:
        trimmed["items"] = trim_schema(schema["items"], f"{path}[]", words)
    if "additionalProperties" in schema:
        trimmed["additionalProperties"] = trim_schema(schema["additionalProperties"], f"{path}{{}}", words)
    return trimmed


def references(schema):
    """Names of the schemas that a schema leads to directly."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for inner in schema.values():
            yield from references(inner)


def trim(document, wanted):
    """The document with the methods in `wanted` and what they need."""
    methods, found = {}, {}
    for method in methods_of(document):
        if method["id"] in wanted:
            kept = {name: method[name] for name in METHOD if name in method}
            kept["parameters"] = {
                name: {key: parameter[key] for key in PARAMETER if key in parameter}
                for name, parameter in method.get("parameters", {}).items()
            }
            if "mediaUpload" in kept:
                kept["mediaUpload"] = sorted(way["path"] for way in kept["mediaUpload"]["protocols"].values())
            methods[method["id"]] = kept
    waiting = list(references(methods))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = trim_schema(document["schemas"][name], name, WORDS.get(document["id"], {}))
            waiting.extend(references(found[name]))
    return {
        "id": document["id"],
        "revision": document["revision"],
        "servicePath": document["servicePath"],
        "parameters": sorted(document["parameters"]),
        "methods": methods,
        "schemas": found,
    }


def layout(document):
    """JSON with one method or schema a line."""
    lines = []
    for name, value in document.items():
        if name in ("methods", "schemas"):
            inner = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value[key], sort_keys=True)}" for key in sorted(value))
            lines.append(f' "{name}": {{\n{inner}\n }}')
        else:
            lines.append(f' "{name}": {json.dumps(value)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main():
    folder = pathlib.Path(sys.argv[1])
    wanted = served()
    for name in DOCUMENTS:
        document = json.loads((folder / f"{name}.json").read_text())
        trimmed = trim(document, wanted)
        (HERE / "documents" / f"{name}.json").write_text(layout(trimmed))
        print(f"{name}: {len(trimmed['methods'])} methods, {len(trimmed['schemas'])} schemas")


if __name__ == "__main__":
    main()
