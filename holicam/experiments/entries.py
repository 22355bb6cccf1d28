"""An explainer as a configuration names it: its name in the registry, its label in tables, its fields and layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..methods.registry import explainers


class ConfigError(ValueError):
    """A configuration that cannot be run; the message names the key and what would be right."""


@dataclass(frozen=True)
class Entry:
    """One explainer and the fields that are given to it.

    `name` is that of the registry, `label` the one in rows and tables. `layers` are those that a joint explainer joins;
    None is its own. `fields` go to the explainer; the field base may be a name too.
    """

    name: str
    label: str
    layers: tuple[str, ...] | None = None
    fields: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, said: Entry | str | Mapping[str, object]) -> Entry:
        """Of a name, or of a table such as {"name": "rise", "label": "RISE", "masks": 300}."""
        if isinstance(said, Entry):
            return said
        more = {"name": said} if isinstance(said, str) else dict(said)
        name, layers = more.pop("name"), more.pop("layers", None)
        label = more.pop("label", name)
        return cls(name, label, None if layers is None else tuple(layers), more)

    def made(self) -> object:
        """The explainer. Raises ConfigError."""
        if not isinstance(self.fields.get("base", ""), str):
            raise ConfigError(
                f'explainer {self.label!r}: base must be the name of an explainer, such as "grad-cam", or a place, '
                f'"my_file:MyCAM"; got {self.fields["base"]!r}'
            )
        given = {key: tuple(v) if isinstance(v, list) else v for key, v in self.fields.items()}
        try:
            if isinstance(given.get("base"), str):
                given["base"] = explainers[given["base"]]()
            return explainers[self.name](**given)
        except (TypeError, ValueError, KeyError) as error:
            raise ConfigError(f"explainer {self.label!r}: {error}") from None

    def table(self) -> dict[str, object]:
        """The table that `of` makes this entry of again."""
        layers = {} if self.layers is None else {"layers": list(self.layers)}
        return {"name": self.name, "label": self.label, **layers, **self.fields}
