// Two fingers zoom.
export function pinchable(element, zoom) {
  let distance = null;

  element.addEventListener('touchstart', (event) => {
    distance = event.touches.length === 2 ? apart(event.touches) : null;
  }, { passive: true });

  element.addEventListener('touchmove', (event) => {
    if (distance === null || event.touches.length !== 2) return;
    event.preventDefault();
    const next = apart(event.touches);
    zoom(next / distance, (event.touches[0].clientX + event.touches[1].clientX) / 2);
    distance = next;
  }, { passive: false });

  element.addEventListener('touchend', () => {
    distance = null;
  });
}

const apart = ([a, b]) => Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY));
