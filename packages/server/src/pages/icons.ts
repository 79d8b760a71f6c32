import { type Html, html } from './html.ts';

/** Decorative line icons, 20 px, drawn in the colour of the text beside them. They never carry a meaning alone. */
export type IconName =
  | 'check'
  | 'warning'
  | 'stop'
  | 'eye'
  | 'pencil'
  | 'spend'
  | 'person'
  | 'clock'
  | 'device'
  | 'arrow'
  | 'mail';

const drawings: Readonly<Record<IconName, Html>> = {
  check: html`<circle cx="10" cy="10" r="7.5"/><path d="m6.8 10.2 2.2 2.2 4.3-4.6"/>`,
  warning: html`<path d="M10 3 2.4 16.2h15.2Z"/><path d="M10 8.2v3.6M10 14v.1"/>`,
  stop: html`<path d="M6.9 2.5h6.2l4.4 4.4v6.2l-4.4 4.4H6.9l-4.4-4.4V6.9Z"/><path d="M10 6.2v4.6M10 13.6v.1"/>`,
  eye: html`<path d="M1.8 10S4.8 4.6 10 4.6 18.2 10 18.2 10 15.2 15.4 10 15.4 1.8 10 1.8 10Z"/><circle cx="10" cy="10" r="2.4"/>`,
  pencil: html`<path d="m3 17 .9-3.8L13.4 3.7l2.9 2.9L6.8 16.1ZM11.6 5.5l2.9 2.9"/>`,
  spend: html`<path d="M3 5.5h14M7.5 5.5V3.2h5v2.3M5 5.5l.8 11.3h8.4L15 5.5M8.3 9v4.5M11.7 9v4.5"/>`,
  person: html`<circle cx="10" cy="6.8" r="3.3"/><path d="M3.5 17c.7-3.3 3.3-5 6.5-5s5.8 1.7 6.5 5"/>`,
  clock: html`<circle cx="10" cy="10" r="7.5"/><path d="M10 5.8V10l2.8 1.8"/>`,
  device: html`<rect x="3" y="3.5" width="14" height="9.5" rx="1.5"/><path d="M1.8 16.5h16.4"/>`,
  arrow: html`<path d="M3.5 10h13M12 5.5l4.5 4.5-4.5 4.5"/>`,
  mail: html`<rect x="2.5" y="4.5" width="15" height="11" rx="1.5"/><path d="m3 6 7 5 7-5"/>`,
};

/** The icon as inline SVG, hidden from assistive technology. */
export function icon(name: IconName): Html {
  return html`<svg class="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false">${drawings[name]}</svg>`;
}
