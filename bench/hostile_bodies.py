"""Request bodies that are expensive to check, of any size: for `bench.checking` and the tests."""

from dataclasses import dataclass
from typing import Final

MAX_VALUES: Final = 95_000
"""How many JSON values a body contains at most. The API refuses more than 100,000 before it checks them."""

_LONG_NAME_LEVEL: Final = '{"' + "k" * 256 + '":'
_LEVELS: Final = 25


@dataclass(frozen=True)
class BodyTemplate:
    """A template for bodies of any size.

    `unit` is inserted at the @ of `content` (or of `metadata`) as often as it fits. In `unit`, # becomes its
    number, and ~ becomes filler, so that the body reaches its size. Without a separator, the units form a
    single text.
    """

    content: str
    unit: str
    separator: str = ","
    tasktype: str = "text-to-image"
    metadata: str = ""

    def body(self, size: int) -> bytes:
        """Return a body of at most `size` bytes, with at most MAX_VALUES values."""
        frame = (
            '{"task": {"metadata": {"id": "a", "runtime": "sdruntime", "prefix": "output", '
            f'"tasktype": "{self.tasktype}"{self.metadata}}}, "content": {self.content}}}}}'
        )
        space = size - len(frame)
        unit = self.unit.replace("#", "000000")
        unit_bytes = len(unit.encode()) - unit.count("~") + len(self.separator)
        count = max(1, space // unit_bytes)
        if self.separator:
            count = min(count, MAX_VALUES // sum(map((unit + self.separator).count, "[{,")))
        filler = "x" * max(0, space // count - unit_bytes) if "~" in unit else ""
        filled_unit = self.unit.replace("~", filler)
        return frame.replace(
            "@", self.separator.join(filled_unit.replace("#", f"{number:06}") for number in range(count))
        ).encode()


def _single_text(unit: str, content: str = '{"prompt": "@"}', **more: str) -> BodyTemplate:
    return BodyTemplate(content, unit, separator="", **more)


def _below_long_names(content: str) -> str:
    return f'{{"alwayson_scripts": {_LONG_NAME_LEVEL * _LEVELS}{content}{"}" * _LEVELS}}}'


TEMPLATES: Final[dict[str, BodyTemplate]] = {
    "unknown fields": BodyTemplate("{@}", '"#~": 0'),
    "unknown fields that are nearly known": BodyTemplate("{@}", '"batch_siz#": 0'),
    "settings": BodyTemplate('{"override_settings": {@}}', '"#~": 0'),
    "settings of a script": BodyTemplate('{"alwayson_scripts": {"override_settings": {@}}}', '"#~": 0'),
    "scripts": BodyTemplate('{"alwayson_scripts": {@}}', '"#~": {"args": []}'),
    "scripts that are no objects": BodyTemplate('{"alwayson_scripts": {@}}', '"#~": 0'),
    "paths below long names": BodyTemplate(_below_long_names("{@}"), '"#_dir": "~"'),
    "images below long names": BodyTemplate(_below_long_names("{@}"), '"#": {"image": "~"}'),
    "units": BodyTemplate(
        '{"alwayson_scripts": {"controlnet": {"args": [@]}}}', '{"weight": "~", "enabled": 1}'
    ),
    "arguments": BodyTemplate('{"alwayson_scripts": {"s": {"args": [@]}}}', '"http://h/~"'),
    "arguments of the script": BodyTemplate('{"script_name": "s", "script_args": [@]}', '"<lora:~:1>"'),
    "prompts of scripts": BodyTemplate('{"alwayson_scripts": {"s": {"args": [{@}]}}}', '"#_prompt": "(~"'),
    "images that are none": BodyTemplate('{"init_images": [@]}', "0", tasktype="image-to-image"),
    "images that are texts": BodyTemplate('{"init_images": [@]}', '"~"', tasktype="image-to-image"),
    "links": BodyTemplate('{"init_images": [@]}', '"https://h/~"', tasktype="image-to-image"),
    "a batch": BodyTemplate('{"imageList": [@]}', '{"data": "~"}', tasktype="extra-batch-images"),
    "empty lists": BodyTemplate('{"a": [@]}', "[]"),
    "deep lists": BodyTemplate('{"a": [@]}', "[[[[[[[[[[[[]]]]]]]]]]]]"),
    "objects": BodyTemplate('{"a": [@]}', '{"": {"": {"": 0}}}'),
    "metadata": BodyTemplate("{}", '"#~": 0', metadata=", @"),
    "a context": _single_text("x", "{}", metadata=', "context": "@"'),
    "a context of values": BodyTemplate("{}", "{}", metadata=', "context": [@]'),
    "an id": _single_text("x", "{}", metadata=', "id": "@"'),
    "a prefix": _single_text("x", "{}", metadata=', "prefix": "@"'),
    "a prefix of many segments": _single_text("a/", "{}", metadata=', "prefix": "@"'),
    "a runtime": _single_text("x", "{}", metadata=', "runtime": "@"'),
    "a task type": _single_text("x", "{}", metadata=', "tasktype": "@"'),
    "a checkpoint": _single_text("a b", '{"alwayson_scripts": {"sd_model_checkpoint": "@"}}'),
    "a checkpoint of folders": _single_text("\\\\", '{"alwayson_scripts": {"sd_model_checkpoint": "@"}}'),
    "a checkpoint of hashes": _single_text(
        " [0123456789]", '{"alwayson_scripts": {"sd_model_checkpoint": "a@"}}'
    ),
    "a setting's name": _single_text("s", '{"override_settings": {"@": 0}}'),
    "a script's name": _single_text("s", '{"alwayson_scripts": {"@": {}}}'),
    "a field's name": _single_text("s", '{"@": 0}'),
    "a number": _single_text("1", '{"steps": "@", "cfg_scale": "1"}'),
    "spaces before a number": _single_text(" ", '{"steps": "@1", "cfg_scale": 1}'),
    "a sampler": _single_text("Euler a", '{"sampler_name": "@"}'),
    "an inline image": _single_text("AAAA", '{"init_images": ["@"]}', tasktype="image-to-image"),
    "a link": _single_text("a.", '{"init_images": ["https://@"]}', tasktype="image-to-image"),
    "smileys": _single_text("\U0001f600"),
    "a prompt without an end of its tag": _single_text("b", '{"prompt": "<a:@"}'),
    "a network of choices": _single_text("a|", f'{{"prompt": "<lora:{"x" * 100_000}{{@a}}:1>"}}'),
    **{
        f"a prompt of {unit}": _single_text(unit)
        for unit in ("<a:", "<lora:a:1>", "(", "((a:1)", "a|", ":", "\\\\", "__a", "BREAK ")
    },
}
