# SPDX-License-Identifier: Apache-2.0
import ast
import threading
from collections.abc import Iterator
from pathlib import Path

from portineria.process import logging
from portineria.process.figures import MOST, OTHER, Counts, Figure

SOURCE = Path(logging.__file__).parents[1]
SAID = Figure("portineria_said_total", "What was said.", ("word",))


def test_what_is_counted_from_many_threads_is_counted_once_each() -> None:
    counts = Counts()

    def say() -> None:
        for _ in range(500):
            counts.add(SAID, "yes")

    threads = [threading.Thread(target=say) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(sample.labels, sample.value) for sample in counts.read()] == [(("yes",), 2000)]


def test_a_label_that_takes_any_value_cannot_fill_the_memory() -> None:
    counts = Counts()
    for number in range(MOST + 50):
        counts.add(SAID, str(number))
    found = {sample.labels: sample.value for sample in counts.read()}
    assert len(found) == MOST + 1
    assert found[OTHER,] == 50


def said_otherwise(text: str) -> Iterator[int]:
    """Lines where a record's event is no constant: it is a label of ``portineria_log_records_total``."""
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            levels = ("debug", "info", "warning", "error", "critical", "exception")
            called = node.func.value.id == "log" and node.func.attr in levels
            if called and not (isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)):
                yield node.lineno


def test_what_a_record_says_is_a_word_of_our_source() -> None:
    found = {str(path): lines for path in SOURCE.rglob("*.py") if (lines := list(said_otherwise(path.read_text())))}
    assert found == {}
    assert list(said_otherwise("log.info(name)\nlog.info(f'{name}.x')\nlog.info('x.y', name=name)\n")) == [1, 2]
