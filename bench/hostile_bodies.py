"""Request bodies of any size that are expensive to check, for `bench.checking` and the tests."""

from dataclasses import dataclass
from typing import Final

VALUES: Final = 95_000
"""The number of values in a body: just below the limit, which includes the metadata."""

_LONG_NAME: Final = '{"' + "k" * 256 + '":'
_DEPTH: Final = 25


@dataclass(frozen=True)
class Shape:
    """A template for bodies.

    `unit` is inserted at the @ of `content` as often as it fits. In `unit`, # becomes its number, and ~
    becomes filler, so that the body reaches its size. Without a separator, the units form a single text.
    """

    content: str
    unit: str
    separator: str = ","
    tasktype: str = "text-to-image"
    metadata: str = ""

    def body(self, size: int) -> bytes:
        """Return a body of at most `size` bytes, with at most VALUES values unless it is a single text."""
        outside = (
            '{"task": {"metadata": {"id": "a", "runtime": "sdruntime", "prefix": "output", '
            f'"tasktype": "{self.tasktype}"{self.metadata}}}, "content": {self.content}}}}}'
        )
        room = size - len(outside)
        unit = self.unit.replace("#", "000000")
        shortest = len(unit.encode()) - unit.count("~") + len(self.separator)
        count = max(1, room // shortest)
        if self.separator:
            count = min(count, VALUES // sum(map((unit + self.separator).count, "[{,")))
        filler = "x" * max(0, room // count - shortest) if "~" in unit else ""
        text = self.unit.replace("~", filler)
        return outside.replace(
            "@", self.separator.join(text.replace("#", f"{n:06}") for n in range(count))
        ).encode()


def _text(unit: str, content: str = '{"prompt": "@"}', **more: str) -> Shape:
    return Shape(content, unit, separator="", **more)


def _below_long_names(content: str) -> str:
    return f'{{"alwayson_scripts": {_LONG_NAME * _DEPTH}{content}{"}" * _DEPTH}}}'


SHAPES: Final[dict[str, Shape]] = {
    "unknown fields": Shape("{@}", '"#~": 0'),
    "unknown fields that are nearly known": Shape("{@}", '"batch_siz#": 0'),
    "settings": Shape('{"override_settings": {@}}', '"#~": 0'),
    "settings of a script": Shape('{"alwayson_scripts": {"override_settings": {@}}}', '"#~": 0'),
    "scripts": Shape('{"alwayson_scripts": {@}}', '"#~": {"args": []}'),
    "scripts that are no objects": Shape('{"alwayson_scripts": {@}}', '"#~": 0'),
    "paths below long names": Shape(_below_long_names("{@}"), '"#_dir": "~"'),
    "images below long names": Shape(_below_long_names("{@}"), '"#": {"image": "~"}'),
    "units": Shape('{"alwayson_scripts": {"controlnet": {"args": [@]}}}', '{"weight": "~", "enabled": 1}'),
    "arguments": Shape('{"alwayson_scripts": {"s": {"args": [@]}}}', '"http://h/~"'),
    "arguments of the script": Shape('{"script_name": "s", "script_args": [@]}', '"<lora:~:1>"'),
    "prompts of scripts": Shape('{"alwayson_scripts": {"s": {"args": [{@}]}}}', '"#_prompt": "(~"'),
    "images that are none": Shape('{"init_images": [@]}', "0", tasktype="image-to-image"),
    "images that are texts": Shape('{"init_images": [@]}', '"~"', tasktype="image-to-image"),
    "links": Shape('{"init_images": [@]}', '"https://h/~"', tasktype="image-to-image"),
    "a batch": Shape('{"imageList": [@]}', '{"data": "~"}', tasktype="extra-batch-images"),
    "empty lists": Shape('{"a": [@]}', "[]"),
    "deep lists": Shape('{"a": [@]}', "[[[[[[[[[[[[]]]]]]]]]]]]"),
    "objects": Shape('{"a": [@]}', '{"": {"": {"": 0}}}'),
    "metadata": Shape("{}", '"#~": 0', metadata=", @"),
    "a context": _text("x", "{}", metadata=', "context": "@"'),
    "a context of values": Shape("{}", "{}", metadata=', "context": [@]'),
    "an id": _text("x", "{}", metadata=', "id": "@"'),
    "a prefix": _text("x", "{}", metadata=', "prefix": "@"'),
    "a prefix of many segments": _text("a/", "{}", metadata=', "prefix": "@"'),
    "a runtime": _text("x", "{}", metadata=', "runtime": "@"'),
    "a task type": _text("x", "{}", metadata=', "tasktype": "@"'),
    "a checkpoint": _text("a b", '{"alwayson_scripts": {"sd_model_checkpoint": "@"}}'),
    "a checkpoint of folders": _text("\\\\", '{"alwayson_scripts": {"sd_model_checkpoint": "@"}}'),
    "a checkpoint of hashes": _text(" [0123456789]", '{"alwayson_scripts": {"sd_model_checkpoint": "a@"}}'),
    "a setting's name": _text("s", '{"override_settings": {"@": 0}}'),
    "a script's name": _text("s", '{"alwayson_scripts": {"@": {}}}'),
    "a field's name": _text("s", '{"@": 0}'),
    "a number": _text("1", '{"steps": "@", "cfg_scale": "1"}'),
    "spaces before a number": _text(" ", '{"steps": "@1", "cfg_scale": 1}'),
    "a sampler": _text("Euler a", '{"sampler_name": "@"}'),
    "an inline image": _text("AAAA", '{"init_images": ["@"]}', tasktype="image-to-image"),
    "a link": _text("a.", '{"init_images": ["https://@"]}', tasktype="image-to-image"),
    "smileys": _text("\U0001f600"),
    "a prompt without an end of its tag": _text("b", '{"prompt": "<a:@"}'),
    "a network of choices": _text("a|", f'{{"prompt": "<lora:{"x" * 100_000}{{@a}}:1>"}}'),
    **{
        f"a prompt of {unit}": _text(unit)
        for unit in ("<a:", "<lora:a:1>", "(", "((a:1)", "a|", ":", "\\\\", "__a", "BREAK ")
    },
}
