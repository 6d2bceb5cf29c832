"""What a port or one of its columns is made from, and what is made from it."""

from kit import markup, neighbourhood
from kit.markup import Html
from kit.opened import Opened


def html(opened: Opened) -> Html:
    """A picture of the whole port or of the column that was picked; raises `MeshError` when its product is broken."""
    mesh, name, picked = opened.mesh(), opened.entry.id, opened.picked
    picture = neighbourhood.of_column(opened.config, mesh, name, picked) if picked else neighbourhood.of_port(mesh, name)
    offers = [("the whole port", ""), *((column.name, column.name) for column in opened.entry.port.columns)]
    words = [markup.bold(text) if value == picked else markup.offer(text, value) for text, value in offers]
    return markup.joined((markup.paragraph(markup.joined(("Look at ", markup.joined(words, ", ")))), markup.image(picture)))
