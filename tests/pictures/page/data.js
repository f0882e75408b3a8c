// From a panel's JSON to what its component draws: asks its queries, transforms, applies units, colours and names.
import { lastValueFrom } from 'rxjs';
import { applyFieldOverrides, cacheFieldDisplayNames, transformDataFrame } from '@grafana/data';
import { buckets, series, table } from './frames.js';
import { propertiesOf, theme } from './grafana.js';
import { TYPES } from './panels/index.js';
import { instant, range } from './prometheus.js';

/** `{frames, failure, empty}`: `empty` names the queries that found nothing. */
export async function readPanel(panel, variables, span) {
  const silent = panel.type === 'row' || panel.type === 'text';
  if (!panel.targets?.length) return { frames: [], empty: [], failure: silent ? undefined : 'asks nothing' };
  try {
    const answers = await Promise.all(panel.targets.filter(({ hide }) => !hide).map(answer(panel, variables, span)));
    const empty = answers.filter(({ frames }) => !frames.length).map(({ expr }) => expr);
    const found = answers.flatMap(({ frames }) => frames);
    const shaped = await lastValueFrom(transformDataFrame(panel.transformations ?? [], found));
    return { frames: dressed(panel, shaped, variables), empty };
  } catch (error) {
    return { frames: [], empty: [], failure: String(error) };
  }
}

function answer({ targets, box, interval }, variables, span) {
  return async (target) => {
    const least = target.interval || interval;
    const step = span.step(Math.round(box.width), least);
    const expr = variables.replace(target.expr, span.builtIn(step));
    const found = target.instant ? await instant(expr, span) : await range(expr, span, step);
    const shape = { table, heatmap: buckets }[target.format] ?? series;
    return { expr, frames: found.length ? shape(found, target, { step, several: targets.length > 1 }) : [] };
  };
}

/** The panel's field configuration, on top of what its type starts with in Grafana. */
export function fieldConfigOf({ type, fieldConfig = {} }) {
  const { defaults = {}, overrides = [] } = fieldConfig;
  const { custom, ...begin } = TYPES[type]?.fieldDefaults ?? {};
  return { defaults: { ...begin, ...defaults, custom: { ...custom, ...defaults.custom } }, overrides };
}

function dressed(panel, data, variables) {
  const fieldConfig = fieldConfigOf(panel);
  const frames = applyFieldOverrides({
    data,
    fieldConfig,
    fieldConfigRegistry: propertiesOf(fieldConfig),
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
  });
  cacheFieldDisplayNames(frames); // the table reads them there
  return frames;
}
