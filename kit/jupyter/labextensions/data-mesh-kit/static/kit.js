// The data mesh in JupyterLab: a launcher section, and the commands `kit:…` behind it.
//
// JupyterLab loads this file as it is: a module-federation container is an object with `init` and `get`. There is no
// build step, and nothing is installed; `kit lab` names the folder to its own JupyterLab only.

(() => {
  const NAME = "data-mesh-kit";
  const CATEGORY = "Data mesh";

  let shared; // the modules of JupyterLab, by name and version
  const load = async (name) => (await Object.values(shared[name])[0].get())();

  const icon = (shapes) =>
    `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><g class="jp-icon3" stroke="#616161"
     style="fill:none" stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round">${shapes}</g></svg>`;
  const ICONS = {
    dagster: icon(
      '<rect x="2.5" y="3" width="6" height="5" rx="1"/><rect x="2.5" y="16" width="6" height="5" rx="1"/>' +
        '<rect x="15.5" y="9.5" width="6" height="5" rx="1"/><path d="M8.5 5.5h3v13h-3M11.5 12h4"/>',
    ),
    catalog: icon(
      '<rect x="3" y="3.5" width="18" height="17" rx="1.5"/><path d="M3 8.5h18M9 8.5v12M12 12.5h6M12 16.5h6"/>',
    ),
    notebook: icon('<path d="M19 11V3.5H5v17h7M8.5 3.5v17M17 14.5v7M13.5 18h7"/>'),
  };

  async function activate(app, launcher, palette, restorer) {
    const { LabIcon } = await load("@jupyterlab/ui-components");
    const { MainAreaWidget, WidgetTracker, showErrorMessage } = await load("@jupyterlab/apputils");
    const { ServerConnection } = await load("@jupyterlab/services");
    const { Widget } = await load("@lumino/widgets");
    const { serverSettings } = app.serviceManager;
    const HOME = `${serverSettings.baseUrl}dagster/`;
    const icons = Object.fromEntries(
      Object.entries(ICONS).map(([name, svgstr]) => [name, new LabIcon({ name: `kit:${name}`, svgstr })]),
    );

    /** What the mesh's side of the server answers to a request; what it refuses is raised as an `Error`. */
    async function ask(path) {
      const response = await ServerConnection.makeRequest(serverSettings.baseUrl + path, { method: "POST" }, serverSettings);
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.message);
      return answer;
    }

    async function open(path) {
      const panel = await app.commands.execute("docmanager:open", { path, factory: "Notebook" });
      await panel.context.ready;
      return panel;
    }

    // Dagster keeps to its own addresses, so where it was is noted for when this page is loaded again.
    const tracker = new WidgetTracker({ namespace: "kit-dagster" });
    const frame = (panel) => panel.content.node.querySelector("iframe");
    window.addEventListener("pagehide", () =>
      tracker.forEach((panel) => sessionStorage.setItem("kit:dagster", frame(panel).contentWindow.location.href)),
    );

    function dagster(address) {
      let panel = tracker.currentWidget;
      if (!panel) {
        const content = new Widget();
        content.addClass("jp-IFrame"); // JupyterLab's own style: it fills the panel, and lets a drag pass over it
        content.node.innerHTML = '<iframe style="border: 0; width: 100%; height: 100%"></iframe>';
        content.title.label = "Dagster";
        content.title.icon = icons.dagster;
        content.title.closable = true;
        panel = new MainAreaWidget({ content });
        panel.id = "kit-dagster";
        panel.toolbar.hide();
        frame(panel).src = address ?? `${HOME}asset-groups`; // the lineage of the whole mesh
        tracker.add(panel);
        app.shell.add(panel, "main");
      } else if (address) {
        frame(panel).src = address;
      }
      app.shell.activateById(panel.id);
    }

    const commands = {
      "kit:dagster": {
        label: "Dagster",
        caption: "The lineage, runs and schedules of the mesh",
        icon: icons.dagster,
        execute: ({ path, restored }) =>
          dagster(restored ? sessionStorage.getItem("kit:dagster") : path && HOME + path),
      },
      "kit:catalog": {
        label: "Catalog",
        caption: "Find data: all ports of the mesh",
        icon: icons.catalog,
        execute: async () => {
          const panel = await open("notebooks/catalog.ipynb");
          await panel.sessionContext.ready;
          await app.commands.execute("notebook:run-all-cells");
        },
      },
      "kit:new-notebook": {
        label: "New asset notebook",
        caption: "A notebook that can become a port",
        icon: icons.notebook,
        execute: async () => open((await ask("kit/notebooks")).path),
      },
    };
    for (const [name, command] of Object.entries(commands)) {
      const execute = async (given) => {
        try {
          return await command.execute(given);
        } catch (error) {
          return showErrorMessage(command.label, error.message);
        }
      };
      app.commands.addCommand(name, { ...command, execute });
      launcher?.add({ command: name, category: CATEGORY, categoryRank: -1, rank: Object.keys(commands).indexOf(name) });
      palette?.addItem({ command: name, category: CATEGORY });
    }
    // What an output offers, as that of `cat.browse()` does, is put into a cell below it; with nothing in it, it only asks.
    document.addEventListener("kit:insert", async (event) => {
      event.preventDefault();
      if (event.detail) {
        await app.commands.execute("notebook:insert-cell-below");
        await app.commands.execute("notebook:replace-selection", { text: event.detail });
      }
    });
    restorer?.restore(tracker, { command: "kit:dagster", args: () => ({ restored: true }), name: () => "dagster" });
  }

  const container = {
    init(scope) {
      shared = scope;
    },
    async get() {
      const { ILauncher } = await load("@jupyterlab/launcher");
      const { ICommandPalette } = await load("@jupyterlab/apputils");
      const { ILayoutRestorer } = await load("@jupyterlab/application");
      const optional = [ILauncher, ICommandPalette, ILayoutRestorer];
      const plugin = { id: `${NAME}:plugin`, autoStart: true, requires: [], optional, activate };
      return () => plugin;
    },
  };
  window._JUPYTERLAB = { ...window._JUPYTERLAB, [NAME]: container };
})();
