"""Prometheus text format, version 0.0.4."""


class Family:
    """One metric with its help, its type and its samples."""

    def __init__(self, name, kind, text, default=None):
        self.name, self.kind, self.text, self.default = name, kind, text, default
        self.samples = []

    def add(self, value, suffix="", **labels):
        self.samples.append((suffix, labels, value))

    def lines(self):
        yield f"# HELP {self.name} {self.text}"
        yield f"# TYPE {self.name} {self.kind}"
        samples = self.samples
        if not samples and self.default is not None:
            samples = [("", {}, self.default)]
        for suffix, labels, value in samples:
            yield f"{self.name}{suffix}{_labels(labels)} {_number(value)}"


def render(families):
    return "".join(line + "\n" for family in families for line in family.lines())


def _labels(labels):
    if not labels:
        return ""
    pairs = (f'{name}="{_escaped(str(value))}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escaped(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value):
    number = float(value)
    return str(int(number)) if number.is_integer() else repr(number)
