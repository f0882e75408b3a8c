// Draws one dashboard over one recorded run and tells the camera what became of each panel.
//
// `?dashboard=overview.json` names the dashboard. When everything stands, `window.picture` resolves to
// `{panels: [{title, type, failure, empty}]}`; `window.blank` then judges the photograph.
import { createRoot } from 'react-dom/client';
import { ThemeContext } from '@grafana/data';
import { GlobalStyles } from '@grafana/ui';
import { readAnnotations } from './annotations.js';
import { Dashboard } from './dashboard.jsx';
import { readPanel } from './data.js';
import { placed } from './layout.js';
import { blank } from './ink.js';
import { settled } from './settled.js';
import { Span } from './span.js';
import { loadFonts, setUp, theme } from './grafana.js';
import { Variables } from './variables.js';

const json = async (path) => (await fetch(path)).json();

async function draw() {
  setUp();
  const name = new URLSearchParams(location.search).get('dashboard');
  const [dashboard, run] = await Promise.all([json(`dashboards/${name}`), json('run.json')]);
  const span = new Span(run);
  const variables = await Variables.read(dashboard, run, span);
  const annotations = await readAnnotations(dashboard, variables, span);
  await loadFonts();
  const panels = await Promise.all(
    placed(dashboard.panels).map(async (panel) => ({ panel, ...(await readPanel(panel, variables, span)) })),
  );
  document.body.style.background = theme.colors.background.canvas;
  createRoot(document.getElementById('root')).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <Dashboard {...{ dashboard, span, variables, annotations, panels }} />
    </ThemeContext.Provider>,
  );
  await settled(document.getElementById('root'));
  return { panels: panels.filter(({ panel }) => panel.type !== 'row').map(verdict) };
}

/** What the camera prints of a panel; a component that threw left its message in the page. */
function verdict({ panel, failure, empty }) {
  const thrown = document.querySelector(`[data-panel="${panel.id}"] .failure`)?.textContent;
  return { id: panel.id, title: panel.title ?? '', type: panel.type, failure: failure ?? thrown, empty };
}

window.blank = blank;
window.picture = draw();
