// Where each panel stands: Grafana's grid of 24 columns, with collapsed rows opened.
import { WIDTH } from './span.js';

const COLUMNS = 24;
const HEIGHT = 30;
const GAP = 8;
const COLUMN = (WIDTH - GAP * (COLUMNS - 1)) / COLUMNS;

/** All panels, those of collapsed rows too, each with its `box` in pixels. */
export function placed(panels) {
  let lower = 0; // how far the rows opened so far push down what follows
  return panels.flatMap((panel) => {
    const here = [at(panel, lower)];
    if (panel.type === 'row' && panel.collapsed && panel.panels?.length) {
      const inner = panel.panels.map(({ gridPos }) => gridPos);
      const [top, bottom] = [Math.min(...inner.map(({ y }) => y)), Math.max(...inner.map(({ y, h }) => y + h))];
      const shift = panel.gridPos.y + 1 - top;
      here.push(...panel.panels.map((one) => at(one, lower + shift)));
      lower += bottom - top;
    }
    return here;
  });
}

function at(panel, lower) {
  const { x, y, w, h } = panel.gridPos;
  const box = {
    left: x * (COLUMN + GAP),
    top: (y + lower) * (HEIGHT + GAP),
    width: w * (COLUMN + GAP) - GAP,
    height: h * (HEIGHT + GAP) - GAP,
  };
  return { ...panel, box };
}

/** How high the whole grid is. */
export const heightOf = (panels) => Math.max(...panels.map(({ box }) => box.top + box.height));
