// The box that says more about what the pointer is on, or the keyboard.

const tips = (() => {
  const contents = new WeakMap();
  const box = document.getElementById('tip');
  let shown = null;

  function hide() {
    shown?.removeAttribute('aria-describedby');
    shown = null;
    box.hidden = true;
  }

  function show(node, x, y) {
    if (node !== shown) {
      hide();
      const content = contents.get(node)?.();
      if (!content) return;
      shown = node;
      node.setAttribute('aria-describedby', 'tip');
      box.replaceChildren(content);
      box.hidden = false;
    }
    // Beside the point, inside the window. (The style sheet puts it at the foot of a narrow screen instead.)
    const { width, height } = box.getBoundingClientRect();
    const left = Math.max(8, Math.min(x + 14, document.documentElement.clientWidth - width - 8));
    const below = y + 18;
    const fits = below + height + 8 <= innerHeight;
    box.style.left = `${left}px`;
    box.style.top = `${fits ? below : Math.max(8, y - height - 14)}px`;
  }

  const told = (target) => (target instanceof Element ? target.closest('[data-tip]') : null);

  document.addEventListener('pointermove', (event) => {
    const node = told(event.target);
    if (node) show(node, event.clientX, event.clientY);
    else if (!shown?.matches(':focus-visible')) hide();
  });
  document.addEventListener('focusin', (event) => {
    const node = told(event.target);
    if (!node?.matches(':focus-visible')) return hide();
    const place = node.getBoundingClientRect();
    return show(node, place.left, place.bottom - 10);
  });
  document.addEventListener('focusout', hide);
  document.addEventListener('scroll', hide, true);
  document.documentElement.addEventListener('pointerleave', hide);

  return {
    /** Has `make` say what stands in the box while the node is pointed at. */
    on(node, make) {
      node.setAttribute('data-tip', '');
      contents.set(node, make);
      return node;
    },
    hide,
  };
})();
