"""A widget that shows HTML, with buttons to copy code and to pick values."""

import anywidget
import traitlets

# Loads nothing from elsewhere. Without a clipboard, as on a page without HTTPS, the code is selected instead.
_SCRIPT = """
function select(pre) {
  const range = document.createRange();
  range.selectNodeContents(pre.firstChild);
  const selection = window.getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

async function copy(pre, button) {
  try {
    await navigator.clipboard.writeText(pre.firstChild.textContent);
    button.textContent = "Copied";
  } catch {
    select(pre);
    button.textContent = document.execCommand("copy") ? "Copied" : "Press Ctrl-C";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

// The kit's JupyterLab extension, if installed, cancels this event and inserts the text; an empty text only tests for it.
function insert(text) {
  return !document.dispatchEvent(new CustomEvent("kit:insert", { cancelable: true, detail: text }));
}

function button(name, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = name;
  made.className = "kit-button";
  made.addEventListener("click", () => act(made));
  return made;
}

function clear(filter) {
  filter.value = "";
  filter.dispatchEvent(new Event("input", { bubbles: true }));
  filter.focus();
}

function enter(ports) {
  ports.focus();
  if (ports.selectedIndex < 0 && ports.options.length) {
    ports.selectedIndex = 0;
    ports.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

// Names and keys of the application: Escape clears its filter, the arrow keys lead from there into the list. Keys go to the
// focused element, not to JupyterLab's shortcuts.
function connect(el) {
  const application = el.closest(".kit-browse");
  const filter = application?.querySelector("input[type=text]");
  const ports = application?.querySelector("select");
  if (!el.isConnected || (application && !(filter && ports))) {
    requestAnimationFrame(() => connect(el));
    return;
  }
  if (!application || application.dataset.connected) {
    return;
  }
  application.dataset.connected = "true";
  filter.setAttribute("aria-label", "Filter the ports");
  ports.setAttribute("aria-label", "Ports");
  application.addEventListener("focusin", (event) => {
    event.target.setAttribute("data-lm-suppress-shortcuts", "true");
  });
  // Before the widgets, which end the way of a key.
  application.addEventListener("keydown", (event) => {
    const isArrow = event.target === filter && (event.key === "ArrowDown" || event.key === "ArrowUp");
    const isEscape = event.key === "Escape" && (event.target === filter || event.target === ports);
    if (isArrow || isEscape) {
      event.preventDefault();
      event.stopPropagation();
      isArrow ? enter(ports) : clear(filter);
    }
  }, true);
}

function render({ model, el }) {
  const draw = () => {
    el.innerHTML = model.get("html");
    for (const pre of el.querySelectorAll("pre")) {
      const buttons = document.createElement("span");
      buttons.className = "kit-buttons";
      buttons.append(button("Copy", (made) => copy(pre, made)));
      if (insert("")) {
        buttons.append(button("Insert below", () => insert(pre.firstChild.textContent)));
      }
      pre.append(buttons);
    }
    for (const offered of el.querySelectorAll("[data-pick]")) {
      offered.addEventListener("click", () => {
        model.set("picked", offered.dataset.pick);
        model.save_changes();
      });
    }
  };
  draw();
  connect(el);
  model.on("change:html", draw);
}

export default { render };
"""

_STYLE = """
.kit-pane {
  color: var(--jp-content-font-color1, inherit);
  font: var(--jp-content-font-size1, 14px) / 1.45 var(--jp-content-font-family, system-ui, sans-serif);
  max-height: max(520px, 72vh); overflow: auto; padding: 4px 2px; user-select: text;
}
.kit-pane p { margin: 0 0 8px; }
.kit-pane > p:first-child { margin-top: 0 !important; }
.kit-pane table { border-collapse: collapse; font-size: 13px; margin: 0 0 10px; }
.kit-pane th, .kit-pane td {
  padding: 4px 12px 4px 0; vertical-align: top; border-bottom: 1px solid var(--jp-border-color2, #8884);
}
.kit-pane th { font-weight: 600; white-space: nowrap; }
.kit-pane thead th { position: sticky; top: -4px; background: var(--jp-layout-color1, Canvas); }
.kit-pane tbody tr:hover { background: var(--jp-layout-color2, #8881); }
.kit-pane td { font-variant-numeric: tabular-nums; }
.kit-pane img { max-width: 100%; vertical-align: middle; }
.kit-pane iframe { width: 100%; height: 480px; border: 1px solid var(--jp-border-color2, #8884); background: #fff; }
.kit-pane pre {
  position: relative; margin: 0 0 10px; padding: 10px 12px; overflow-x: auto; white-space: pre;
  font: 13px / 1.4 var(--jp-code-font-family, monospace); color: inherit;
  background: var(--jp-cell-editor-background, #8881); border: 1px solid var(--jp-border-color2, #8884);
}
.kit-buttons { position: absolute; top: 6px; right: 6px; user-select: none; }
.kit-button {
  margin-left: 6px; padding: 2px 10px; font: 12px var(--jp-ui-font-family, sans-serif); cursor: pointer; color: inherit;
  background: var(--jp-layout-color1, transparent); border: 1px solid var(--jp-border-color1, #8888); border-radius: 3px;
}
.kit-pane [data-pick] {
  padding: 0; font: inherit; color: var(--jp-content-link-color, color-mix(in srgb, #2f77c8 70%, currentcolor));
  cursor: pointer; background: none; border: 0; text-decoration: underline;
}
.kit-button:hover { background: var(--jp-layout-color3, #8882); }
"""


class HtmlWidget(anywidget.AnyWidget):
    """Shows `html`, which must be escaped as by `kit.drawing.markup`; `picked` is the value of the last clicked button."""

    _esm = _SCRIPT
    _css = _STYLE
    html = traitlets.Unicode("").tag(sync=True)
    picked = traitlets.Unicode("").tag(sync=True)

    def __init__(self, **values: object) -> None:
        super().__init__(**values)
        self.add_class("kit-pane")
