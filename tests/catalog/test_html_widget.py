from kit.catalog.html_widget import HtmlWidget


def test_the_widget_sends_its_html_and_receives_the_value_of_a_click() -> None:
    widget = HtmlWidget(html="<p>sales</p>")
    assert "kit-pane" in widget._dom_classes
    state = widget.get_state()
    assert (state["html"], state["picked"]) == ("<p>sales</p>", "")
    received: list[str] = []
    widget.observe(lambda change: received.append(change["new"]), "picked")
    widget.set_state({"picked": "item"})
    assert received == ["item"]
