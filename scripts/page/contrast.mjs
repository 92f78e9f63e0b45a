/**
 * Runs in the page: each text whose contrast with what it stands on is below 4.5:1 (WCAG 2, AA), with the ratio.
 *
 * Colours are asked of a canvas, so that any notation will do. Of a pattern, every colour counts.
 */
export function poorContrast() {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  const known = new Map();
  function rgba(colour) {
    if (!known.has(colour)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  }
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const luminance = (colour) => {
    const [r, g, b] = colour.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  /** All colours that the node's text may stand on. */
  function grounds(node) {
    if (!node) return [[255, 255, 255, 1]];
    const style = getComputedStyle(node);
    const pattern = style.backgroundImage.startsWith('repeating') ? style.backgroundImage.match(/(?:rgb|oklch|oklab|color)a?\([^)]*\)/g) : null;
    const colours = (pattern ?? [style.backgroundColor]).map(rgba);
    if (colours.every(([, , , alpha]) => alpha === 1)) return colours;
    return grounds(node.parentElement).flatMap((below) => colours.map((colour) => over(colour, below)));
  }
  const poor = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || ['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(node.tagName) || !node.checkVisibility()) continue;
    const ink = rgba(getComputedStyle(node).color);
    for (const ground of grounds(node)) {
      const found = ratio(over(ink, ground), ground);
      if (found < 4.5) poor.push(`${found.toFixed(2)} "${text.data.slice(0, 30)}" .${node.className || node.tagName} in .${node.parentElement.className}`);
    }
  }
  return [...new Set(poor)].slice(0, 12);
}
