import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

type Theme = 'light' | 'dark';

const read = (file: string): string => readFileSync(new URL(file, import.meta.url), 'utf8');

/** Colours of the token file by name, light and dark. */
const tokens = new Map(
  [
    ...read('tokens.css').matchAll(/--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);/g),
  ].map(([, name = '', light = '', dark = '']) => [name, { light, dark }]),
);

const surfaces = ['bg', 'canvas', 'sunken'];
const texts = ['text', 'text-muted', 'accent-text'];
const states = ['success', 'warning', 'danger', 'info'];

/** Foreground, background, least contrast: 4.5 for text, 3 for borders and the focus ring (WCAG 2.2 1.4.3, 1.4.11). */
const pairs: [string, string, number][] = [
  ...surfaces.flatMap((surface): [string, string, number][] =>
    texts.map((text) => [text, surface, 4.5]),
  ),
  ...surfaces.map((surface): [string, string, number] => ['text-subtle', surface, 4.5]),
  ['on-accent', 'accent', 4.5],
  ['accent-text', 'accent-soft', 4.5],
  ['text', 'accent-soft', 4.5],
  ...states.flatMap((state): [string, string, number][] => [
    [state, `${state}-soft`, 4.5],
    [state, 'bg', 4.5],
    ['text', `${state}-soft`, 4.5],
  ]),
  ['production', 'bg', 4.5],
  ['control-border', 'bg', 3],
  ['control-border', 'canvas', 3],
  ['accent', 'bg', 3],
  ['accent', 'canvas', 3],
];

test('colours: every pair of tokens in use keeps WCAG AA in light and dark', () => {
  assert.equal(tokens.size, 21);
  for (const [front, back, least] of pairs) {
    for (const theme of ['light', 'dark'] satisfies Theme[]) {
      const ratio = contrast(colour(front, theme), colour(back, theme));
      assert.ok(ratio >= least, `${front} on ${back}, ${theme}: ${ratio.toFixed(2)} < ${least}`);
    }
  }
});

test('colours: the security block has fixed ones that no brand variable reaches, and they keep WCAG AA', () => {
  const css = read('consent.css');
  const declared = [
    ...css.matchAll(
      /--gh-security-(bg|strong|text): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);/g,
    ),
  ];
  assert.equal(
    declared.length,
    7,
    'three colours of green, two each of amber and red; no variable among them',
  );
  const of = (part: string): [string, string][] =>
    declared
      .filter(([, name]) => name === part)
      .map(([, , light = '', dark = '']) => [light, dark]);
  const [text] = of('text');
  assert.ok(text);
  of('bg').forEach(([light, dark], index) => {
    const strong = of('strong')[index];
    assert.ok(strong);
    assert.ok(contrast(text[0], light) >= 4.5 && contrast(text[1], dark) >= 4.5);
    assert.ok(contrast(strong[0], light) >= 4.5 && contrast(strong[1], dark) >= 4.5);
  });
  assert.doesNotMatch(
    css.slice(css.indexOf('.who,'), css.indexOf('.facts')),
    /var\(--gh-(?!security)/,
  );
});

function colour(name: string, theme: Theme): string {
  const token = tokens.get(name);
  assert.ok(token, `no token ${name}`);
  return token[theme];
}

function contrast(a: string, b: string): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
