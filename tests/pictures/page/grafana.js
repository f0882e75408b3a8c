// What a Grafana server sets up before its components can be used: the theme, and registries that are empty in
// the packages.
import {
  createTheme,
  standardEditorsRegistry,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  Registry,
} from '@grafana/data';

export const theme = createTheme({ colors: { mode: 'dark' } });

const STANDARD = [
  'unit',
  'min',
  'max',
  'decimals',
  'thresholds',
  'mappings',
  'color',
  'displayName',
  'links',
  'actions',
  'noValue',
  'fieldMinMax',
  'filterable',
];

const property = (id, path, isCustom) => ({
  id,
  path,
  name: id,
  isCustom,
  process: (value) => value,
  shouldApply: () => true,
});

export function setUp() {
  window.__grafana_public_path__ = 'public/';
  standardEditorsRegistry.setInit(() => []);
  standardFieldConfigEditorRegistry.setInit(() => STANDARD.map((id) => property(id, id)));
  // Some are listed under an old name as well.
  const transformers = new Map(Object.values(standardTransformers).map((one) => [one.id, one]));
  standardTransformersRegistry.setInit(() =>
    [...transformers.values()].map((transformation) => ({ ...transformation, transformation })),
  );
}

/** Grafana's font has to be there before anything is measured or drawn on a canvas. */
export function loadFonts() {
  const weights = { 400: 'Regular', 500: 'Medium' };
  return Promise.all(
    Object.entries(weights).map(async ([weight, name]) => {
      const font = new FontFace('Inter', `url(public/fonts/inter/Inter-${name}.woff2)`, { weight });
      document.fonts.add(await font.load());
    }),
  );
}

/** The properties that a panel's fields may have: the standard ones, and whichever `custom.…` its JSON sets. */
export function propertiesOf({ defaults, overrides }) {
  const set = overrides.flatMap((rule) => rule.properties.map(({ id }) => id)).filter((id) => id.startsWith('custom.'));
  const custom = new Set([...Object.keys(defaults.custom ?? {}), ...set.map((id) => id.slice('custom.'.length))]);
  return new Registry(() => [
    ...STANDARD.map((id) => property(id, id)),
    ...[...custom].map((path) => property(`custom.${path}`, path, true)),
  ]);
}
